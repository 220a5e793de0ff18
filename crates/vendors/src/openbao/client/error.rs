//! What a server's refusals mean: the one place where statuses are read.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use serde::Deserialize;

use super::config::MountPath;
use super::server::ServerVendor;
use crate::http::{HttpError, HttpErrorKind, HttpResponse};

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenBaoErrorKind {
    /// Nothing is there.
    NotFound,
    /// A compare-and-set was lost.
    Conflict,
    /// Known, but not allowed.
    PermissionDenied,
    /// No token, or one that has run out, or a login that was refused.
    Unauthenticated,
    /// The request is larger than the server takes.
    TooLarge,
    /// The path cannot be asked for.
    InvalidPath,
    /// Transit does not open this ciphertext.
    Refused,
    /// This version of a Transit key may not be used any more.
    KeyDisabled,
    /// Asked to slow down, and still after all retries.
    RateLimited,
    /// Unreachable, sealed, or failing, and still after all retries.
    Unavailable,
    /// What is there is not of the form that was asked for.
    Corrupt,
    /// The answer itself is not of such a server's form.
    Unexpected,
    /// A mount or a namespace is missing, or is not of the kind that is needed.
    Misconfigured,
}

/// A failure: its meaning, what was tried, and where.
///
/// # Security
///
/// Carries no credential, no payload and no raw answer: of a server's messages
/// only those that are known are kept, as texts of our own.
#[derive(Debug)]
pub struct OpenBaoError {
    kind: OpenBaoErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a server answered, as far as it is safe to repeat.
#[derive(Debug)]
struct Answer {
    status: u16,
    reason: Option<&'static str>,
}

impl OpenBaoError {
    pub(super) fn new(
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

    /// Replaces the remedy, where the caller knows better.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns what the failure means.
    #[must_use]
    pub fn kind(&self) -> OpenBaoErrorKind {
        self.kind
    }

    /// Returns the path on which it was tried.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the name of what was tried.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Returns how to mend it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Returns what kept the request from being answered, if anything did.
    #[must_use]
    pub fn http(&self) -> Option<&HttpError> {
        self.source.as_deref()?.downcast_ref()
    }

    /// Returns true where the namespace does not exist.
    #[must_use]
    pub fn concerns_namespace(&self) -> bool {
        self.reason() == Some(NO_NAMESPACE)
    }

    /// Returns true where no engine of the right kind serves the path.
    pub(super) fn concerns_engine(&self) -> bool {
        self.reason()
            .is_some_and(|reason| NO_ENGINE.contains(&reason))
    }

    /// Returns true where the mount takes no write without a compare-and-set.
    pub(super) fn demands_cas(&self) -> bool {
        self.reason() == Some(CAS_REQUIRED)
    }

    /// Returns what the server said, of the messages that are known.
    fn reason(&self) -> Option<&'static str> {
        let answer = self.source.as_deref()?.downcast_ref::<Answer>()?;
        answer.reason
    }

