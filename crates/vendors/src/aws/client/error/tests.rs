use super::*;

#[test]
fn codes_have_one_meaning_and_unknown_ones_go_by_status() {
    use AwsErrorKind as K;
    for (code, status, kind) in [
        ("ResourceNotFoundException", Some(400), K::NotFound),
        ("AccessDeniedException", Some(400), K::PermissionDenied),
        ("ExpiredTokenException", Some(400), K::Expired),
        ("ThrottlingException", Some(400), K::RateLimited),
        ("InternalServiceError", Some(500), K::Unavailable),
        ("DisabledException", Some(400), K::KeyDisabled),
        ("KMSInvalidStateException", Some(400), K::WrongState),
        ("InvalidCiphertextException", Some(400), K::Undecipherable),
        ("IncorrectKeyException", Some(400), K::Undecipherable),
        ("KeyUnavailableException", Some(500), K::Unavailable),
        ("SomethingNew", Some(403), K::PermissionDenied),
        ("SomethingNew", Some(404), K::Misconfigured),
        ("SomethingNew", None, K::Misconfigured),
    ] {
        assert_eq!(meaning(code, status), kind, "{code}");
    }
}

#[test]
fn an_answer_without_a_code_is_not_aws_own_whatever_its_status() {
    use AwsErrorKind as K;
    for (status, kind, shown) in [
        (
            Some(200),
            K::Unexpected,
            "an answer of no known form (status 200)",
        ),
        (
            Some(404),
            K::Unexpected,
            "an answer of no known form (status 404)",
        ),
        (
            Some(503),
            K::Unavailable,
            "an answer of no known form (status 503)",
        ),
        (
            Some(429),
            K::RateLimited,
            "an answer of no known form (status 429)",
        ),
        (None, K::Unexpected, "an answer of no known form"),
    ] {
        let bare = aws_smithy_types::error::ErrorMetadata::builder()
            .message("<html>hunter2</html>")
            .build();
        let error = AwsError::from_refusal(&bare, status, None);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, shown));
    }
}

#[test]
fn the_caller_is_read_from_a_refusal_and_nothing_else_is() {
    let refusal = "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to \
                   perform: secretsmanager:PutSecretValue on resource: x";
    assert_eq!(
        principal(refusal).as_deref(),
        Some("arn:aws:sts::123456789012:assumed-role/ci/run")
    );
    for other in [
        "",
        "User: hunter2 is not authorized",
        "User: arn:aws:iam::1:user/\"hunter2\" is not",
        "The Canonical String should have been x-amz-security-token:hunter2",
    ] {
        assert_eq!(principal(other), None, "{other}");
    }
}

#[test]
fn the_denied_action_is_read_from_a_refusal_and_nothing_else_is() {
    let refusal = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: \
                   kms:ReEncryptFrom on resource: arn:aws:kms:… because no resource-based policy \
                   allows the kms:ReEncryptFrom action";
    assert_eq!(denied_action(refusal).as_deref(), Some("kms:ReEncryptFrom"));
    for other in [
        "",
        "not authorized to perform: hunter2",
        "not authorized to perform: kms:\"hunter2\" on",
    ] {
        assert_eq!(denied_action(other), None, "{other}");
    }
}
