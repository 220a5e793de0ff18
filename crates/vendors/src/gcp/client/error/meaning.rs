//! Classifies statuses, codes and reasons of Google's APIs: the only place that reads
//! them.

use http::StatusCode;
use serde::Deserialize;

use super::GcpErrorKind;

/// The parts of a response that are safe to repeat: the code of `google.rpc.Code`, and the
/// known reasons and the consumer of `google.rpc.ErrorInfo`.
/// <https://google.aip.dev/193>, <https://cloud.google.com/apis/design/errors#error_info>
pub(super) struct Said {
    pub(super) code: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    /// Number of the project that the request is billed to.
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

/// Reasons that are more precise than their code:
/// <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>.
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

/// States of a key's version that an error of Cloud KMS may end with: "… is not enabled,
/// current state is: DESTROYED."
/// <https://cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets>
const KEY_STATES: &[(&str, Option<GcpErrorKind>)] = &[
    ("DISABLED", Some(GcpErrorKind::KeyDisabled)),
    (
        "DESTROY_SCHEDULED",
        Some(GcpErrorKind::KeyPendingDestruction),
    ),
    ("DESTROYED", Some(GcpErrorKind::KeyDestroyed)),
];

impl Said {
    pub(super) fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            status: Option<String>,
            #[serde(default)]
            message: serde_json::Value,
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
        let message = error.message.as_str().unwrap_or_default();
        let state = message.rsplit_once("is not enabled, current state is: ");
        let state = state.and_then(|(_, state)| known(KEY_STATES, state.trim_end_matches('.')));
        let consumers = details.filter_map(|detail| detail.metadata.consumer.as_ref());
        Self {
            code: error.status.and_then(|code| known(CODES, &code)),
            reason: reasons
                .filter_map(|reason| known(REASONS, reason))
                .next()
                .or(state),
            consumer: consumers.filter_map(|text| project_number(text)).next(),
        }
    }
}

/// Returns N of `projects/N`. An id could be any word; a number cannot be a secret.
fn project_number(consumer: &str) -> Option<String> {
    let number = consumer.strip_prefix("projects/")?;
    let is_number = (1..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

fn known<T>(table: &[(&'static str, T)], text: &str) -> Option<&'static str> {
    let found = table.iter().find(|(known, _)| *known == text);
    found.map(|(known, _)| *known)
}

pub(super) fn kind(status: StatusCode, code: Option<&str>, reason: Option<&str>) -> GcpErrorKind {
    let by_reason = REASONS
        .iter()
        .chain(KEY_STATES)
        .find(|(known, _)| Some(*known) == reason)
        .and_then(|(_, kind)| *kind);
    let by_code = CODES.iter().find(|(known, _)| Some(*known) == code);
    if let Some(kind) = by_reason.or(by_code.map(|(_, kind)| *kind)) {
        return kind;
    }
    // Every error of a Google API has a code (https://google.aip.dev/193). A response
    // without one comes from a proxy: its 404 says nothing about a secret, and its 403
    // nothing about a permission.
    match status.as_u16() {
        401 | 407 => GcpErrorKind::Unauthenticated,
        429 => GcpErrorKind::RateLimited,
        408 | 500.. => GcpErrorKind::Unavailable,
        _ => GcpErrorKind::Unexpected,
    }
}

pub(super) fn remedy(kind: GcpErrorKind, said: &Said, path: &str, service: &str) -> Option<String> {
    // Google checks the project that a request is billed to, which need not be the project
    // of the secret: https://cloud.google.com/docs/quotas/quota-project
    let consumer = said.consumer.as_deref();
    let text = match (said.reason, kind) {
        (Some("SERVICE_DISABLED"), _) => {
            if let Some(number) = consumer {
                return Some(format!(
                    "The API is not enabled in project {number}, which requests of this credential \
                     are billed to (the service account's project or the quota project). Run \
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
                    "Project {number}, which requests of this credential are billed to, does not \
                     exist or is suspended. Check project_id and the credential's quota project."
                ));
            }
            None => "The project does not exist or is suspended. Check project_id.",
        },
        (Some("SECURITY_POLICY_VIOLATED"), _) => {
            "A VPC Service Controls perimeter blocks the request. Add an ingress rule, or run \
             Terraform inside the perimeter."
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
            "GCP rejected the token. Check that the service account or the user exists and is \
             enabled, that its key was not deleted, and that this machine's clock is correct."
        }
        (_, GcpErrorKind::RateLimited) => {
            "The project's quota is exhausted. Lower the parallelism, or request a higher quota."
        }
        _ => return None,
    };
    Some(text.to_owned())
}
