//! The client's error: a kind, the operation, and the path.

mod meaning;

use std::error::Error;
use std::fmt;

use http::StatusCode;
use planton_core::deadline::Stop;

use super::config::MountPath;
use super::server::ServerVendor;
use crate::http::{HttpError, HttpErrorKind, HttpResponse};
pub(super) use meaning::missing_engine;
use meaning::{CAS_REQUIRED, NO_ENGINE, NO_NAMESPACE, UNSUPPORTED_PATH, meaning, meaning_of};

/// Kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenBaoErrorKind {
    /// Nothing exists at the path.
    NotFound,
    /// Another writer won the compare-and-set.
    Conflict,
    /// The token is valid and lacks a permission.
    PermissionDenied,
    /// Missing, invalid or expired token, or rejected login.
    Unauthenticated,
    /// The request exceeds the size limit of the server.
    TooLarge,
    /// The path cannot be part of a request.
    InvalidPath,
    /// Transit rejected the ciphertext.
    Refused,
    /// This version of the Transit key is disabled for decryption.
    KeyDisabled,
    /// Rate limited; retries were exhausted.
    RateLimited,
    /// Unreachable, sealed, or failing; retries were exhausted.
    Unavailable,
    /// The data has another form than expected.
    Corrupt,
    /// The response has another form than expected.
    Unexpected,
    /// A mount or a namespace is missing, or is of the wrong kind.
    Misconfigured,
}

/// A failure: its kind, the operation, and the path on which it failed.
///
/// # Security
///
/// Contains no credential, no payload and no raw response. Of a server's messages, only
/// known ones are kept, as constants.
#[derive(Debug)]
pub struct OpenBaoError {
    kind: OpenBaoErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// A server's response, as far as it is safe to repeat.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: u16,
    reason: Option<&'static str>,
}

impl OpenBaoError {
    pub(crate) fn new(
        kind: OpenBaoErrorKind,
        operation: &'static str,
        path: impl Into<String>,
    ) -> Self {
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

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> OpenBaoErrorKind {
        self.kind
    }

    /// Returns the path on which the operation failed.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name of the operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns the remedy.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Returns the transport's error, if the request got no response.
    #[must_use]
    pub fn http(&self) -> Option<&HttpError> {
        self.source.as_deref()?.downcast_ref()
    }

    /// Returns true if the namespace does not exist.
    #[must_use]
    pub fn concerns_namespace(&self) -> bool {
        self.reason() == Some(NO_NAMESPACE)
    }

    /// Returns true if no engine of the right kind serves the path.
    pub(super) fn concerns_engine(&self) -> bool {
        self.reason()
            .is_some_and(|reason| NO_ENGINE.contains(&reason))
    }

    /// Returns true if the engine has nothing to say about the path.
    pub(super) fn concerns_path(&self) -> bool {
        self.reason() == Some(UNSUPPORTED_PATH)
    }

    /// Returns true if the mount rejects writes without compare-and-set.
    pub(super) fn demands_cas(&self) -> bool {
        self.reason() == Some(CAS_REQUIRED)
    }

    /// Returns the known message in the server's response.
    fn reason(&self) -> Option<&'static str> {
        let answer = self.source.as_deref()?.downcast_ref::<Answer>()?;
        answer.reason
    }

    /// Describes a request without a response.
    pub(super) fn from_http(error: HttpError, operation: &'static str, path: &str) -> Self {
        let remedy = match error.kind() {
            HttpErrorKind::Redirected => Some(format!(
                "The server redirects to its active node at {}. The token is sent to the \
                 configured address only. Configure that address, or enable request forwarding \
                 on the standbys (see api_addr and cluster_addr of the server).",
                error.detail().unwrap_or("another address")
            )),
            HttpErrorKind::Tls => Some(
                "Check the CA certificate, and the client certificate if the server requires one."
                    .to_owned(),
            ),
            HttpErrorKind::Connect | HttpErrorKind::Timeout => Some(
                "Check the address, and that the server is reachable from this machine.".to_owned(),
            ),
            _ => None,
        };
        let kind = match error.kind() {
            HttpErrorKind::Tls | HttpErrorKind::Invalid => OpenBaoErrorKind::Misconfigured,
            HttpErrorKind::TooLarge => OpenBaoErrorKind::Unexpected,
            _ => OpenBaoErrorKind::Unavailable,
        };
        let mut explained = Self::new(kind, operation, path).with_source(error);
        explained.remedy = remedy;
        explained
    }

