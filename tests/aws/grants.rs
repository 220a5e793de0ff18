//! Actions that the guide's policy does not grant, and a missing KMS key.

use planton_core::store::{Deletion, SecretStore, StoreErrorKind};
use serde_json::json;

use super::support::{PAYLOAD, Place, counted, status, version};

#[tokio::test]
async fn what_is_outside_of_the_guides_policy_is_denied_and_told_with_what_to_grant() {
    let (place, others) = (Place::new().await, Place::new().await);
    let name = others.name();
    let theirs = others.store();
    let id = theirs.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let untouched = others.requests().len();

    let store = place.store();
    let beside = others.named("beside");
    let versions = vec![id.clone()];
    let put = store.put(&beside, PAYLOAD, version(1, &[])).await.map(drop);
    let rotated = store
        .put(&name, PAYLOAD, version(2, &[&id]))
        .await
        .map(drop);
    let read = store.get(&name, &id).await.map(drop);
    let described = status(&store, &name, &id).await.map(drop);
    let deleted = store.delete(&name, Deletion::Object { versions }).await;
    for (action, outcome) in [
        ("CreateSecret", put),
        ("PutSecretValue", rotated),
        ("GetSecretValue", read),
        ("DescribeSecret", described),
        ("DeleteSecret", deleted),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::PermissionDenied, "{error:?}");
        assert_eq!(error.operation(), action);
        let grant = format!(
            "Grant secretsmanager:{action} on \
             arn:aws:secretsmanager:eu-central-1:*:secret:planton/{}/* to \
             arn:aws:iam::123456789012:user/{}.",
            others.unique, place.key_id
        );
        assert_eq!(error.remedy(), Some(grant.as_str()));
    }
    let denied = others.requests().split_off(untouched);
    assert_eq!(denied.len(), 5, "{denied:?}");
    assert!(
        denied.iter().all(|line| line.ends_with(" 400")),
        "{denied:?}"
    );
    assert_eq!(theirs.get(&name, &id).await.unwrap(), PAYLOAD);
}

/// AWS checks a key's form when it creates the secret, and its existence when it stores a
/// value: hashicorp/terraform-provider-aws#13303, #30272.
#[tokio::test]
async fn a_kms_key_that_is_not_there_is_told_at_its_setting() {
    let place = Place::new().await;
    let other_key =
        "arn:aws:kms:eu-central-1:123456789012:key/1b0f0e9c-0000-4000-8000-000000000001";
    for (at, (key, operation)) in [
        ("not a key", "CreateSecret"),
        ("alias/nowhere", "PutSecretValue"),
        (other_key, "PutSecretValue"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = place.named(&format!("k{at}"));
        let store = place.store_with(json!({ "at_rest_kms_key_id": key }));
        let (put, requests) = counted(&store, store.put(&name, PAYLOAD, version(1, &[]))).await;
        let error = put.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Misconfigured,
            "{key}: {error:?}"
        );
        assert_eq!(error.operation(), operation, "{key}");
        assert_eq!(
            error.setting(),
            Some("at_rest_kms_key_id"),
            "{key}: {error:?}"
        );
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("at_rest_kms_key_id"), "{remedy}");
        let sent = if operation == "CreateSecret" { 1 } else { 2 };
        assert_eq!(requests, sent, "{key}: not tried again");
    }

    // A secret keeps the key with which it was created. This one serves no other test.
    let name = place.named("k1");
    place.moto.add_kms_key("alias/mended").unwrap();
    let mended = place.store_with(json!({ "at_rest_kms_key_id": "alias/mended" }));
    let error = mended.put(&name, PAYLOAD, version(1, &[])).await;
    let error = error.unwrap_err();
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains(&format!("--secret-id {name}")), "{remedy}");
    place.remove(&name).await;
    mended.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
}
