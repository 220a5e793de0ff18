use super::*;

#[test]
fn a_vaults_refusals_are_read_by_meaning() {
    use AzureErrorKind as K;
    let body = |code: &str, inner: &str, message: &str| {
        let inner = (!inner.is_empty()).then(|| serde_json::json!({ "code": inner }));
        serde_json::json!({"error": {"code": code, "message": message, "innererror": inner}})
            .to_string()
    };
    for (status, code, inner, message, kind) in [
        (404, "SecretNotFound", "", "", K::NotFound),
        (404, "VaultNotFound", "", "", K::Misconfigured),
        (
            409,
            "Conflict",
            "ObjectIsDeletedButRecoverable",
            "",
            K::DeletedButRecoverable,
        ),
        (409, "Conflict", "ObjectIsBeingDeleted", "", K::BeingDeleted),
        (409, "Conflict", "", "", K::Conflict),
        (403, "Forbidden", "ForbiddenByRbac", "", K::PermissionDenied),
        (
            403,
            "Forbidden",
            "ForbiddenByPolicy",
            "",
            K::PermissionDenied,
        ),
        (403, "Forbidden", "AccessDenied", "", K::PermissionDenied),
        (403, "Forbidden", "ForbiddenByFirewall", "", K::Firewall),
        (403, "Forbidden", "SecretDisabled", "", K::Disabled),
        (
            403,
            "Forbidden",
            "",
            "Operation get is not allowed on a disabled secret.",
            K::Disabled,
        ),
        (
            401,
            "Unauthorized",
            "",
            "AKV10000: missing",
            K::Unauthenticated,
        ),
        (
            401,
            "Unauthorized",
            "",
            "AKV10032: Invalid issuer. Expected one of https://sts",
            K::WrongTenant,
        ),
        (400, "BadParameter", "", "", K::Invalid),
        (413, "", "", "", K::TooLarge),
        (429, "Throttled", "", "", K::RateLimited),
        (503, "", "", "", K::Unavailable),
        (302, "", "", "", K::Unexpected),
    ] {
        let error = AzureError::of_vault(status, body(code, inner, message).as_bytes(), false);
        assert_eq!(error.kind(), kind, "{status} {code} {inner}");
    }
}

#[test]
fn of_an_answer_only_status_and_codes_are_repeated() {
    let body = r#"{"error":{"code":"Forbidden","message":"hunter2",
        "innererror":{"code":"Forbidden hunter2"}}}"#;
    let error = AzureError::of_vault(403, body.as_bytes(), false);
    assert_eq!(error.to_string(), "the vault: status 403, Forbidden");
    let error = AzureError::of_vault(502, b"<html>hunter2", true);
    assert_eq!(error.to_string(), "the vault: status 502");
    assert!(error.is_in_doubt());
    let error = AzureError::of_identity(400, Some("7000215,hunter2"));
    assert_eq!(
        error.to_string(),
        "getting a token: status 400, AADSTS7000215"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn refusals_to_give_out_a_token_are_read_by_their_numbers() {
    use AzureErrorKind as K;
    for (status, codes, kind) in [
        (400, "90002", K::WrongTenant),
        (400, "700016", K::UnknownApplication),
        (401, "7000215", K::WrongClientSecret),
        (401, "7000222", K::WrongClientSecret),
        (400, "70021", K::WrongFederation),
        (400, "50034", K::Unauthenticated),
        (429, "", K::RateLimited),
        (503, "", K::Unavailable),
    ] {
        let error = AzureError::of_identity(status, Some(codes));
        assert_eq!(error.kind(), kind, "{codes}");
        assert_eq!(error.place(), AzurePlace::Identity);
        assert!(!error.is_in_doubt(), "nothing was asked of the vault");
    }
}