    /// Describes a successful response that cannot be parsed.
    pub(super) fn unexpected(response: &HttpResponse, operation: &'static str, path: &str) -> Self {
        Self::new(OpenBaoErrorKind::Unexpected, operation, path).with_source(response.unexpected())
    }

    /// Describes an unsuccessful response.
    pub(super) fn from_response(
        response: &HttpResponse,
        operation: &'static str,
        path: &str,
    ) -> Self {
        let (kind, reason, remedy) = meaning(response.status, response.body.expose(), path);
        let mut explained = Self::new(kind, operation, path).with_source(Answer {
            status: response.status.as_u16(),
            reason,
        });
        explained.remedy = remedy;
        explained
    }

    /// Describes the failure of one item of a batch.
    pub(super) fn of_item(error: String, operation: &'static str, path: &str) -> Self {
        let status = StatusCode::BAD_REQUEST;
        let (kind, reason, remedy) = meaning_of(status, &[error], path);
        let mut explained = Self::new(kind, operation, path).with_source(Answer {
            status: status.as_u16(),
            reason,
        });
        explained.remedy = remedy;
        explained
    }

    /// Returns the same error for another caller of the same request. Of its source, what
    /// cannot be copied becomes text.
    pub(crate) fn repeated(&self) -> Self {
        let source = self.source.as_deref();
        let source = source.map(|source| -> Box<dyn Error + Send + Sync> {
            if let Some(answer) = source.downcast_ref::<Answer>() {
                Box::new(*answer)
            } else if let Some(error) = source.downcast_ref::<HttpError>() {
                Box::new(error.without_source())
            } else if let Some(error) = source.downcast_ref::<Self>() {
                Box::new(error.repeated())
            } else if let Some(stop) = Stop::beneath(source) {
                Box::new(stop)
            } else {
                source.to_string().into()
            }
        });
        Self {
            kind: self.kind,
            operation: self.operation,
            path: self.path.clone(),
            remedy: self.remedy.clone(),
            source,
        }
    }

    /// Describes an engine other than KV version 2.
    pub(super) fn not_kv_v2(
        operation: &'static str,
        path: &str,
        mount: &MountPath,
        vendor: ServerVendor,
    ) -> Self {
        Self::new(OpenBaoErrorKind::Misconfigured, operation, path).with_remedy(format!(
            "The mount {mount:?} is not KV version 2. Enable one elsewhere with `{command} secrets \
             enable -path=<mount> -version=2 kv`, or upgrade this one with `{command} kv \
             enable-versioning {mount}`.",
            mount = mount.as_str(),
            command = vendor.command(),
        ))
    }

    /// Returns the parts, for a conversion into another error.
    #[must_use]
    pub fn into_parts(self) -> OpenBaoErrorParts {
        let Self {
            kind,
            operation,
            path,
            remedy,
            source,
        } = self;
        OpenBaoErrorParts {
            kind,
            operation,
            path,
            remedy,
            source,
        }
    }
}

/// The parts of an error.
#[derive(Debug)]
pub struct OpenBaoErrorParts {
    /// Kind of the failure.
    pub kind: OpenBaoErrorKind,
    /// The vendor's name of the operation.
    pub operation: &'static str,
    /// Path on which the operation failed.
    pub path: String,
    /// The remedy.
    pub remedy: Option<String>,
    /// The underlying error.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for OpenBaoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            OpenBaoErrorKind::NotFound => "failed: not found",
            OpenBaoErrorKind::Conflict => "conflicted with another write",
            OpenBaoErrorKind::PermissionDenied => "was denied",
            OpenBaoErrorKind::Unauthenticated => "failed: not authenticated",
            OpenBaoErrorKind::TooLarge => "failed: too large",
            OpenBaoErrorKind::InvalidPath => "failed: invalid path",
            OpenBaoErrorKind::Refused => "was rejected",
            OpenBaoErrorKind::KeyDisabled => "failed: key disabled",
            OpenBaoErrorKind::RateLimited => "was rate limited",
            OpenBaoErrorKind::Unavailable => "failed: unavailable",
            OpenBaoErrorKind::Corrupt => "found data of an unknown form",
            OpenBaoErrorKind::Unexpected => "received an unexpected response",
            OpenBaoErrorKind::Misconfigured => "failed: not configured as required",
        };
        write!(f, "{} on {:?} {meaning}", self.operation, self.path)
    }
}

impl Error for OpenBaoError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server returned {}", self.status)?;
        match self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl Error for Answer {}

#[cfg(test)]
mod tests;
