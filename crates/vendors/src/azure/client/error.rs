//! Classifies errors of Azure: the only place that reads statuses and codes.

use std::error::Error;
use std::fmt;

use azure_core::error::ErrorKind as SdkErrorKind;
use serde::Deserialize;

use crate::http::{HttpError, HttpErrorKind};
use planton_core::deadline::Stop;

/// The meaning of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureErrorKind {
    /// The object does not exist.
    NotFound,
    /// The object is deleted. Its name is reserved until it is recovered or purged.
    DeletedButRecoverable,
    /// A deletion is under way, which takes seconds to minutes.
    BeingDeleted,
    /// Another operation on the object is under way, such as a recovery or a write.
    Conflict,
    /// The identity lacks a permission.
    PermissionDenied,
    /// The vault's network rules block the caller.
    Firewall,
    /// The version exists and is disabled.
    Disabled,
    /// The key does not permit the operation, whoever asks.
    OperationForbidden,
    /// No token, or one that is rejected.
    Unauthenticated,
    /// The tenant does not exist, or is not the vault's tenant.
    WrongTenant,
    /// The application does not exist in the tenant.
    UnknownApplication,
    /// The client secret is wrong or has expired.
    WrongClientSecret,
    /// No federated credential of the application matches the token.
    WrongFederation,
    /// This machine has no managed identity.
    NoManagedIdentity,
    /// No source of credentials is available.
    NoCredential,
    /// The vault's challenge names another resource than Key Vault.
    UntrustedChallenge,
    /// The value exceeds the vault's limit.
    TooLarge,
    /// The vault rejects the request as invalid.
    Invalid,
    /// The vault is rate limiting requests; retries were exhausted.
    RateLimited,
    /// The address is unreachable; retries were exhausted.
    Unreachable,
    /// The server is failing; retries were exhausted.
    Unavailable,
    /// The server's certificate is not trusted.
    Untrusted,
    /// The operation was cancelled, or its deadline expired.
    Ended,
    /// The configuration cannot work.
    Misconfigured,
    /// The response has another form than expected.
    Unexpected,
}

/// The system that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzurePlace {
    /// The vault.
    Vault,
    /// The token source: Entra ID, a managed identity, or the CLI.
    Identity,
}

/// A failure: its kind, its place, and a text that is safe to show.
///
/// # Security
///
/// Contains no credential, no payload and no raw response. Of a response, only the
/// status and the error codes are kept.
#[derive(Clone, Debug)]
pub struct AzureError {
    kind: AzureErrorKind,
    place: AzurePlace,
    said: String,
    retried: bool,
    stop: Option<Stop>,
}

/// Header in which the transport reports that an earlier try was sent.
pub(super) const RETRIED: &str = "x-planton-retried";

impl AzureError {
    pub(super) fn new(kind: AzureErrorKind, place: AzurePlace, said: impl Into<String>) -> Self {
        Self {
            kind,
            place,
            said: said.into(),
            retried: false,
            stop: None,
        }
    }

    /// Creates the error of a vault's response that has another form than expected.
    #[must_use]
    pub fn unexpected(said: impl Into<String>) -> Self {
        Self::new(AzureErrorKind::Unexpected, AzurePlace::Vault, said)
    }

    /// Creates the error of an operation that was cancelled or whose deadline expired.
    #[must_use]
    pub fn stopped(stop: Stop) -> Self {
        Self {
            stop: Some(stop),
            ..Self::new(AzureErrorKind::Ended, AzurePlace::Vault, stop.to_string())
        }
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> AzureErrorKind {
        self.kind
    }

    /// Returns the system that failed.
    #[must_use]
    pub fn place(&self) -> AzurePlace {
        self.place
    }

    /// Returns true if the operation may have taken effect: an earlier try was sent, or
    /// the response is missing.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.retried
            || self.place == AzurePlace::Vault
                && matches!(
                    self.kind,
                    AzureErrorKind::Unavailable
                        | AzureErrorKind::Unreachable
                        | AzureErrorKind::Ended
                        | AzureErrorKind::Unexpected
                )
    }

    /// Classifies an error of the transport.
    pub(super) fn from_http(error: &HttpError, place: AzurePlace) -> Self {
        let kind = match error.kind() {
            HttpErrorKind::Connect => AzureErrorKind::Unreachable,
            HttpErrorKind::Tls => AzureErrorKind::Untrusted,
            HttpErrorKind::Timeout | HttpErrorKind::Interrupted => AzureErrorKind::Unavailable,
            HttpErrorKind::TooLarge => AzureErrorKind::Unexpected,
            HttpErrorKind::Cancelled | HttpErrorKind::DeadlineExceeded => AzureErrorKind::Ended,
            _ => AzureErrorKind::Misconfigured,
        };
        // No error of the HTTP client, nor any source of it, contains a query, header
        // or body.
        let mut said = error.to_string();
        let mut beneath = error.source();
        while let Some(source) = beneath {
            said = format!("{said}: {source}");
            beneath = source.source();
        }
        let explained = Self::new(kind, place, said);
        Self {
            stop: Stop::beneath(error),
            ..explained
        }
    }

