//! Classifies AWS's errors, without any text of a response that could contain a
//! credential.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::http::{HttpError, HttpErrorKind};

/// The meaning of a failure, the same for every AWS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// The object does not exist.
    NotFound,
    /// The object exists already.
    AlreadyExists,
    /// The identity lacks a permission.
    PermissionDenied,
    /// No credentials, or credentials that AWS rejects.
    Unauthenticated,
    /// Credentials that have expired.
    Expired,
    /// The object's state does not allow the operation.
    WrongState,
    /// A parameter violates the service's rules.
    InvalidParameter,
    /// A quota of the service is exhausted.
    LimitExceeded,
    /// The service could not use the KMS key.
    KeyUnusable,
    /// The KMS key is disabled, or pending deletion.
    KeyDisabled,
    /// The ciphertext is not of this KMS key and encryption context, or was altered.
    Undecipherable,
    /// AWS is rate limiting requests; retries were exhausted.
    RateLimited,
    /// AWS is unreachable or failing; retries were exhausted.
    Unavailable,
    /// The settings cannot work, such as no region or an untrusted certificate.
    Misconfigured,
    /// The response does not have the service's format.
    Unexpected,
}

/// A failed call to AWS.
///
/// # Security
///
/// Of a response, it contains only the error code, the request ID, the caller's ARN,
/// and the subject of the message. It omits the message itself: for a signature that
/// does not match, the message repeats the session token.
#[derive(Debug)]
pub struct AwsError {
    kind: AwsErrorKind,
    what: String,
    principal: Option<String>,
    action: Option<String>,
    about: About,
    source: Option<Box<HttpError>>,
}

/// The subject of a message, if the code does not identify it.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    kms: bool,
    deletion: bool,
    role: bool,
    region: bool,
    key: bool,
    signature: bool,
    key_deletion: bool,
    key_import: bool,
    explicit_deny: bool,
}

impl AwsError {
    /// Creates an error from a text that is safe to show.
    pub fn new(kind: AwsErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            principal: None,
            action: None,
            about: About::default(),
            source: None,
        }
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> AwsErrorKind {
        self.kind
    }

    /// Returns the ARN of the identity in use, if AWS's error names it.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// Returns the action that was denied, such as `kms:ReEncryptFrom`, if AWS's error
    /// names it.
    #[must_use]
    pub fn denied_action(&self) -> Option<&str> {
        self.action.as_deref()
    }

    /// Returns true if a policy denies the action explicitly, so that no further grant
    /// permits it.
    #[must_use]
    pub fn is_explicit_deny(&self) -> bool {
        self.about.explicit_deny
    }

    /// Returns true if the error concerns a KMS key.
    #[must_use]
    pub fn concerns_kms(&self) -> bool {
        self.about.kms || self.kind == AwsErrorKind::KeyUnusable
    }

    /// Returns true if the error concerns a KMS key that is scheduled for deletion.
    #[must_use]
    pub fn concerns_key_deletion(&self) -> bool {
        self.about.key_deletion
    }

    /// Returns true if the error concerns a KMS key that waits for its key material.
    #[must_use]
    pub fn concerns_key_import(&self) -> bool {
        self.about.key_import
    }

    /// Returns true if the error concerns a secret that is scheduled for deletion.
    #[must_use]
    pub fn concerns_deletion(&self) -> bool {
        self.about.deletion
    }

    /// Returns true if the request was signed for another region.
    #[must_use]
    pub fn concerns_region(&self) -> bool {
        self.about.region
    }

    /// Returns true if AWS rejects the access key ID.
    #[must_use]
    pub fn concerns_key(&self) -> bool {
        self.about.key
    }

    /// Returns true if the signature does not match the secret access key.
    #[must_use]
    pub fn concerns_signature(&self) -> bool {
        self.about.signature
    }

    /// Returns true if assuming a role failed.
    #[must_use]
    pub fn concerns_role(&self) -> bool {
        self.about.role
    }

    /// Returns the transport error, if there was one.
    #[must_use]
    pub fn http(&self) -> Option<&HttpError> {
        self.source.as_deref()
    }

