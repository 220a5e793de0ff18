#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use http::HeaderMap;
use serde_json::{Value, json};

use http::StatusCode;

use super::*;
use planton_secret::SecretBytes;

fn explained(status: u16, body: &Value) -> GcpError {
    let response = HttpResponse {
        reason: None,
        host: "proxy.example.com".to_owned(),
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: SecretBytes::new(body.to_string().into_bytes()),
        retried: false,
    };
    GcpError::from_response(
        &response,
        "AddSecretVersion",
        "projects/acme/secrets/s",
        "secretmanager",
    )
}

#[test]
fn the_state_of_a_key_is_read_from_the_end_of_the_message_and_nothing_else_of_it_is_kept() {
    use GcpErrorKind as K;
    for (state, kind) in [
        ("DISABLED.", K::KeyDisabled),
        ("DESTROY_SCHEDULED.", K::KeyPendingDestruction),
        ("DESTROYED", K::KeyDestroyed),
        ("hunter2.", K::FailedPrecondition),
    ] {
        let message = format!("hunter2 is not enabled, current state is: {state}");
        let mut body = status("FAILED_PRECONDITION", "");
        body["error"]["message"] = message.into();
        let error = explained(400, &body);
        assert_eq!(error.kind(), kind, "{state}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let mut body = status("NOT_FOUND", "");
    body["error"]["message"] = json!({"is": "no text"});
    assert_eq!(explained(404, &body).kind(), K::NotFound);
}

fn status(code: &str, reason: &str) -> Value {
    json!({"error": {
        "code": 400,
        "message": "hunter2",
        "status": code,
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"},
        ],
    }})
}

#[test]
fn codes_and_reasons_become_meanings() {
    use GcpErrorKind as K;
    for (http, code, reason, kind) in [
        (400, "INVALID_ARGUMENT", "", K::InvalidArgument),
        (400, "FAILED_PRECONDITION", "", K::FailedPrecondition),
        (
            401,
            "UNAUTHENTICATED",
            "ACCESS_TOKEN_EXPIRED",
            K::Unauthenticated,
        ),
        (
            403,
            "PERMISSION_DENIED",
            "IAM_PERMISSION_DENIED",
            K::PermissionDenied,
        ),
        (
            403,
            "PERMISSION_DENIED",
            "SERVICE_DISABLED",
            K::Misconfigured,
        ),
        (
            403,
            "PERMISSION_DENIED",
            "BILLING_DISABLED",
            K::Misconfigured,
        ),
        (404, "NOT_FOUND", "", K::NotFound),
        (409, "ALREADY_EXISTS", "", K::AlreadyExists),
        (409, "ABORTED", "", K::Aborted),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "RATE_LIMIT_EXCEEDED",
            K::RateLimited,
        ),
        (500, "INTERNAL", "", K::Unavailable),
        (503, "UNAVAILABLE", "", K::Unavailable),
        (504, "DEADLINE_EXCEEDED", "", K::Unavailable),
        (501, "UNIMPLEMENTED", "", K::Misconfigured),
        (418, "TEAPOT", "TEAPOT", K::Unexpected),
    ] {
        assert_eq!(
            explained(http, &status(code, reason)).kind(),
            kind,
            "{code} {reason}"
        );
    }
}

#[test]
fn an_answer_without_a_code_is_read_by_its_status() {
    use GcpErrorKind as K;
    for (http, kind) in [
        (400, K::Unexpected),
        (401, K::Unauthenticated),
        (403, K::Unexpected),
        (404, K::Unexpected),
        (409, K::Unexpected),
        (418, K::Unexpected),
        (429, K::RateLimited),
        (502, K::Unavailable),
        (302, K::Unexpected),
    ] {
        for body in [
            json!("<html>hunter2"),
            json!({"error": "hunter2"}),
            json!(null),
        ] {
            assert_eq!(explained(http, &body).kind(), kind, "{http}");
        }
    }
}

#[test]
fn a_servers_own_words_are_not_repeated() {
    for body in [
        status("PERMISSION_DENIED", "hunter2"),
        status("hunter2", "SERVICE_DISABLED"),
        json!("hunter2"),
    ] {
        let error = explained(403, &body);
        let text = format!(
            "{error} {error:?} {:?}",
            error.source().unwrap().to_string()
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_project_whose_api_is_off_is_named() {
    let error = explained(403, &status("PERMISSION_DENIED", "SERVICE_DISABLED"));
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("gcloud services enable secretmanager.googleapis.com --project=acme"),
        "{remedy}"
    );
    assert_eq!(
        error.source().unwrap().to_string(),
        "status 403 PERMISSION_DENIED SERVICE_DISABLED"
    );
}

#[test]
fn the_project_that_pays_is_named_where_google_says_which() {
    let named = |reason: &str, consumer: &str| {
        let mut body = status("PERMISSION_DENIED", reason);
        body["error"]["details"][1]["metadata"] = json!({"consumer": consumer});
        let error = explained(403, &body);
        assert_eq!(error.kind(), GcpErrorKind::Misconfigured, "{reason}");
        error.remedy().unwrap().to_owned()
    };
    let enable = |project: &str| {
        format!("`gcloud services enable secretmanager.googleapis.com --project={project}`")
    };
    let remedy = named("SERVICE_DISABLED", "projects/123456789012");
    assert!(remedy.contains(&enable("123456789012")), "{remedy}");
    assert!(!remedy.contains("acme"), "{remedy}");
    for (reason, told) in [
        ("BILLING_DISABLED", "Enable billing for project 42."),
        (
            "CONSUMER_INVALID",
            "Project 42, which requests of this credential are billed to",
        ),
        (
            "CONSUMER_SUSPENDED",
            "Project 42, which requests of this credential are billed to",
        ),
    ] {
        let remedy = named(reason, "projects/42");
        assert!(remedy.contains(told), "{remedy}");
    }
    // A consumer that is not a number could be any word.
    for consumer in ["projects/hunter2", "hunter2", "projects/", "folders/42", ""] {
        let remedy = named("SERVICE_DISABLED", consumer);
        assert!(remedy.contains(&enable("acme")), "{consumer}: {remedy}");
    }
}
