//! Errors of requests that got no response.

use std::error::Error;
use std::fmt;
use std::io;

use planton_core::deadline::Stop;

/// Reason why a request got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// No connection: refused, unreachable, or unknown host.
    Connect,
    /// TLS failed: an untrusted certificate, or a missing client certificate.
    Tls,
    /// Timeout.
    Timeout,
    /// The connection broke before the response was complete.
    Interrupted,
    /// Redirected to a host that is not configured. Nothing was sent to it.
    Redirected,
    /// Redirect loop between configured hosts.
    RedirectedInCircles,
    /// The response exceeds the maximum size.
    TooLarge,
    /// Cancelled between two tries.
    Cancelled,
    /// The operation's deadline expired.
    DeadlineExceeded,
    /// The request or the client's settings are unusable.
    Invalid,
}

/// A request without a response.
///
/// # Security
///
/// Contains no query, header or body.
#[derive(Debug)]
pub struct HttpError {
    kind: HttpErrorKind,
    target: String,
    detail: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl HttpError {
    /// Creates an error of a request to `target`: `GET host/path`.
    #[must_use]
    pub fn new(kind: HttpErrorKind, target: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.into(),
            detail: None,
            source: None,
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }

    /// Returns further details, such as the target of a redirect.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the same error without its source, for a caller that has only a
    /// reference. A [`Stop`] remains as the source.
    #[must_use]
    pub fn without_source(&self) -> Self {
        Self {
            kind: self.kind,
            target: self.target.clone(),
            detail: self.detail.clone(),
            source: Stop::beneath(self).map(Into::into),
        }
    }

    pub(super) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Creates the error of a request that was stopped, or not sent.
    pub(super) fn stopped(stop: Stop, target: &str) -> Self {
        let kind = match stop {
            Stop::Cancelled => HttpErrorKind::Cancelled,
            Stop::DeadlinePassed => HttpErrorKind::DeadlineExceeded,
        };
        Self::new(kind, target).with_source(stop)
    }

    /// Classifies an error of reqwest. Omits its URL, which may contain a query.
    pub(super) fn from_reqwest(error: reqwest::Error, target: &str) -> Self {
        let kind = if is_tls(&error) {
            HttpErrorKind::Tls
        } else if error.is_timeout() {
            HttpErrorKind::Timeout
        } else if error.is_connect() {
            HttpErrorKind::Connect
        } else if error.is_builder() {
            HttpErrorKind::Invalid
        } else {
            HttpErrorKind::Interrupted
        };
        Self::new(kind, target).with_source(error.without_url())
    }

    /// Returns true if a retry may help.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            HttpErrorKind::Connect | HttpErrorKind::Timeout | HttpErrorKind::Interrupted
        )
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            HttpErrorKind::Connect => "cannot connect",
            HttpErrorKind::Tls => "TLS failed",
            HttpErrorKind::Timeout => "timed out",
            HttpErrorKind::Interrupted => "the connection was closed",
            HttpErrorKind::Redirected => "redirected to a host that is not configured",
            HttpErrorKind::RedirectedInCircles => "redirect loop",
            HttpErrorKind::TooLarge => "the response is too large",
            HttpErrorKind::Cancelled => "cancelled",
            HttpErrorKind::DeadlineExceeded => "the operation's deadline expired",
            HttpErrorKind::Invalid => "cannot be sent",
        };
        write!(f, "{}: {meaning}", self.target)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Error for HttpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

/// Returns true if the error or a source of it is a TLS error. `io::Error` hides its
/// inner error from `source`, so each one is unwrapped.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if carried.is_some_and(|carried| is_tls(carried)) {
            return true;
        }
        next = error.source();
    }
    false
}