    /// Classifies an error of an SDK client.
    pub fn from_sdk<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                Self::from_refusal(refusal.err(), Some(status), described(refusal.raw()))
            }
            SdkError::ResponseError(answer) => {
                let status = answer.raw().status().as_u16();
                Self::of_no_known_form(Some(status), described(answer.raw()))
            }
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => match error.into_source() {
                Ok(source) => match into_http(source) {
                    Some(http) => Self::from_http(http),
                    None => Self::new(AwsErrorKind::Unavailable, "the request was not sent"),
                },
                Err(_) => Self::new(AwsErrorKind::Unavailable, "the request was not sent"),
            },
            _ => Self::new(
                AwsErrorKind::Misconfigured,
                "the request could not be built; check region and endpoint",
            ),
        }
    }

    pub(super) fn from_http(error: HttpError) -> Self {
        let kind = match error.kind() {
            HttpErrorKind::Tls | HttpErrorKind::Invalid => AwsErrorKind::Misconfigured,
            HttpErrorKind::TooLarge => AwsErrorKind::Unexpected,
            _ => AwsErrorKind::Unavailable,
        };
        let mut explained = Self::new(kind, "no answer");
        explained.source = Some(Box::new(error));
        explained
    }

    /// Classifies a failure to load credentials. Omits the SDK's text: it may quote a
    /// credentials file or the output of a credential process.
    pub(super) fn from_credentials(error: &CredentialsError) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(at) = next {
            if let Some(refusal) = at.downcast_ref::<AssumeRoleError>() {
                return Self::from_refusal(refusal, None, None).of("sts:AssumeRole");
            }
            if let Some(refusal) = at.downcast_ref::<AssumeRoleWithWebIdentityError>() {
                return Self::from_refusal(refusal, None, None).of("sts:AssumeRoleWithWebIdentity");
            }
            if let Some(http) = at.downcast_ref::<HttpError>() {
                return Self::from_http(http.without_source());
            }
            next = at.source();
        }
        let (kind, what) = match error {
            CredentialsError::CredentialsNotLoaded(_) => (
                AwsErrorKind::Unauthenticated,
                "no credential was found: neither in the environment nor in a profile, a web \
                 identity token file, a container's or an instance's metadata",
            ),
            CredentialsError::ProviderTimedOut(_) => (
                AwsErrorKind::Unavailable,
                "the source of credentials did not answer in time",
            ),
            CredentialsError::InvalidConfiguration(_) => (
                AwsErrorKind::Misconfigured,
                "the profile or the environment names credentials that cannot be used",
            ),
            _ => (
                AwsErrorKind::Unauthenticated,
                "the source of credentials failed",
            ),
        };
        Self::new(kind, what)
    }

    fn of(mut self, action: &str) -> Self {
        self.what = format!("{action}: {}", self.what);
        self.about.role = true;
        // A caller that cannot assume the role has no identity.
        if matches!(
            self.kind,
            AwsErrorKind::PermissionDenied | AwsErrorKind::Expired
        ) {
            self.kind = AwsErrorKind::Unauthenticated;
        }
        self
    }

    /// Classifies a response without an error code. It is not AWS's own, or it is
    /// incomplete, so the outcome of the request is unknown.
    fn of_no_known_form(status: Option<u16>, described: Option<String>) -> Self {
        let kind = match status {
            Some(429) => AwsErrorKind::RateLimited,
            Some(500..) => AwsErrorKind::Unavailable,
            Some(401) => AwsErrorKind::Unauthenticated,
            _ => AwsErrorKind::Unexpected,
        };
        let status = || status.map_or_else(String::new, |status| format!(" (status {status})"));
        let bare = || format!("an answer of no known form{}", status());
        Self::new(kind, described.unwrap_or_else(bare))
    }

    fn from_refusal(
        refusal: &impl ProvideErrorMetadata,
        status: Option<u16>,
        described: Option<String>,
    ) -> Self {
        let meta = refusal.meta();
        let Some(code) = meta.code().filter(|code| is_plain(code, "")) else {
            return Self::of_no_known_form(status, described);
        };
        let message = meta.message().unwrap_or_default();
        let mut explained = Self::new(meaning(code, status), code);
        if let Some(id) = meta.extra("aws_request_id").filter(|id| is_plain(id, "-")) {
            explained.what = format!("{code} (request {id})");
        }
        let words = message.to_ascii_lowercase();
        explained.about = About {
            kms: words.contains("kms"),
            deletion: words.contains("marked deleted")
                || words.contains("marked for deletion")
                || words.contains("scheduled for deletion"),
            role: false,
            // "Credential should be scoped to a valid region, not 'x'."
            region: words.contains("scoped to a valid region"),
            key: matches!(
                code,
                "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId"
            ),
            signature: matches!(code, "InvalidSignatureException" | "SignatureDoesNotMatch"),
            // https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
            key_deletion: words.contains("pending deletion")
                || words.contains("pending replica deletion"),
            key_import: words.contains("pending import"),
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
            explicit_deny: words.contains("with an explicit deny"),
        };
        explained.principal = principal(message);
        explained.action = denied_action(message);
        explained
    }
}

