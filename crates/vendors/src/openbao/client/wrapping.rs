//! Answers that the server keeps for a token that is used once.
//!
//! Nothing is hidden by it here: a standby of OpenBAO 2.6.2 and later forwards
//! any request with this header to the active node, and has no other way to be
//! asked for that.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::auth::{Token, as_it_is};
use crate::http::HttpResponse;

pub(super) const UNWRAP: &str = "sys/wrapping/unwrap";

/// How long a standby may take to hear of a token: ten seconds, where standbys
/// lag by less than one.
pub(super) const TRIES: u32 = 200;
pub(super) const WAIT: Duration = Duration::from_millis(50);

const WRAP: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");

/// Long enough for all tries to unwrap, and short enough to leave nothing
/// behind.
const SECONDS: HeaderValue = HeaderValue::from_static("120");

/// Asks for an answer that is wrapped, if there is anything to wrap.
pub(super) fn ask_for_it(headers: &mut HeaderMap) {
    headers.insert(WRAP, SECONDS);
}

/// Returns the token in an answer that is wrapped. Refusals and answers without
/// a body are not.
pub(super) fn token_in(response: &HttpResponse) -> Option<Token> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        wrap_info: Option<Info<'a>>,
    }
    #[derive(Deserialize)]
    struct Info<'a> {
        token: &'a str,
    }
    let body = response.body.expose();
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).ok()?;
    Some(as_it_is(wrapped.wrap_info?.token.into()))
}
