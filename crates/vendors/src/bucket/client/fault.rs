//! Classifies the answers of the three vendors, by status and error code.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::form_urlencoded;

use super::exchange::Answer;
use super::open::SLOW_DOWN;
use crate::bucket::location::BucketVendor;
use crate::http::{HttpError, HttpErrorKind, HttpResponse, retry_after};

/// The meaning of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bucket) enum FaultKind {
    /// The object does not exist.
    NotFound,
    /// The condition of a write does not hold.
    Refused,
    /// A concurrent write of the same object is under way. The write was not executed.
    Busy,
    /// The bucket, the container or the account does not exist.
    NoBucket,
    /// The bucket is in another Region than the request was signed for.
    WrongRegion,
    /// The identity lacks a permission.
    Denied,
    /// The identity may not use the key with which the bucket encrypts.
    KeyDenied,
    /// The network rules of the account block the caller.
    Firewall,
    /// This machine's clock is wrong.
    Skewed,
    /// The credential is missing or rejected.
    Unauthenticated,
    /// The credential is rejected, and another one may be accepted.
    Expired,
    /// A lock, a lease or a retention policy of the object forbids the write.
    Protected,
    /// The object is in an archive tier.
    Archived,
    /// Rate limited.
    RateLimited,
    /// Nothing was sent.
    NotSent,
    /// The server failed, or there was no response: the outcome is unknown.
    Unavailable,
    /// The operation was cancelled, or its deadline expired.
    Ended,
    /// The certificate is not trusted.
    Untrusted,
    /// The settings cannot work.
    Misconfigured,
    /// The response has another form than expected.
    Unexpected,
}

/// A failed request.
///
/// # Security
///
/// Of a response, it contains the status and the error code.
#[derive(Debug)]
pub(in crate::bucket) struct Fault {
    pub(in crate::bucket) kind: FaultKind,
    said: String,
    /// Remedy of a failed credential.
    pub(in crate::bucket) remedy: Option<String>,
    /// Region of the bucket, if the server names it.
    pub(in crate::bucket) region: Option<String>,
    /// Whether the object was deleted in a bucket that keeps versions.
    pub(in crate::bucket) is_deleted: bool,
    /// Whether the write may have been executed, by this try or an earlier one.
    pub(in crate::bucket) is_in_doubt: bool,
    /// Whether the server answered without a code.
    pub(super) lacks_code: bool,
    /// Minimum wait before the next try.
    pub(in crate::bucket) retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// An answer, as far as it is safe to repeat.
#[derive(Debug)]
pub(in crate::bucket) struct Response {
    pub(super) status: StatusCode,
    is_head: bool,
    code: Option<String>,
    about_key: bool,
    pub(in crate::bucket) keeps_versions: bool,
    /// Lifecycle rule that will delete the object.
    pub(in crate::bucket) expiring_rule: Option<String>,
    pub(in crate::bucket) is_archived: bool,
    /// Whether a deleted object can be restored for some time.
    pub(in crate::bucket) soft_deletes: bool,
    region: Option<String>,
    is_deleted: bool,
    retry_after: Option<Duration>,
    described: String,
}

impl Response {
    /// Reads what counts of a response.
    pub(super) fn read(response: &HttpResponse, method: &Method) -> Self {
        let headers = &response.headers;
        let body = response.body.expose();
        let is_failure = !response.status.is_success();
        let code = header(headers, "x-ms-error-code")
            .or_else(|| is_failure.then(|| code_in(body)).flatten())
            .or_else(|| is_slow_down(response).then(|| "SlowDown".to_owned()));
        Self {
            status: response.status,
            is_head: *method == Method::HEAD,
            code,
            about_key: is_failure && mentions_key(body),
            // S3 names the version "null" while versioning is suspended.
            keeps_versions: ["x-amz-version-id", "x-ms-version-id"]
                .iter()
                .any(|name| headers.get(*name).is_some_and(|value| value != "null")),
            expiring_rule: headers.get("x-amz-expiration").map(rule_of),
            is_archived: [
                "x-amz-storage-class",
                "x-ms-access-tier",
                "x-goog-storage-class",
            ]
            .iter()
            .filter_map(|name| headers.get(*name)?.to_str().ok())
            .any(|class| ["GLACIER", "DEEP_ARCHIVE", "Archive"].contains(&class))
                || headers.contains_key("x-amz-archive-status"),
            // https://learn.microsoft.com/rest/api/storageservices/delete-blob#response-headers
            soft_deletes: headers
                .get("x-ms-delete-type-permanent")
                .is_some_and(|is_permanent| is_permanent == "false"),
            region: header(headers, "x-amz-bucket-region"),
            is_deleted: header(headers, "x-amz-delete-marker").as_deref() == Some("true"),
            retry_after: retry_after(headers, SystemTime::now()),
            described: response.unexpected().to_string(),
        }
    }

