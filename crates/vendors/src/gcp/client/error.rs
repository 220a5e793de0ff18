//! What a refusal of Google's APIs means: the one place where statuses are read.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use serde::Deserialize;

use crate::http::{HttpError, HttpErrorKind, HttpResponse, UnexpectedAnswer};

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpErrorKind {
    /// Something in the request cannot be.
    InvalidArgument,
    /// Nothing is there.
    NotFound,
    /// Something is there already.
    AlreadyExists,
    /// Overtaken by another writer.
    Aborted,
    /// What is there is not in the state that was asked for.
    FailedPrecondition,
    /// Known, but not allowed.
    PermissionDenied,
    /// No credential, or one that is not known any more.
    Unauthenticated,
    /// Asked to slow down, and still after all retries.
    RateLimited,
    /// Unreachable or failing, and still after all retries.
    Unavailable,
    /// The answer is not of the form that was asked for.
    Unexpected,
    /// The API, the project or its billing is not set up.
    Misconfigured,
}

/// A failure: its meaning, what was tried, and where.
///
/// # Security
///
/// Carries no credential, no payload and no raw answer: of a server's words only
/// codes that are known are kept, as texts of our own.
#[derive(Debug)]
pub struct GcpError {
    kind: GcpErrorKind,
    operation: &'static str,
    path: String,
    remedy: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// An error in its parts.
#[derive(Debug)]
pub struct GcpErrorParts {
    /// What the failure means.
    pub kind: GcpErrorKind,
    /// The vendor's name of what was tried.
    pub operation: &'static str,
    /// The path on which it was tried.
    pub path: String,
    /// How to mend it.
    pub remedy: Option<String>,
    /// The error beneath.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a server answered, as far as it is safe to repeat.
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

    /// Replaces the remedy, where the caller knows better.
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

    /// Returns what the failure means.
    #[must_use]
    pub fn kind(&self) -> GcpErrorKind {
        self.kind
    }

    /// Returns how to mend it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// Takes the error apart, for who turns it into an error of its own.
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

    /// Explains a request that was not answered.
    pub(super) fn from_http(error: HttpError, operation: &'static str, path: &str) -> Self {
        let kind = match error.kind() {
            HttpErrorKind::Tls | HttpErrorKind::Invalid | HttpErrorKind::Redirected => {
                GcpErrorKind::Misconfigured
            }
            HttpErrorKind::TooLarge => GcpErrorKind::Unexpected,
            _ => GcpErrorKind::Unavailable,
        };
        let remedy = match error.kind() {
            HttpErrorKind::Redirected => {
                Some("The endpoint redirects, and the token is sent to no other host.")
            }
            HttpErrorKind::Tls => {
                Some("The endpoint's certificate is not trusted; is a proxy in between?")
            }
            HttpErrorKind::Connect | HttpErrorKind::Timeout => {
                Some("Check that the endpoint can be reached from here.")
            }
            _ => None,
        };
        let mut explained = Self::new(kind, operation, path).with_source(error);
        explained.remedy = remedy.map(str::to_owned);
        explained
    }

    /// Explains an answer that cannot be read.
    pub(super) fn unexpected(
        answer: UnexpectedAnswer,
        operation: &'static str,
        path: &str,
    ) -> Self {
        Self::new(GcpErrorKind::Unexpected, operation, path).with_source(answer)
    }

