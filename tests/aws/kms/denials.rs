//! Denied actions: each error names the one that was denied, with what to grant.

use planton_core::kek::{KekError, KekErrorKind, KeyEncryptionKey, Rewrap};
use planton_envelope::WrappedKey;
use serde_json::{Value, json};
use xtask::moto::Fault;

use super::support::{Place, Sealed};

const ACTIONS: [&str; 5] = [
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// Uses the key so that `action` is needed, among others.
async fn use_for(
    place: &Place,
    action: &str,
    sealed: &Sealed,
    wrapped: &WrappedKey,
) -> Result<(), KekError> {
    let kek = place.kek();
    match action {
        "kms:DescribeKey" => kek.describe().await.map(drop),
        "kms:Encrypt" => sealed.wrap(&kek).await.map(drop),
        "kms:Decrypt" => kek.unwrap(wrapped, sealed.context()).await.map(drop),
        _ => {
            let wraps = [Rewrap {
                wrapped,
                context: sealed.context(),
            }];
            kek.rewrap(&wraps).await.remove(0).map(drop)
        }
    }
}

fn all_but(denied: &str) -> Value {
    let actions: Vec<_> = ACTIONS.iter().filter(|action| **action != denied).collect();
    json!({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
}

/// Returns the statement of a key policy in a remedy.
fn statement(error: &KekError) -> Value {
    let remedy = error.remedy().unwrap();
    let (text, statement) = remedy.split_once(":\n").unwrap();
    assert!(
        text.starts_with("Add this statement to the policy of the key arn:"),
        "{text}"
    );
    serde_json::from_str(statement).unwrap()
}

#[tokio::test]
async fn the_statement_of_a_remedy_permits_exactly_the_denied_action() {
    let place = Place::new().await;
    let sealed = Sealed::new(&place.kek(), "acme", "prod/db");
    let wrapped = sealed.wrap(&place.kek()).await.unwrap();
    for action in ACTIONS {
        place
            .moto
            .attach_policy(&place.key_id, &all_but(action))
            .unwrap();
        let sent = place.requests(&place.arn).len();
        let error = use_for(&place, action, &sealed, &wrapped)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), KekErrorKind::PermissionDenied, "{action}");
        assert_eq!(error.path(), place.arn);
        assert_eq!(
            place.requests(&place.arn).len() - sent,
            1,
            "{action}: final"
        );
        let granted = statement(&error);
        let user = format!("arn:aws:iam::123456789012:user/{}", place.key_id);
        let expected = json!({
            "Effect": "Allow",
            "Principal": {"AWS": user},
            "Action": action,
            "Resource": "*",
        });
        assert_eq!(granted, expected);
        place
            .moto
            .set_kms_key_policy(&place.arn, &[granted])
            .unwrap();
        use_for(&place, action, &sealed, &wrapped).await.unwrap();
        place.moto.set_kms_key_policy(&place.arn, &[]).unwrap();
    }
}

#[tokio::test]
async fn a_sessions_statement_names_its_role_and_both_actions_if_none_is_named() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    let session = "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized";
    let named = format!("{session} to perform: kms:ReEncryptTo on resource: x");
    for (message, actions) in [
        (session, json!(["kms:ReEncryptFrom", "kms:ReEncryptTo"])),
        (&named, json!("kms:ReEncryptTo")),
    ] {
        let fault = Fault {
            action: "ReEncrypt",
            name: &place.arn,
            code: "AccessDeniedException",
            message,
            ..Fault::default()
        };
        place.moto.inject(&fault).unwrap();
        let error = use_for(&place, "kms:ReEncryptTo", &sealed, &wrapped).await;
        let granted = statement(&error.unwrap_err());
        let role = "arn:aws:iam::123456789012:role/ci";
        assert_eq!(granted["Principal"], json!({"AWS": role}));
        assert_eq!(granted["Action"], actions);
    }
}

#[tokio::test]
async fn an_explicit_deny_is_told_instead_of_a_grant_that_would_not_help() {
    let place = Place::new().await;
    let kek = place.kek();
    let sealed = Sealed::new(&kek, "acme", "db");
    let wrapped = sealed.wrap(&kek).await.unwrap();
    let deny = json!({
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:Decrypt",
        "Resource": "*",
    });
    place.moto.set_kms_key_policy(&place.arn, &[deny]).unwrap();
    let error = kek.unwrap(&wrapped, sealed.context()).await.unwrap_err();
    assert_eq!(error.kind(), KekErrorKind::PermissionDenied);
    let remedy = error.remedy().unwrap();
    let denied = format!("A policy denies kms:Decrypt on {} explicitly", place.arn);
    assert!(remedy.starts_with(&denied), "{remedy}");
    assert!(!remedy.contains("Allow"), "{remedy}");
}