    /// Explains a request that was not answered.
    pub(super) fn from_http(error: HttpError, operation: &'static str, path: &str) -> Self {
        let remedy = match error.kind() {
            HttpErrorKind::Redirected => Some(format!(
                "The server redirects to its leader at {}, and the token is sent to no address \
                 that is not configured. Configure that address, or let standbys forward \
                 requests (see api_addr and cluster_addr of the server).",
                error.detail().unwrap_or("another address")
            )),
            HttpErrorKind::Tls => Some(
                "Check the CA certificate, and the client certificate if the server wants one."
                    .to_owned(),
            ),
            HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                Some("Check the address, and that the server can be reached from here.".to_owned())
            }
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

    /// Explains an answer of success that cannot be read.
    pub(super) fn unexpected(response: &HttpResponse, operation: &'static str, path: &str) -> Self {
        Self::new(OpenBaoErrorKind::Unexpected, operation, path).with_source(response.unexpected())
    }

    /// Explains an answer whose status is none of success.
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

    /// Explains an engine that is not KV version 2.
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

    /// Takes the error apart, for who turns it into an error of its own.
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

/// An error in its parts.
#[derive(Debug)]
pub struct OpenBaoErrorParts {
    /// What the failure means.
    pub kind: OpenBaoErrorKind,
    /// The vendor's name of what was tried.
    pub operation: &'static str,
    /// The path on which it was tried.
    pub path: String,
    /// How to mend it.
    pub remedy: Option<String>,
    /// The error beneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for OpenBaoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            OpenBaoErrorKind::NotFound => "found nothing",
            OpenBaoErrorKind::Conflict => "was overtaken by another writer",
            OpenBaoErrorKind::PermissionDenied => "was denied",
            OpenBaoErrorKind::Unauthenticated => "was refused: not authenticated",
            OpenBaoErrorKind::TooLarge => "was refused: too large",
            OpenBaoErrorKind::InvalidPath => "was refused: invalid path",
            OpenBaoErrorKind::Refused => "was refused",
            OpenBaoErrorKind::KeyDisabled => "found the key disabled",
            OpenBaoErrorKind::RateLimited => "was rate-limited",
            OpenBaoErrorKind::Unavailable => "failed: unavailable",
            OpenBaoErrorKind::Corrupt => "found something of an unknown form",
            OpenBaoErrorKind::Unexpected => "was answered in an unknown form",
            OpenBaoErrorKind::Misconfigured => "failed: not set up",
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
        write!(f, "the server answered {}", self.status)?;
        match self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl Error for Answer {}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

const NO_NAMESPACE: &str = "namespace not found";
const NO_ENGINE: [&str; 3] = [
    "no handler for route",
    "unsupported path",
    "unsupported operation",
];
/// <https://github.com/openbao/openbao/blob/main/builtin/logical/kv/path_data.go>
const CAS_REQUIRED: &str = "check-and-set parameter required";

/// Known messages: what the server says, what it means where the status alone
/// does not tell. The first that fits is taken.
const MESSAGES: &[(&str, Option<OpenBaoErrorKind>)] = &[
    (
        "check-and-set parameter did not match",
        Some(OpenBaoErrorKind::Conflict),
    ),
    (CAS_REQUIRED, Some(OpenBaoErrorKind::Misconfigured)),
    (NO_ENGINE[0], Some(OpenBaoErrorKind::Misconfigured)),
    (NO_ENGINE[1], Some(OpenBaoErrorKind::Misconfigured)),
    (NO_ENGINE[2], Some(OpenBaoErrorKind::Misconfigured)),
    (NO_NAMESPACE, Some(OpenBaoErrorKind::Misconfigured)),
    ("encryption key not found", Some(OpenBaoErrorKind::NotFound)),
    (
        "disallowed by policy (too old)",
        Some(OpenBaoErrorKind::KeyDisabled),
    ),
    ("missing 'context'", Some(OpenBaoErrorKind::Misconfigured)),
    ("invalid token", Some(OpenBaoErrorKind::Unauthenticated)),
    (
        "missing client token",
        Some(OpenBaoErrorKind::Unauthenticated),
    ),
    ("bad token", Some(OpenBaoErrorKind::Unauthenticated)),
    ("permission denied", None),
    ("sealed", Some(OpenBaoErrorKind::Unavailable)),
    (
        "message authentication failed",
        Some(OpenBaoErrorKind::Refused),
    ),
    ("invalid ciphertext", Some(OpenBaoErrorKind::Refused)),
    (
        "invalid role or secret ID",
        Some(OpenBaoErrorKind::Unauthenticated),
    ),
    ("request body too large", Some(OpenBaoErrorKind::TooLarge)),
];

fn meaning(
    status: StatusCode,
    body: &[u8],
    path: &str,
) -> (OpenBaoErrorKind, Option<&'static str>, Option<String>) {
    let errors = serde_json::from_slice::<Refusal>(body)
        .map(|refusal| refusal.errors)
        .unwrap_or_default();
    let known = MESSAGES
        .iter()
        .find(|(text, _)| errors.iter().any(|error| error.contains(text)));
    let by_status = match status.as_u16() {
        404 => OpenBaoErrorKind::NotFound,
        401 => OpenBaoErrorKind::Unauthenticated,
        403 => OpenBaoErrorKind::PermissionDenied,
        413 => OpenBaoErrorKind::TooLarge,
        400 | 405 | 422 => OpenBaoErrorKind::Refused,
        429 => OpenBaoErrorKind::RateLimited,
        // A redirect without an address, or an answer of something that is no
        // such server.
        300..=399 => OpenBaoErrorKind::Misconfigured,
        _ => OpenBaoErrorKind::Unavailable,
    };
    let kind = match known {
        // A rate limit or an outage is one whatever it says.
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => by_status,
        Some((_, Some(kind))) => *kind,
        _ => by_status,
    };
    let reason = known.map(|(text, _)| *text);
    let remedy = match reason {
        Some(reason) if NO_ENGINE.contains(&reason) => {
            Some(missing_engine(path, ServerVendor::OpenBao))
        }
        Some(NO_NAMESPACE) => {
            Some("The namespace does not exist: check it, or create it.".to_owned())
        }
        Some("sealed") => Some("The server is sealed: unseal it.".to_owned()),
        _ if kind == OpenBaoErrorKind::Unauthenticated => {
            Some("The credential is not, or no longer, valid: renew it.".to_owned())
        }
        // https://openbao.org/api-docs/system/rate-limit-quotas/
        _ if kind == OpenBaoErrorKind::RateLimited => Some(
            "A rate limit quota of the server is used up: an administrator lists them at \
             sys/quotas/rate-limit. Raise that quota or the resource's timeouts, or lower \
             -parallelism."
                .to_owned(),
        ),
        _ => None,
    };
    (kind, reason, remedy)
}

/// Tells how to mount the engine that `path` is a request to.
pub(super) fn missing_engine(path: &str, vendor: ServerVendor) -> String {
    let command = vendor.command();
    let before = |api: &str| path.find(api).map(|end| &path[..end]);
    let kv = ["/data/", "/metadata/", "/destroy/"]
        .into_iter()
        .find_map(before);
    if let Some(mount) = kv {
        return format!(
            "No KV version 2 is mounted at {mount:?}. Enable it with `{command} secrets enable \
             -path={mount} -version=2 kv`, or correct the configured KV mount path or the \
             namespace."
        );
    }
    let transit = ["/keys/", "/encrypt/", "/decrypt/", "/rewrap/"];
    match transit.into_iter().find_map(before) {
        Some(mount) => format!(
            "No Transit is mounted at {mount:?}. Enable it with `{command} secrets enable -path={mount} \
             transit`, or correct the configured Transit mount path or the namespace."
        ),
        None => format!(
            "Nothing that serves {path:?} is mounted: check the mount path and the namespace."
        ),
    }
}

#[cfg(test)]
mod tests;
