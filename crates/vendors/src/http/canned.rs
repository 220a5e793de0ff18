//! Answers in place of servers, so that a fuzz target chooses every byte of a response.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use url::Url;

use super::answer::HttpResponse;
use super::client::HttpRequest;
use super::error::{HttpError, HttpErrorKind};
use super::target::{host, target};
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

type Answering = dyn Fn(&HttpRequest, &Url) -> Result<CannedAnswer, HttpErrorKind> + Send + Sync;

/// Answers all requests of a client in place of the servers.
#[derive(Clone)]
pub struct CannedAnswers(Arc<Answering>);

impl CannedAnswers {
    /// Answers each request with what `answer` returns for it and its URL.
    pub fn new(
        answer: impl Fn(&HttpRequest, &Url) -> CannedAnswer + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |request, url| Ok(answer(request, url))))
    }

    /// Answers as [`new`](Self::new), or loses the answer with an error of this kind.
    #[cfg(test)]
    pub(crate) fn lossy(
        answer: impl Fn(&HttpRequest, &Url) -> Result<CannedAnswer, HttpErrorKind>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    pub(super) fn answer(
        &self,
        request: &HttpRequest,
        url: &Url,
    ) -> Result<HttpResponse, HttpError> {
        let answered = (self.0)(request, url);
        let CannedAnswer {
            status,
            headers,
            body,
        } = answered.map_err(|kind| HttpError::new(kind, target(&request.method, url)))?;
        Ok(HttpResponse {
            host: host(url),
            status,
            reason: None,
            headers,
            body,
            retried: false,
        })
    }
}

impl fmt::Debug for CannedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CannedAnswers")
    }
}
