//! The client's error: a kind, the operation, and the path.

mod meaning;

use std::error::Error;
use std::fmt;

use crate::http::{HttpError, HttpErrorKind, HttpResponse, UnexpectedAnswer};
use meaning::{Said, kind, remedy};

/// Kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpErrorKind {
    /// The request has an invalid argument.
    InvalidArgument,
    /// The resource does not exist.
    NotFound,
    /// The resource exists already.
    AlreadyExists,
    /// Conflict with another writer.
    Aborted,
    /// The resource is not in the required state.
    FailedPrecondition,
    /// The version of a key is disabled.
    KeyDisabled,
    /// The version of a key is scheduled for destruction.
    KeyPendingDestruction,
    /// The version of a key was destroyed.
    KeyDestroyed,
    /// The credential is valid and lacks a permission.
    PermissionDenied,
    /// Missing, invalid or expired credential.
    Unauthenticated,
    /// Rate limited; retries were exhausted.
    RateLimited,
    /// Unreachable or failing; retries were exhausted.
    Unavailable,
    /// The response has another form than expected.
    Unexpected,
    /// The API, the project or its billing is not set up.
    Misconfigured,
}

/// A failure: its kind, the operation, and the path on which it failed.
///
/// # Security
///
/// Contains no credential, no payload and no raw response. Of a server's response, only
/// known codes are kept, as constants.
#[derive(Debug)]
pub struct GcpError {
    kind: GcpErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The parts of an error.
#[derive(Debug)]
pub struct GcpErrorParts {
    /// Kind of the failure.
    pub kind: GcpErrorKind,
    /// The vendor's name of the operation.
    pub operation: &'static str,
    /// Path on which the operation failed.
    pub path: String,
    /// The remedy.
    pub remedy: Option<String>,
    /// The underlying error.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// A server's response, as far as it is safe to repeat.
#[derive(Debug)]
struct Answer {
    status: u16,
    code: Option<&'static str>,
    reason: Option<&'static str>,
}

impl GcpError {
    /// Describes a failure of `operation` (the vendor's name for it) on `path`.
    #[must_use]
    pub fn new(kind: GcpErrorKind, operation: &'static str, path: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            path: path.into(),
            remedy: None,
            source: None,
        }
    }

    /// Replaces the remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn with_kind(mut self, kind: GcpErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> GcpErrorKind {
        self.kind
    }

    /// Returns the remedy.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Returns the parts, for a conversion into another error.
    #[must_use]
    pub fn into_parts(self) -> GcpErrorParts {
        GcpErrorParts {
            kind: self.kind,
            operation: self.operation,
            path: self.path,
            remedy: self.remedy,
            source: self.source,
        }
    }

    /// Describes a request without a response.
    pub(super) fn from_http(error: HttpError, operation: &'static str, path: &str) -> Self {
        let kind = match error.kind() {
            HttpErrorKind::Tls | HttpErrorKind::Invalid | HttpErrorKind::Redirected => {
                GcpErrorKind::Misconfigured
            }
            HttpErrorKind::TooLarge => GcpErrorKind::Unexpected,
            _ => GcpErrorKind::Unavailable,
        };
        let remedy = match error.kind() {
            HttpErrorKind::Redirected => Some(
                "The endpoint redirects to another host. The token is sent to the endpoint only.",
            ),
            HttpErrorKind::Tls => {
                Some("The endpoint's certificate is not trusted. Check for a proxy in between.")
            }
            HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                Some("Check that the endpoint is reachable from this machine.")
            }
            _ => None,
        };
        let mut explained = Self::new(kind, operation, path).with_source(error);
        explained.remedy = remedy.map(str::to_owned);
        explained
    }

    /// Describes a response that cannot be parsed.
    pub(super) fn unexpected(
        answer: UnexpectedAnswer,
        operation: &'static str,
        path: &str,
    ) -> Self {
        Self::new(GcpErrorKind::Unexpected, operation, path).with_source(answer)
    }

    /// Describes an unsuccessful response.
    pub(super) fn from_response(
        response: &HttpResponse,
        operation: &'static str,
        path: &str,
        service: &str,
    ) -> Self {
        let said = Said::read(response.body.expose());
        let kind = kind(response.status, said.code, said.reason);
        if kind == GcpErrorKind::Unexpected {
            return Self::unexpected(response.unexpected(), operation, path);
        }
        let mut explained = Self::new(kind, operation, path).with_source(Answer {
            status: response.status.as_u16(),
            code: said.code,
            reason: said.reason,
        });
        explained.remedy = remedy(kind, &said, path, service);
        explained
    }
}

impl fmt::Display for GcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            GcpErrorKind::InvalidArgument => "failed: invalid argument",
            GcpErrorKind::NotFound => "failed: not found",
            GcpErrorKind::AlreadyExists => "failed: already exists",
            GcpErrorKind::Aborted => "conflicted with another write",
            GcpErrorKind::FailedPrecondition => "failed: not in the required state",
            GcpErrorKind::KeyDisabled => "failed: the key is disabled",
            GcpErrorKind::KeyPendingDestruction => "failed: the key is scheduled for destruction",
            GcpErrorKind::KeyDestroyed => "failed: the key was destroyed",
            GcpErrorKind::PermissionDenied => "was denied",
            GcpErrorKind::Unauthenticated => "failed: not authenticated",
            GcpErrorKind::RateLimited => "was rate limited",
            GcpErrorKind::Unavailable => "failed: unavailable",
            GcpErrorKind::Unexpected => "received an unexpected response",
            GcpErrorKind::Misconfigured => "failed: not configured as required",
        };
        write!(f, "{} on {:?} {meaning}", self.operation, self.path)
    }
}

impl Error for GcpError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        for text in [self.code, self.reason].into_iter().flatten() {
            write!(f, " {text}")?;
        }
        Ok(())
    }
}

impl Error for Answer {}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
