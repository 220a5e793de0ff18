//! What a status and a known message mean: the one place that reads them.

use http::StatusCode;
use serde::Deserialize;

use super::OpenBaoErrorKind;
use crate::openbao::client::server::ServerVendor;

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

pub(super) const NO_NAMESPACE: &str = "namespace not found";
pub(super) const UNSUPPORTED_PATH: &str = "unsupported path";
pub(super) const NO_ENGINE: [&str; 3] = [
    "no handler for route",
    UNSUPPORTED_PATH,
    "unsupported operation",
];
/// <https://github.com/openbao/openbao/blob/main/builtin/logical/kv/path_data.go>
pub(super) const CAS_REQUIRED: &str = "check-and-set parameter required";

/// Known messages, with their meaning where the status alone is ambiguous. The first
/// match counts.
///
/// Sources: <https://github.com/openbao/openbao/blob/main/builtin/logical/kv/path_data.go>,
/// <https://github.com/openbao/openbao/blob/main/sdk/logical/error.go>,
/// <https://github.com/openbao/openbao/blob/main/sdk/helper/keysutil/policy.go>,
/// <https://github.com/openbao/openbao/blob/main/builtin/credential/approle/path_login.go>.
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

/// Returns the kind of an unsuccessful response, the known message in it, and the remedy.
pub(super) fn meaning(
    status: StatusCode,
    body: &[u8],
    path: &str,
) -> (OpenBaoErrorKind, Option<&'static str>, Option<String>) {
    let errors = serde_json::from_slice::<Refusal>(body)
        .map(|refusal| refusal.errors)
        .unwrap_or_default();
    meaning_of(status, &errors, path)
}

/// As [`meaning`], of messages that are parsed already.
pub(super) fn meaning_of(
    status: StatusCode,
    errors: &[String],
    path: &str,
) -> (OpenBaoErrorKind, Option<&'static str>, Option<String>) {
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
        // A redirect without an address, or a response of some other kind of server.
        300..=399 => OpenBaoErrorKind::Misconfigured,
        _ => OpenBaoErrorKind::Unavailable,
    };
    let kind = match known {
        // The status decides for rate limits and outages, whatever the message.
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
            Some("The namespace does not exist. Correct it, or create it.".to_owned())
        }
        Some("sealed") => Some("The server is sealed. Unseal it.".to_owned()),
        _ if kind == OpenBaoErrorKind::Unauthenticated => {
            Some("The credential is invalid or has expired: renew it.".to_owned())
        }
        // https://openbao.org/api-docs/system/rate-limit-quotas/
        _ if kind == OpenBaoErrorKind::RateLimited => Some(
            "A rate limit quota of the server is exhausted. Quotas are listed at \
             sys/quotas/rate-limit. Raise the quota or the resource's timeouts, or lower \
             -parallelism."
                .to_owned(),
        ),
        _ => None,
    };
    (kind, reason, remedy)
}

/// Returns the remedy for a missing engine: how to mount the one that `path` addresses.
pub(in crate::openbao::client) fn missing_engine(path: &str, vendor: ServerVendor) -> String {
    let command = vendor.command();
    let before = |api: &str| path.find(api).map(|end| &path[..end]);
    let kv = ["/data/", "/metadata/", "/destroy/"]
        .into_iter()
        .find_map(before);
    if let Some(mount) = kv {
        return format!(
            "No KV version 2 engine is mounted at {mount:?}. Enable it with `{command} secrets enable \
             -path={mount} -version=2 kv`, or correct the configured KV mount path or the \
             namespace."
        );
    }
    let transit = ["/keys/", "/encrypt/", "/decrypt/", "/rewrap/"];
    match transit.into_iter().find_map(before) {
        Some(mount) => format!(
            "No Transit engine is mounted at {mount:?}. Enable it with `{command} secrets enable \
             -path={mount} transit`, or correct the configured Transit mount path or the namespace."
        ),
        None => format!(
            "No engine that serves {path:?} is mounted. Check the mount path and the namespace."
        ),
    }
}
