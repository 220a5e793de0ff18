//! Maps every refusal to a meaning and a remedy.

use planton_core::store::{Deletion, RemoteName, SecretStore, StoreErrorKind};
use serde_json::json;
use xtask::moto::Fault;

use super::support::{PAYLOAD, Place, counted, open, status, version};

#[tokio::test]
async fn a_missing_grant_is_named_with_resource_and_caller() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    for action in [
        "CreateSecret",
        "PutSecretValue",
        "GetSecretValue",
        "DescribeSecret",
        "DeleteSecret",
    ] {
        place
            .moto
            .inject(&Fault {
                action,
                name: &place.unique,
                code: "AccessDeniedException",
                message: "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized",
                ..Fault::default()
            })
            .unwrap();
        let error = match action {
            "CreateSecret" => {
                let other = place.named("other");
                store.put(&other, PAYLOAD, version(1, &[])).await.map(drop)
            }
            "PutSecretValue" => store
                .put(&name, PAYLOAD, version(2, &[&id]))
                .await
                .map(drop),
            "GetSecretValue" => store.get(&name, &id).await.map(drop),
            "DescribeSecret" => status(&store, &name, &id).await.map(drop),
            _ => {
                let versions = vec![id.clone()];
                store.delete(&name, Deletion::Object { versions }).await
            }
        }
        .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::PermissionDenied, "{action}");
        assert_eq!(error.operation(), action);
        let remedy = error.remedy().unwrap();
        for part in [
            format!("Grant secretsmanager:{action} on "),
            // The policy covers everything of the organization, as in the guide.
            format!(
                "on arn:aws:secretsmanager:eu-central-1:*:secret:planton/{}/*",
                place.unique
            ),
            "to arn:aws:sts::123456789012:assumed-role/ci/run.".to_owned(),
        ] {
            assert!(remedy.contains(&part), "{remedy}");
        }
    }
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn each_refusal_of_a_read_has_its_meaning() {
    use StoreErrorKind as K;
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    for (status, code, message, kind, remedy, requests) in [
        (
            400,
            "AccessDeniedException",
            "Access to KMS is not allowed",
            K::PermissionDenied,
            "kms:Decrypt",
            1,
        ),
        (
            400,
            "DecryptionFailure",
            "",
            K::Misconfigured,
            "exists and is enabled",
            1,
        ),
        (
            400,
            "UnrecognizedClientException",
            "",
            K::Unauthenticated,
            "Check access_key_id",
            1,
        ),
        (
            403,
            "InvalidSignatureException",
            "",
            K::Unauthenticated,
            "clock",
            1,
        ),
        (
            400,
            "ExpiredTokenException",
            "",
            K::Unauthenticated,
            "have expired",
            1,
        ),
        (
            400,
            "ThrottlingException",
            "Rate exceeded",
            K::RateLimited,
            "",
            8,
        ),
        (429, "TooManyRequestsException", "", K::RateLimited, "", 8),
        (500, "InternalServiceError", "", K::Unavailable, "", 8),
        (503, "ServiceUnavailable", "", K::Unavailable, "", 8),
        (
            400,
            "InvalidParameterException",
            "",
            K::Misconfigured,
            "",
            1,
        ),
        (
            400,
            "InvalidRequestException",
            "managed",
            K::Misconfigured,
            "manages",
            1,
        ),
        (
            400,
            "InvalidRequestException",
            "was marked for deletion",
            K::NotFound,
            "",
            1,
        ),
        (400, "ResourceNotFoundException", "", K::NotFound, "", 1),
        (
            403,
            "SomethingNew",
            "",
            K::PermissionDenied,
            "GetSecretValue",
            1,
        ),
    ] {
        place
            .moto
            .inject(&Fault {
                action: "GetSecretValue",
                name: name.as_str(),
                status,
                code,
                message,
                times: requests,
                ..Fault::default()
            })
            .unwrap();
        let before = store.requests();
        let error = store.get(&name, &id).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code} {message}: {error:?}");
        let shown = error.remedy().unwrap_or_default();
        assert!(shown.contains(remedy), "{code}: {shown}");
        assert_eq!(store.requests() - before, u64::from(requests), "{code}");
    }
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn another_region_than_that_of_the_endpoint_is_misconfigured_and_named() {
    let place = Place::new().await;
    let name = place.name();
    let id = place.store().put(&name, PAYLOAD, version(1, &[])).await;
    let store = place.store_with(json!({"region": "eu-west-1"}));
    let (read, requests) = counted(&store, store.get(&name, &id.unwrap())).await;
    let error = read.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error:?}");
    assert_eq!(error.setting(), Some("region"));
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("another region than eu-west-1"), "{remedy}");
    assert_eq!(requests, 1, "it is no passing refusal");
}

