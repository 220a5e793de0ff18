//! Tests key files and impersonation.

use planton_core::store::{Deletion, NativeVersionId, SecretStore, StoreErrorKind};
use serde_json::{Value, json};
use xtask::gcp::GcpFault;

use super::support::{EMAIL, PAYLOAD, Place, about, counted, credential, name, open, version};

const OTHER: &str = "store@acme.iam.gserviceaccount.com";

#[tokio::test]
async fn a_key_file_signs_its_own_tokens_and_google_believes_them() {
    let place = Place::new();
    let store = place.store();
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (put, requests) = counted(&store, put).await;
    put.unwrap();
    assert_eq!(requests, 2, "none for a token");
    let by = |operation: &str| (operation.to_owned(), EMAIL.to_owned());
    let expected = [by("CreateSecret"), by("AddSecretVersion")];
    assert_eq!(place.fake.requests().unwrap(), expected);
}

#[tokio::test]
async fn a_key_that_google_does_not_know_is_unauthenticated() {
    let elsewhere = Place::new();
    let place = Place::new();
    let mut of_another: Value = serde_json::from_str(&place.key_file).unwrap();
    of_another["client_email"] = json!(OTHER);
    for key_file in [elsewhere.key_file.clone(), of_another.to_string()] {
        let settings = place.settings(json!({}));
        let store = open(&settings, &credential(&key_file)).unwrap();
        let put = store.put(name(), PAYLOAD, version(1, &[]));
        let (put, requests) = counted(&store, put).await;
        let error = put.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unauthenticated);
        assert_eq!(error.setting(), Some("service_account_key_json"));
        assert!(error.remedy().unwrap().contains("its key was not deleted"));
        assert_eq!(requests, 2, "once more with another token");
    }
}

#[tokio::test]
async fn a_store_builds_one_client_and_signs_one_token_for_all_its_operations() {
    let place = Place::settled();
    let store = place.store();
    let mut ids: Vec<NativeVersionId> = Vec::new();
    for number in 1..=4 {
        let kept: Vec<&NativeVersionId> = ids.iter().collect();
        let put = store.put(name(), PAYLOAD, version(number, &kept)).await;
        let id = put.unwrap();
        assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
        store.describe(name(), about(&id)).await.unwrap();
        ids.push(id);
    }
    let object = Deletion::Object { versions: ids };
    store.delete(name(), object).await.unwrap();
    assert_eq!(store.requests(), 5 + 4 + 4 + 1);
    assert_eq!(place.fake.requests().unwrap().len(), 14);
    assert_eq!(place.fake.connections().unwrap(), 1);
    assert_eq!(place.fake.tokens().unwrap().len(), 1);
    assert_eq!(place.fake.token_requests().unwrap(), 0);

    // Another store has its own token, so the counts would differ.
    let other = place.store();
    other.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    assert_eq!(place.fake.connections().unwrap(), 2);
}

#[tokio::test]
async fn a_token_that_has_run_out_is_replaced() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place
        .fake
        .fault("AccessSecretVersion", 1, GcpFault::ExpireToken)
        .unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 2));
}

#[tokio::test]
async fn another_account_is_asked_for_once() {
    let place = Place::new();
    let store = place.store_with(json!({"impersonate_service_account": OTHER}));
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, put).await;
    let id = id.unwrap();
    assert_eq!(requests, 3, "a token, create, add");
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 1));
    let by = |operation: &str, who: &str| (operation.to_owned(), who.to_owned());
    let expected = [
        by("GenerateAccessToken", EMAIL),
        by("CreateSecret", OTHER),
        by("AddSecretVersion", OTHER),
        by("AccessSecretVersion", OTHER),
    ];
    assert_eq!(place.fake.requests().unwrap(), expected);
    // Its token is revoked, so the store requests another.
    place.fake.forget_tokens().unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 3));
}

#[tokio::test]
async fn an_account_that_may_not_be_impersonated_is_never_taken_for_a_missing_secret() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    for (status, kind) in [
        ("NOT_FOUND", StoreErrorKind::PermissionDenied),
        ("PERMISSION_DENIED", StoreErrorKind::PermissionDenied),
        ("FAILED_PRECONDITION", StoreErrorKind::PermissionDenied),
        ("UNAUTHENTICATED", StoreErrorKind::Unauthenticated),
    ] {
        place.fake.deny_impersonation(status).unwrap();
        let store = place.store_with(json!({"impersonate_service_account": OTHER}));
        let error = store.get(name(), &id).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.operation(), "GenerateAccessToken");
        if kind == StoreErrorKind::PermissionDenied {
            let remedy = error.remedy().unwrap();
            assert!(remedy.contains("roles/iam.serviceAccountTokenCreator"));
            assert!(remedy.contains(OTHER));
        }
    }
}

#[tokio::test]
async fn a_key_file_of_another_cloud_needs_that_clouds_endpoint() {
    let place = Place::new();
    let mut file: Value = serde_json::from_str(&place.key_file).unwrap();
    file["universe_domain"] = json!("example.cloud");
    let credential = credential(&file.to_string());
    let mut settings = place.settings(json!({}));
    assert!(open(&settings, &credential).is_ok());
    settings.configuration.remove("endpoint");
    let error = open(&settings, &credential).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert_eq!(error.path(), "endpoint");
}
