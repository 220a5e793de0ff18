#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use http::StatusCode;

use super::*;

fn kind(status: u16, body: &str) -> OpenBaoErrorKind {
    meaning(
        StatusCode::from_u16(status).unwrap(),
        body.as_bytes(),
        "kv/data/x",
    )
    .0
}

#[test]
fn statuses_and_messages_map_to_meanings() {
    use OpenBaoErrorKind as K;
    for (status, message, meaning) in [
        (
            400,
            "check-and-set parameter did not match the current version",
            K::Conflict,
        ),
        (404, "", K::NotFound),
        (
            404,
            "no handler for route \"kv/data/x\". route entry not found.",
            K::Misconfigured,
        ),
        (404, "namespace not found", K::Misconfigured),
        (403, "permission denied", K::PermissionDenied),
        (
            403,
            "2 errors occurred: * permission denied * invalid token",
            K::Unauthenticated,
        ),
        (400, "missing client token", K::Unauthenticated),
        (400, "invalid role or secret ID", K::Unauthenticated),
        (400, "encryption key not found", K::NotFound),
        (400, "cipher: message authentication failed", K::Refused),
        (
            400,
            "ciphertext or signature version is disallowed by policy (too old)",
            K::KeyDisabled,
        ),
        (413, "http: request body too large", K::TooLarge),
        (
            429,
            "request path \"kv\": rate limit quota exceeded",
            K::RateLimited,
        ),
        (500, "1 error occurred", K::Unavailable),
        (503, "Vault is sealed", K::Unavailable),
        (472, "", K::Unavailable),
    ] {
        let body = serde_json::json!({"errors": [message]}).to_string();
        assert_eq!(kind(status, &body), meaning, "{status} {message}");
    }
}

#[test]
fn an_answer_that_is_not_json_is_read_by_its_status() {
    assert_eq!(
        kind(403, "<html>hunter2</html>"),
        OpenBaoErrorKind::PermissionDenied
    );
    assert_eq!(kind(200, ""), OpenBaoErrorKind::Unavailable);
}

#[test]
fn no_word_of_an_unknown_message_reaches_an_error() {
    let body = br#"{"errors":["1 error occurred: value hunter2 is wrong"]}"#;
    let (_, reason, remedy) = meaning(StatusCode::BAD_REQUEST, body, "kv/data/x");
    assert_eq!((reason, remedy), (None, None));
}

#[test]
fn a_missing_mount_is_told_how_to_be_enabled() {
    let body = br#"{"errors":["no handler for route \"kv/data/x\". route entry not found."]}"#;
    let (_, _, remedy) = meaning(StatusCode::NOT_FOUND, body, "kv/data/x");
    assert!(
        remedy
            .unwrap()
            .contains("bao secrets enable -path=kv -version=2 kv")
    );
}
