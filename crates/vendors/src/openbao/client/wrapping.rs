//! Responses that the server keeps behind a single-use token.
//!
//! The wrapping hides nothing here. A standby of OpenBAO 2.6.2 and later forwards every
//! request with this header to the active node, and has no other way to be made to:
//! <https://github.com/openbao/openbao/pull/3790>,
//! <https://openbao.org/docs/concepts/response-wrapping>.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::login::{Token, as_it_is};
use crate::http::HttpResponse;

/// <https://openbao.org/api-docs/system/wrapping-unwrap>
pub(super) const UNWRAP: &str = "sys/wrapping/unwrap";

/// How often a standby is asked for a token that it has not replicated yet: for ten
/// seconds, where standbys lag by less than one.
pub(super) const TRIES: u32 = 200;
pub(super) const WAIT: Duration = Duration::from_millis(50);

const WRAP: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");

/// Longer than all tries to unwrap, and short enough to leave nothing behind.
const SECONDS: HeaderValue = HeaderValue::from_static("120");

/// Requests a wrapped response, if there is anything to wrap.
pub(super) fn request(headers: &mut HeaderMap) {
    headers.insert(WRAP, SECONDS);
}

/// Returns the token of a wrapped response. Errors and responses without a body are not
/// wrapped.
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