    /// Explains an answer whose status is none of success.
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

/// The codes of google.rpc.Code, and of google.rpc.ErrorInfo the reasons and the
/// consumer that we know by their form, and so may repeat.
struct Said {
    code: Option<&'static str>,
    reason: Option<&'static str>,
    /// The number of the project that the request counted for.
    consumer: Option<String>,
}

const CODES: &[(&str, GcpErrorKind)] = &[
    ("INVALID_ARGUMENT", GcpErrorKind::InvalidArgument),
    ("OUT_OF_RANGE", GcpErrorKind::InvalidArgument),
    ("NOT_FOUND", GcpErrorKind::NotFound),
    ("ALREADY_EXISTS", GcpErrorKind::AlreadyExists),
    ("ABORTED", GcpErrorKind::Aborted),
    ("FAILED_PRECONDITION", GcpErrorKind::FailedPrecondition),
    ("PERMISSION_DENIED", GcpErrorKind::PermissionDenied),
    ("UNAUTHENTICATED", GcpErrorKind::Unauthenticated),
    ("RESOURCE_EXHAUSTED", GcpErrorKind::RateLimited),
    ("UNAVAILABLE", GcpErrorKind::Unavailable),
    ("DEADLINE_EXCEEDED", GcpErrorKind::Unavailable),
    ("CANCELLED", GcpErrorKind::Unavailable),
    ("INTERNAL", GcpErrorKind::Unavailable),
    ("UNKNOWN", GcpErrorKind::Unavailable),
    ("DATA_LOSS", GcpErrorKind::Unavailable),
    ("UNIMPLEMENTED", GcpErrorKind::Misconfigured),
];

/// Reasons that say more than their code.
const REASONS: &[(&str, Option<GcpErrorKind>)] = &[
    ("SERVICE_DISABLED", Some(GcpErrorKind::Misconfigured)),
    ("BILLING_DISABLED", Some(GcpErrorKind::Misconfigured)),
    ("CONSUMER_INVALID", Some(GcpErrorKind::Misconfigured)),
    ("CONSUMER_SUSPENDED", Some(GcpErrorKind::Misconfigured)),
    ("ACCESS_TOKEN_EXPIRED", None),
    ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", None),
    ("ACCESS_TOKEN_TYPE_UNSUPPORTED", None),
    ("ACCOUNT_STATE_INVALID", None),
    ("CREDENTIALS_MISSING", None),
    ("IAM_PERMISSION_DENIED", None),
    ("RATE_LIMIT_EXCEEDED", Some(GcpErrorKind::RateLimited)),
    ("RESOURCE_QUOTA_EXCEEDED", None),
    ("SECURITY_POLICY_VIOLATED", None),
    ("USER_PROJECT_DENIED", None),
];

impl Said {
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            status: Option<String>,
            #[serde(default)]
            details: Vec<Detail>,
        }
        #[derive(Deserialize)]
        struct Detail {
            reason: Option<String>,
            #[serde(default)]
            metadata: Metadata,
        }
        #[derive(Default, Deserialize)]
        struct Metadata {
            consumer: Option<String>,
        }
        let Ok(Body { error }) = serde_json::from_slice(body) else {
            return Self {
                code: None,
                reason: None,
                consumer: None,
            };
        };
        let details = error.details.iter();
        let reasons = details.clone().filter_map(|detail| detail.reason.as_ref());
        let consumers = details.filter_map(|detail| detail.metadata.consumer.as_ref());
        Self {
            code: error.status.and_then(|code| known(CODES, &code)),
            reason: reasons.filter_map(|reason| known(REASONS, reason)).next(),
            consumer: consumers.filter_map(|text| project_number(text)).next(),
        }
    }
}