    fn fault(self, vendor: BucketVendor) -> Fault {
        let code = self.code.as_deref().unwrap_or_default();
        let kind = match kind(vendor, self.status.as_u16(), code, self.about_key) {
            // S3 and Google have no code where there is no body.
            FaultKind::Unexpected if self.is_head && self.status == StatusCode::NOT_FOUND => {
                FaultKind::NotFound
            }
            kind => kind,
        };
        let status = self.status.as_u16();
        let said = match &self.code {
            Some(code) => format!("status {status}, {code}"),
            None => self.described,
        };
        Fault {
            region: self.region,
            is_deleted: self.is_deleted,
            retry_after: self.retry_after,
            lacks_code: self.code.is_none(),
            ..Fault::new(kind, said)
        }
    }
}

impl Fault {
    pub(in crate::bucket) fn new(kind: FaultKind, said: impl Into<String>) -> Self {
        Self {
            kind,
            said: said.into(),
            remedy: None,
            region: None,
            is_deleted: false,
            is_in_doubt: false,
            lacks_code: false,
            retry_after: None,
            source: None,
        }
    }

    pub(super) fn with_remedy(self, remedy: Option<String>) -> Self {
        Self { remedy, ..self }
    }

    pub(super) fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// Returns true if the write may have been executed, or may succeed in another try.
    pub(in crate::bucket) fn is_unclear(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::Busy | FaultKind::RateLimited | FaultKind::NotSent | FaultKind::Unavailable
        )
    }

    /// Returns true if a code would tell which of several failures it is.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.lacks_code && matches!(self.kind, FaultKind::Denied | FaultKind::Unexpected)
    }

    /// Classifies a failed operation by the outcome of its last request.
    pub(super) fn of(vendor: BucketVendor, answer: Option<Answer>) -> Self {
        match answer {
            Some(Answer::Response(response)) if response.status.is_success() => Self {
                is_in_doubt: true,
                ..Self::new(FaultKind::Unexpected, response.described)
            },
            Some(Answer::Response(response)) => response.fault(vendor),
            Some(Answer::Lost(error)) => Self {
                is_in_doubt: may_be_executed(&error),
                ..Self::from_http(error)
            },
            Some(Answer::NoCredential(fault)) => fault,
            None => Self::new(FaultKind::Misconfigured, "the request could not be built"),
        }
    }

    pub(super) fn from_http(error: HttpError) -> Self {
        let kind = match error.kind() {
            HttpErrorKind::Connect => FaultKind::NotSent,
            HttpErrorKind::Timeout | HttpErrorKind::Interrupted => FaultKind::Unavailable,
            HttpErrorKind::Cancelled | HttpErrorKind::DeadlineExceeded => FaultKind::Ended,
            HttpErrorKind::Tls => FaultKind::Untrusted,
            HttpErrorKind::TooLarge => FaultKind::Unexpected,
            // S3 redirects to the bucket's Region, and nothing is sent there:
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
            HttpErrorKind::Redirected | HttpErrorKind::RedirectedInCircles => {
                FaultKind::WrongRegion
            }
            HttpErrorKind::Invalid => FaultKind::Misconfigured,
        };
        Self::new(kind, "no answer").with_source(error)
    }
}

