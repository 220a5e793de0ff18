//! Answers in place of servers, so that a fuzz target chooses every byte of a response.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use url::Url;

use super::answer::HttpResponse;
use super::client::HttpRequest;
use super::target::host;
use planton_secret::SecretBytes;

/// A response that no server sent.
#[derive(Debug)]
pub struct CannedAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: SecretBytes,
}

type Answering = dyn Fn(&HttpRequest, &Url) -> CannedAnswer + Send + Sync;

/// Answers all requests of a client in place of the servers.
#[derive(Clone)]
pub struct CannedAnswers(Arc<Answering>);

impl CannedAnswers {
    /// Answers each request with what `answer` returns for it and its URL.
    pub fn new(
        answer: impl Fn(&HttpRequest, &Url) -> CannedAnswer + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    pub(super) fn answer(&self, request: &HttpRequest, url: &Url) -> HttpResponse {
        let CannedAnswer {
            status,
            headers,
            body,
        } = (self.0)(request, url);
        HttpResponse {
            host: host(url),
            status,
            headers,
            body,
            retried: false,
        }
    }
}

impl fmt::Debug for CannedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CannedAnswers")
    }
}