/// Header in which the transport passes the description of a response: see
/// [`UnexpectedAnswer`](crate::http::UnexpectedAnswer).
pub(super) const DESCRIBED: &str = "x-planton-answer";

fn described(answer: &HttpResponse) -> Option<String> {
    answer.headers().get(DESCRIBED).map(str::to_owned)
}

/// Returns the kind for an error code of a service in use, or of all AWS services:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>,
/// <https://docs.aws.amazon.com/botocore/latest/reference/services/sts/client/exceptions/IDPRejectedClaimException.html>
fn meaning(code: &str, status: Option<u16>) -> AwsErrorKind {
    use AwsErrorKind as K;
    match code {
        "ResourceNotFoundException" | "NotFoundException" => K::NotFound,
        "ResourceExistsException" | "AlreadyExistsException" => K::AlreadyExists,
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => K::PermissionDenied,
        "ExpiredTokenException" | "ExpiredToken" => K::Expired,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "RequestExpired"
        | "OptInRequired"
        | "NotAuthorized"
        | "InvalidIdentityToken"
        | "IDPRejectedClaim" => K::Unauthenticated,
        "InvalidRequestException"
        | "PreconditionNotMetException"
        | "KMSInvalidStateException"
        | "UnsupportedOperationException" => K::WrongState,
        "InvalidParameterException"
        | "ValidationException"
        | "ValidationError"
        | "InvalidArnException"
        | "InvalidKeyUsageException" => K::InvalidParameter,
        "DisabledException" => K::KeyDisabled,
        "InvalidCiphertextException" | "IncorrectKeyException" => K::Undecipherable,
        "LimitExceededException" => K::LimitExceeded,
        "DecryptionFailure" | "EncryptionFailure" => K::KeyUnusable,
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "PriorRequestNotComplete"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => K::RateLimited,
        _ => match status {
            Some(429) => K::RateLimited,
            Some(500..) => K::Unavailable,
            Some(401) => K::Unauthenticated,
            Some(403) => K::PermissionDenied,
            _ => K::Misconfigured,
        },
    }
}

/// Parses the caller's ARN from "User: arn:… is not authorized to perform: …".
fn principal(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("User: ")?;
    let arn = rest.split_whitespace().next()?;
    (arn.starts_with("arn:") && is_plain(arn, ":/+=,.@_-")).then(|| arn.to_owned())
}

/// Parses the action from "is not authorized to perform: kms:Decrypt on resource: …".
fn denied_action(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("to perform: ")?;
    let action = rest.split_whitespace().next()?;
    (action.contains(':') && is_plain(action, ":")).then(|| action.to_owned())
}

fn is_plain(text: &str, besides: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    (1..=2048).contains(&text.len()) && text.chars().all(known)
}

/// Returns the HTTP error in an error of the SDK.
fn into_http(source: Box<dyn Error + Send + Sync>) -> Option<HttpError> {
    let source = match source.downcast::<ConnectorError>() {
        Ok(connector) => connector.into_source(),
        Err(source) => source,
    };
    source.downcast::<HttpError>().ok().map(|http| *http)
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests;