/// Returns true if the server may have received the request, and may execute it.
fn may_be_executed(error: &HttpError) -> bool {
    match error.kind() {
        HttpErrorKind::Connect
        | HttpErrorKind::Invalid
        | HttpErrorKind::Redirected
        | HttpErrorKind::RedirectedInCircles
        // Between two tries, of which a write has one.
        | HttpErrorKind::Cancelled => false,
        // Before the request, or an alert or a damaged record after it.
        HttpErrorKind::Tls => {
            let cause = error.source().and_then(|cause| cause.downcast_ref());
            !cause.is_some_and(reqwest::Error::is_connect)
        }
        HttpErrorKind::Timeout
        | HttpErrorKind::Interrupted
        | HttpErrorKind::TooLarge
        | HttpErrorKind::DeadlineExceeded => true,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref();
        source.map(|source| source as &(dyn Error + 'static))
    }
}

/// Returns the meaning of an answer.
///
/// The codes of S3 and Google's XML API:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>,
/// <https://cloud.google.com/storage/docs/xml-api/reference-status>. Those of Azure:
/// <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>
fn kind(vendor: BucketVendor, status: u16, code: &str, about_key: bool) -> FaultKind {
    use FaultKind as K;
    match (status, code) {
        (
            _,
            "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" | "InvalidBucketName",
        ) => K::NoBucket,
        (_, "RequestTimeTooSkewed" | "RequestExpired") => K::Skewed,
        (_, "ExpiredToken" | "TokenRefreshRequired") => K::Expired,
        (_, "SlowDown" | "ServerBusy" | "TooManyRequests") => K::RateLimited,
        (
            _,
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "TemporaryRedirect",
        ) => K::WrongRegion,
        (
            _,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "AuthenticationFailed"
            | "InvalidAuthenticationInfo"
            | "NoAuthenticationInformation",
        ) if status != 401 => K::Unauthenticated,
        (_, "InvalidObjectState" | "BlobArchived" | "BlobBeingRehydrated") => K::Archived,
        (_, "BlobAlreadyExists") => K::Refused,
        (
            _,
            "BlobImmutableDueToPolicy"
            | "LeaseIdMissing"
            | "ObjectUnderActiveHold"
            | "RetentionPolicyNotMet"
            | "SnapshotsPresent"
            | "InvalidRetentionPeriod"
            | "ObjectLockConfigurationNotFoundError",
        ) => K::Protected,
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        (409, _) if vendor != BucketVendor::Azure => K::Busy,
        // S3 answers so to an update of an object that is missing. A 404 without a code may be
        // that of a proxy, and proves nothing.
        (404, "NoSuchKey" | "NoSuchVersion" | "BlobNotFound" | "NoSuchLifecycleConfiguration") => {
            K::NotFound
        }
        (412 | 304, _) => K::Refused,
        (401, _) => K::Expired,
        (403, "AuthorizationFailure" | "IpAuthorizationError") => K::Firewall,
        (403, _) if about_key => K::KeyDenied,
        (403, _) => K::Denied,
        (429, _) => K::RateLimited,
        // The body of the request was slow, or damaged on its way.
        (
            400,
            "RequestTimeout"
            | "IncompleteBody"
            | "BadDigest"
            | "InvalidDigest"
            | "XAmzContentSHA256Mismatch"
            | "XAmzContentChecksumMismatch",
        ) => K::Unavailable,
        (301 | 307 | 308, _) => K::WrongRegion,
        (501, _) => K::Misconfigured,
        (408 | 500.., _) => K::Unavailable,
        _ if code.is_empty() => K::Unexpected,
        _ => K::Misconfigured,
    }
}

/// Returns the error code in an XML body. Quotes it only if it consists of letters, digits
/// and dots.
fn code_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    plain(code)
}

/// Returns true if the message of an error is about a key of AWS KMS.
fn mentions_key(body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.contains("kms:") || text.contains("<Code>KMS.")
}

/// Returns true for a rate limit of S3 without a body.
fn is_slow_down(response: &HttpResponse) -> bool {
    let reason = response.reason.as_deref();
    reason.is_some_and(|reason| (response.status.as_u16(), reason) == SLOW_DOWN)
}

/// Returns the rule that `x-amz-expiration` names, as `expiry-date="…", rule-id="…"` with the
/// identifier as in a URL; an empty text if it names none.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
fn rule_of(value: &HeaderValue) -> String {
    let text = value.to_str().unwrap_or_default();
    let id = text.split_once("rule-id=\"").map(|(_, rest)| rest);
    let id = id.and_then(|rest| rest.split('"').next());
    let decoded = form_urlencoded::parse(id.unwrap_or_default().as_bytes()).next();
    decoded.map_or_else(String::new, |(id, _)| id.into_owned())
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    plain(headers.get(name)?.to_str().ok()?)
}

fn plain(text: &str) -> Option<String> {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(known);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