    /// Classifies an error of the SDK, which may quote a response.
    pub fn from_sdk(error: &azure_core::Error, place: AzurePlace) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(beneath) = next {
            if let Some(ours) = beneath.downcast_ref::<Self>() {
                return ours.clone();
            }
            if let Some(sdk) = beneath.downcast_ref::<azure_core::Error>()
                && let SdkErrorKind::HttpResponse {
                    status,
                    error_code,
                    raw_response,
                } = sdk.kind()
            {
                let status = u16::from(*status);
                return match place {
                    AzurePlace::Identity => Self::of_identity(status, error_code.as_deref()),
                    AzurePlace::Vault => {
                        let body = raw_response.as_ref().map(|raw| raw.body().as_ref());
                        let retried = raw_response
                            .as_ref()
                            .is_some_and(|raw| was_retried(raw.headers()));
                        Self::of_vault(status, body.unwrap_or_default(), retried)
                    }
                };
            }
            next = beneath.source();
        }
        // Any other error of the SDK may contain its input, so its text is omitted.
        let kind = AzureErrorKind::Unexpected;
        Self::new(kind, place, format!("the SDK failed: {}", error.kind()))
    }

    /// Classifies an error response of a vault.
    pub(super) fn of_vault(status: u16, body: &[u8], retried: bool) -> Self {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let detail = answer.error.unwrap_or_default();
        let code = detail.code.unwrap_or_default();
        let inner = detail
            .innererror
            .and_then(|inner| inner.code)
            .unwrap_or_default();
        let message = detail.message.unwrap_or_default();
        let kind = vault_kind(status, &code, &inner, &message);
        let mut said = format!("status {status}");
        for code in [code, inner].iter().filter_map(|code| safe(code)) {
            said = format!("{said}, {code}");
        }
        if message.contains(WRONG_ISSUER) {
            said = format!("{said}, {WRONG_ISSUER}");
        }
        Self {
            retried,
            ..Self::new(kind, AzurePlace::Vault, said)
        }
    }

    /// Classifies an error response to a token request; `codes` are numbers, with
    /// commas.
    pub(super) fn of_identity(status: u16, codes: Option<&str>) -> Self {
        let numbers: Vec<u32> = codes
            .unwrap_or_default()
            .split(',')
            .filter_map(|code| code.trim().parse().ok())
            .collect();
        let kind = numbers
            .iter()
            .find_map(|number| identity_kind(*number))
            .unwrap_or(match status {
                429 => AzureErrorKind::RateLimited,
                408 | 500.. => AzureErrorKind::Unavailable,
                _ => AzureErrorKind::Unauthenticated,
            });
        let mut said = format!("status {status}");
        for number in numbers {
            said = format!("{said}, AADSTS{number}");
        }
        Self::new(kind, AzurePlace::Identity, said)
    }
}

impl fmt::Display for AzureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            AzurePlace::Vault => "the vault",
            AzurePlace::Identity => "getting a token",
        };
        write!(f, "{place}: {}", self.said)
    }
}

impl Error for AzureError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.stop
            .as_ref()
            .map(|stop| stop as &(dyn Error + 'static))
    }
}

pub(super) fn was_retried(headers: &azure_core::http::headers::Headers) -> bool {
    let name = azure_core::http::headers::HeaderName::from_static(RETRIED);
    headers.get_optional_str(&name).is_some()
}

/// The code for a token of another tenant:
/// <https://github.com/Azure/azure-cli/issues/11871>
const WRONG_ISSUER: &str = "AKV10032";

fn vault_kind(status: u16, code: &str, inner: &str, message: &str) -> AzureErrorKind {
    use AzureErrorKind as K;
    match (status, inner) {
        (_, "ObjectIsDeletedButRecoverable") => K::DeletedButRecoverable,
        (409, "ObjectIsBeingDeleted") => K::BeingDeleted,
        (_, "SecretDisabled" | "KeyDisabled") => K::Disabled,
        // https://github.com/Azure/azure-sdk-for-net/issues/11518
        (_, "KeyOperationForbidden") => K::OperationForbidden,
        (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => K::Firewall,
        // Older vaults report it in the message only.
        (403, _) if message.contains("disabled secret") => K::Disabled,
        (401, _) if message.contains(WRONG_ISSUER) => K::WrongTenant,
        (404, _) if code == "VaultNotFound" => K::Misconfigured,
        // Every error of Key Vault has a code:
        // https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret#keyvaulterror
        // A response without one comes from a proxy: its 404 says nothing about a
        // secret, and its 403 nothing about a permission.
        (400 | 403 | 404 | 409, _) if code.is_empty() => K::Unexpected,
        (404, _) => K::NotFound,
        (409, _) => K::Conflict,
        (401, _) => K::Unauthenticated,
        (403, _) => K::PermissionDenied,
        (413, _) => K::TooLarge,
        (429, _) => K::RateLimited,
        (408 | 500.., _) => K::Unavailable,
        (400..500, _) => K::Invalid,
        _ => K::Unexpected,
    }
}

/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn identity_kind(number: u32) -> Option<AzureErrorKind> {
    use AzureErrorKind as K;
    Some(match number {
        // The tenant is unknown, is not a tenant, or lacks the resource.
        90002 | 900_021 | 900_023 | 500_011 => K::WrongTenant,
        700_016 => K::UnknownApplication,
        7_000_215 | 7_000_222 => K::WrongClientSecret,
        70021 | 700_024 | 700_211 | 700_212 | 700_213 | 700_223 => K::WrongFederation,
        _ => return None,
    })
}

/// Returns the code if it consists of letters and digits only.
fn safe(code: &str) -> Option<&str> {
    let word = |c: char| c.is_ascii_alphanumeric();
    (!code.is_empty() && code.len() <= 64 && code.chars().all(word)).then_some(code)
}

#[derive(Default, Deserialize)]
struct Answer {
    error: Option<Detail>,
}

#[derive(Default, Deserialize)]
struct Detail {
    code: Option<String>,
    message: Option<String>,
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    code: Option<String>,
}

/// Creates the error of a failed token request.
pub(super) fn identity(kind: AzureErrorKind, said: impl Into<String>) -> AzureError {
    AzureError::new(kind, AzurePlace::Identity, said)
}

#[cfg(test)]
mod tests;
