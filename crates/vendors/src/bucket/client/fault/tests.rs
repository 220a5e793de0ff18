//! Checks what the answers of the vendors mean, and what is taken from them.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use planton_secret::SecretBytes;

/// Reads an answer of S3 without a body.
fn read(status: u16, reason: Option<&str>, headers: HeaderMap) -> Response {
    let response = HttpResponse {
        host: "s3.example.com".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        reason: reason.map(str::to_owned),
        headers,
        body: SecretBytes::from(&b""[..]),
        retried: false,
    };
    Response::read(&response, &Method::HEAD)
}

#[test]
fn a_rate_limit_without_a_body_is_known_by_the_words_beside_its_status() {
    let kind = |status, reason| {
        let fault = read(status, reason, HeaderMap::new()).fault(BucketVendor::S3);
        (fault.kind, fault.is_ambiguous())
    };
    assert_eq!(
        kind(503, Some("Slow Down")),
        (FaultKind::RateLimited, false)
    );
    for reason in [None, Some("Scripted")] {
        assert_eq!(kind(503, reason), (FaultKind::Unavailable, false));
    }
    assert_eq!(
        kind(500, Some("Slow Down")),
        (FaultKind::Unavailable, false)
    );
}

#[test]
fn the_rule_that_will_delete_an_object_is_named_by_answers_about_it() {
    let rule = |value: &'static str| {
        let value = HeaderValue::from_static(value);
        let headers = HeaderMap::from_iter([("x-amz-expiration".parse().unwrap(), value)]);
        read(200, None, headers).expiring_rule
    };
    let value = "expiry-date=\"Fri, 23 Dec 2012 00:00:00 GMT\", rule-id=\"a%20b%3D1\"";
    assert_eq!(rule(value).as_deref(), Some("a b=1"));
    assert_eq!(rule("expiry-date=\"soon\"").as_deref(), Some(""));
    assert_eq!(read(200, None, HeaderMap::new()).expiring_rule, None);
}

#[test]
fn statuses_and_codes_have_their_vendors_meaning() {
    use BucketVendor::{Azure, Gcs, S3};
    use FaultKind as K;
    for (vendor, status, code, expected) in [
        (S3, 404, "NoSuchKey", K::NotFound),
        (S3, 404, "NoSuchBucket", K::NoBucket),
        (S3, 404, "", K::Unexpected),
        (S3, 409, "ConditionalRequestConflict", K::Busy),
        (S3, 412, "PreconditionFailed", K::Refused),
        (S3, 403, "RequestTimeTooSkewed", K::Skewed),
        (S3, 403, "AccessDenied", K::Denied),
        (S3, 403, "InvalidAccessKeyId", K::Unauthenticated),
        (S3, 400, "ExpiredToken", K::Expired),
        (S3, 503, "SlowDown", K::RateLimited),
        (S3, 503, "", K::Unavailable),
        (S3, 400, "RequestTimeout", K::Unavailable),
        (S3, 400, "BadDigest", K::Unavailable),
        (S3, 301, "PermanentRedirect", K::WrongRegion),
        (S3, 403, "InvalidObjectState", K::Archived),
        (S3, 501, "NotImplemented", K::Misconfigured),
        (Gcs, 429, "SlowDown", K::RateLimited),
        (Gcs, 412, "PreconditionFailed", K::Refused),
        (Gcs, 401, "AuthenticationRequired", K::Expired),
        (Gcs, 403, "ObjectUnderActiveHold", K::Protected),
        (Azure, 409, "BlobAlreadyExists", K::Refused),
        (Azure, 409, "BlobImmutableDueToPolicy", K::Protected),
        (Azure, 412, "ConditionNotMet", K::Refused),
        (Azure, 412, "LeaseIdMissing", K::Protected),
        (Azure, 404, "ContainerNotFound", K::NoBucket),
        (Azure, 401, "InvalidAuthenticationInfo", K::Expired),
        (Azure, 403, "AuthorizationPermissionMismatch", K::Denied),
        (Azure, 403, "AuthorizationFailure", K::Firewall),
        (Azure, 503, "ServerBusy", K::RateLimited),
    ] {
        assert_eq!(kind(vendor, status, code, false), expected, "{code}");
    }
    assert_eq!(kind(S3, 403, "AccessDenied", true), K::KeyDenied);
}

#[test]
fn a_code_is_taken_from_the_body_and_nothing_else_is() {
    let body = b"<Error><Code>SlowDown</Code><Message>hunter2</Message></Error>";
    assert_eq!(code_in(body).as_deref(), Some("SlowDown"));
    for bad in [
        &b"<Code>hunter2 x</Code>"[..],
        b"<Code></Code>",
        b"\xff",
        b"",
    ] {
        assert_eq!(code_in(bad), None);
    }
}