/// Returns N of `projects/N`. An id could be any word; a number is none.
fn project_number(consumer: &str) -> Option<String> {
    let number = consumer.strip_prefix("projects/")?;
    let is_number = (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

fn known<T>(table: &[(&'static str, T)], text: &str) -> Option<&'static str> {
    let found = table.iter().find(|(known, _)| *known == text);
    found.map(|(known, _)| *known)
}

fn kind(status: StatusCode, code: Option<&str>, reason: Option<&str>) -> GcpErrorKind {
    let by_reason = REASONS
        .iter()
        .find(|(known, _)| Some(*known) == reason)
        .and_then(|(_, kind)| *kind);
    let by_code = CODES.iter().find(|(known, _)| Some(*known) == code);
    if let Some(kind) = by_reason.or(by_code.map(|(_, kind)| *kind)) {
        return kind;
    }
    // Every refusal of Google's has a code (https://google.aip.dev/193). What has
    // none comes from a proxy: its 404 says nothing of a secret, and its 403
    // nothing of a permission.
    match status.as_u16() {
        401 | 407 => GcpErrorKind::Unauthenticated,
        429 => GcpErrorKind::RateLimited,
        408 | 500.. => GcpErrorKind::Unavailable,
        _ => GcpErrorKind::Unexpected,
    }
}

fn remedy(kind: GcpErrorKind, said: &Said, path: &str, service: &str) -> Option<String> {
    // Google checks the project that pays for a request, which need not be the one
    // that holds the secret: https://cloud.google.com/docs/quotas/quota-project
    let consumer = said.consumer.as_deref();
    let text = match (said.reason, kind) {
        (Some("SERVICE_DISABLED"), _) => {
            if let Some(number) = consumer {
                return Some(format!(
                    "The API is not enabled in project {number}, for which requests of this \
                     credential count: its service account's project, or its quota project. Run \
                     `gcloud services enable {service}.googleapis.com --project={number}`, and \
                     wait a minute."
                ));
            }
            // IAM's paths name no project: `projects/-/serviceAccounts/…`.
            let project = path.strip_prefix("projects/").unwrap_or(path);
            let project = project.split('/').next().unwrap_or(project);
            let project = if project == "-" {
                "<the account's project>"
            } else {
                project
            };
            return Some(format!(
                "The API is not enabled in the project. Run `gcloud services enable \
                 {service}.googleapis.com --project={project}`, and wait a minute."
            ));
        }
        (Some("BILLING_DISABLED"), _) => match consumer {
            Some(number) => return Some(format!("Enable billing for project {number}.")),
            None => "Enable billing for the project.",
        },
        (Some("CONSUMER_INVALID" | "CONSUMER_SUSPENDED"), _) => match consumer {
            Some(number) => {
                return Some(format!(
                    "Project {number}, for which requests of this credential count, does not \
                     exist or is suspended. Check project_id, and the credential's quota project."
                ));
            }
            None => "There is no such project, or it is suspended. Check project_id.",
        },
        (Some("SECURITY_POLICY_VIOLATED"), _) => {
            "A VPC Service Controls perimeter forbids it: add an ingress rule, or run inside."
        }
        (Some("USER_PROJECT_DENIED"), _) => {
            "Grant serviceusage.services.use on the quota project of the Application Default \
             Credentials, or set another with `gcloud auth application-default set-quota-project`."
        }
        (Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), _) => {
            "The token lacks the scope https://www.googleapis.com/auth/cloud-platform. On a \
             virtual machine, change its access scopes."
        }
        (_, GcpErrorKind::Unauthenticated) => {
            "The token was refused. Check that the service account or the user still exists and is \
             enabled, that its key was not deleted, and that this machine's clock is right."
        }
        (_, GcpErrorKind::RateLimited) => {
            "The project's quota is used up: lower the parallelism, or ask for more."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

impl fmt::Display for GcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.kind {
            GcpErrorKind::InvalidArgument => "was refused: invalid argument",
            GcpErrorKind::NotFound => "found nothing",
            GcpErrorKind::AlreadyExists => "found something there already",
            GcpErrorKind::Aborted => "was overtaken by another writer",
            GcpErrorKind::FailedPrecondition => "was refused: not in this state",
            GcpErrorKind::PermissionDenied => "was denied",
            GcpErrorKind::Unauthenticated => "was refused: not authenticated",
            GcpErrorKind::RateLimited => "was rate-limited",
            GcpErrorKind::Unavailable => "failed: unavailable",
            GcpErrorKind::Unexpected => "got an answer of another form",
            GcpErrorKind::Misconfigured => "failed: not set up",
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