#[tokio::test]
async fn each_refusal_of_a_write_has_its_meaning() {
    use StoreErrorKind as K;
    const KMS: Option<&str> = Some("at_rest_kms_key_id");
    let place = Place::new().await;
    let key = "arn:aws:kms:eu-central-1:123456789012:key/1b0f0e9c-0000-4000-8000-000000000002";
    place.moto.add_kms_key(key).unwrap();
    let store = place.store_with(json!({ "at_rest_kms_key_id": key }));
    for (at, (action, code, message, kind, remedy, setting)) in [
        (
            "CreateSecret",
            "EncryptionFailure",
            "",
            K::Misconfigured,
            key,
            KMS,
        ),
        (
            "CreateSecret",
            "LimitExceededException",
            "",
            K::Misconfigured,
            "quota",
            None,
        ),
        (
            "CreateSecret",
            "InvalidParameterException",
            "",
            K::Misconfigured,
            "at_rest_kms_key_id",
            KMS,
        ),
        (
            "CreateSecret",
            "ResourceNotFoundException",
            "",
            K::Misconfigured,
            "at_rest_kms_key_id",
            KMS,
        ),
        (
            "PutSecretValue",
            "EncryptionFailure",
            "",
            K::Misconfigured,
            "kms:GenerateDataKey",
            KMS,
        ),
        (
            "PutSecretValue",
            "AccessDeniedException",
            "kms:GenerateDataKey",
            K::PermissionDenied,
            "key's policy",
            KMS,
        ),
        (
            "PutSecretValue",
            "LimitExceededException",
            "",
            K::RateLimited,
            "24 hours",
            None,
        ),
        (
            "PutSecretValue",
            "ResourceExistsException",
            "",
            K::Conflict,
            "",
            None,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = place.named(&format!("w{at}"));
        place
            .moto
            .inject(&Fault {
                action,
                name: name.as_str(),
                code,
                message,
                ..Fault::default()
            })
            .unwrap();
        let error = store
            .put(&name, PAYLOAD, version(1, &[]))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{action} {code}: {error:?}");
        assert_eq!(error.setting(), setting, "{action} {code}: {error:?}");
        let shown = error.remedy().unwrap_or_default();
        assert!(shown.contains(remedy), "{code}: {shown}");
    }
    let name = place.named("fine");
    store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
    assert_eq!(secret.send().await.unwrap().kms_key_id(), Some(key));
}

#[tokio::test]
async fn a_secret_that_something_else_holds_is_not_taken_for_deleted() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place
        .moto
        .inject(&Fault {
            action: "DeleteSecret",
            name: name.as_str(),
            code: "InvalidRequestException",
            message: "You can't delete a secret that still has replica regions.",
            ..Fault::default()
        })
        .unwrap();
    let versions = vec![id.clone()];
    let error = store.delete(&name, Deletion::Object { versions }).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("replicas"), "{error:?}");
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn limits_are_checked_before_anything_is_sent() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let larger = vec![b'a'; store.capability().max_payload_bytes + 1];
    let error = store
        .put(&name, &larger, version(1, &[]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    for bad in ["", "a b", "a:b", "a*", "é", &"n".repeat(513)] {
        let bad = RemoteName::new(bad.to_owned());
        let error = store.put(&bad, PAYLOAD, version(1, &[])).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::InvalidName, "{bad}");
    }
    assert_eq!(store.requests(), 0);
}

#[tokio::test]
async fn nobody_listening_is_unavailable_and_names_what_to_check() {
    let place = Place::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = place.settings(json!({ "endpoint": nowhere }));
    let store = open(&settings, &place.credential()).unwrap();
    let error = store.put(&place.name(), PAYLOAD, version(1, &[])).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(error.remedy().unwrap().contains("endpoint"), "{error:?}");
    assert_eq!(store.requests(), 8);
}
