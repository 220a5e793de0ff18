//! Distinguishes our secrets from foreign ones and from secrets that are scheduled for
//! deletion.

use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::primitives::Blob;
use planton_core::store::{
    Deletion, NativeVersionId, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use serde_json::json;
use xtask::moto::Fault;

use super::support::{PAYLOAD, Place, counted, status, version};

fn object(versions: &[&NativeVersionId]) -> Deletion {
    let versions = versions.iter().copied().cloned().collect();
    Deletion::Object { versions }
}

async fn foreign(place: &Place, name: &RemoteName, description: &str) {
    let create = place.sdk().await.create_secret().name(name.as_str());
    let create = create.description(description).secret_string("theirs");
    create.send().await.unwrap();
}

async fn still_theirs(place: &Place, name: &RemoteName) {
    let get = place.sdk().await.get_secret_value();
    let value = get.secret_id(name.as_str()).send().await.unwrap();
    assert_eq!(value.secret_string(), Some("theirs"));
    assert_eq!(value.version_stages(), ["AWSCURRENT"]);
}

#[tokio::test]
async fn a_foreign_secret_is_neither_written_nor_deleted() {
    let place = Place::new().await;
    let store = place.store();
    let longer = "Sealed by terraform-provider-planton as somebody/else";
    for (slug, description) in [("plain", ""), ("alike", longer)] {
        let name = place.named(slug);
        foreign(&place, &name, description).await;
        let (refused, requests) = counted(&store, store.put(&name, PAYLOAD, version(1, &[]))).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::AlreadyExists, "{refused:?}");
        assert!(
            refused
                .remedy()
                .unwrap()
                .contains("not created by this provider")
        );
        assert_eq!(requests, 2, "create, describe");
        let given_up = store.delete(&name, object(&[]));
        let (left, requests) = counted(&store, given_up).await;
        left.unwrap();
        assert_eq!(requests, 1, "describe");
        still_theirs(&place, &name).await;
    }
}

#[tokio::test]
async fn a_secret_made_anew_under_our_name_is_never_touched() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place.remove(&name).await;
    foreign(&place, &name, "").await;
    let gone = status(&store, &name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let gone = store.get(&name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let refused = store.put(&name, PAYLOAD, version(2, &[&id])).await;
    // The expected object is missing. It is never created again under this name.
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::NotFound);
    store.delete(&name, object(&[&id])).await.unwrap();
    still_theirs(&place, &name).await;
}

#[tokio::test]
async fn a_forged_version_of_the_same_id_and_label_is_not_the_one_that_was_put() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place.remove(&name).await;
    let mut parts = id.as_str().split(':');
    let (attempt, label) = (parts.next().unwrap(), parts.next().unwrap());
    let sdk = place.sdk().await;
    let create = sdk.create_secret().name(name.as_str());
    let description = format!("Sealed by terraform-provider-planton as {name}");
    create.description(description).send().await.unwrap();
    sdk.put_secret_value()
        .secret_id(name.as_str())
        .client_request_token(attempt)
        .secret_binary(Blob::new(PAYLOAD))
        .version_stages(format!("planton-{label}"))
        .send()
        .await
        .unwrap();
    let forged = store.get(&name, &id).await.unwrap_err();
    assert_eq!(forged.kind(), StoreErrorKind::Corrupt);
    let known = status(&store, &name, &id).await.unwrap();
    assert_eq!(known, VersionStatus::Replaced);
}

#[tokio::test]
async fn what_a_killed_creation_left_is_taken_up() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    place
        .moto
        .inject(&Fault {
            action: "PutSecretValue",
            name: name.as_str(),
            code: "AccessDeniedException",
            ..Fault::default()
        })
        .unwrap();
    store
        .put(&name, PAYLOAD, version(1, &[]))
        .await
        .unwrap_err();
    let again = store.put(&name, PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, again).await;
    assert_eq!(requests, 3, "create, describe, put");
    assert_eq!(store.get(&name, &id.unwrap()).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn what_a_creation_left_that_was_given_up_is_deleted_with_two_requests() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let (deleted, requests) = counted(&store, store.delete(&name, object(&[]))).await;
    deleted.unwrap();
    assert_eq!(requests, 2, "describe, delete");
    let (deleted, requests) =
        counted(&store, store.delete(&place.named("never"), object(&[]))).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "nothing is there");
}

#[tokio::test]
async fn what_is_scheduled_for_deletion_is_gone_and_blocks_its_name_with_a_remedy() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    store.delete(&name, object(&[&id])).await.unwrap();
    let gone = status(&store, &name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let gone = store.get(&name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    for keep in [&[][..], &[&id]] {
        let refused = store.put(&name, PAYLOAD, version(2, keep)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::AlreadyExists, "{refused:?}");
        let remedy = refused.remedy().unwrap();
        assert!(remedy.contains("recovery window"), "{remedy}");
        assert!(
            remedy.contains("--force-delete-without-recovery"),
            "{remedy}"
        );
    }
    // Deleting a deleted secret succeeds, with and without known versions.
    store.delete(&name, object(&[&id])).await.unwrap();
    store.delete(&name, object(&[])).await.unwrap();
    let versions = vec![id.clone()];
    store
        .delete(&name, Deletion::Purge { versions })
        .await
        .unwrap();
    let further = store.put(&name, PAYLOAD, version(2, &[&id])).await;
    assert_eq!(further.unwrap_err().kind(), StoreErrorKind::NotFound);
    let id = store.put(&name, PAYLOAD, version(2, &[])).await.unwrap();
    assert_eq!(store.get(&name, &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn the_recovery_window_is_as_configured() {
    let place = Place::new().await;
    for (slug, settings, days) in [
        ("default", json!({}), 30),
        ("week", json!({"recovery_window_days": 7}), 7),
    ] {
        let (store, name) = (place.store_with(settings), place.named(slug));
        let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
        store.delete(&name, object(&[&id])).await.unwrap();
        let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
        let until = secret.send().await.unwrap().deleted_date.unwrap();
        let until = SystemTime::try_from(until).unwrap();
        let left = until.duration_since(SystemTime::now()).unwrap();
        let day = Duration::from_secs(86_400);
        assert!(left > day * days - day && left <= day * days, "{left:?}");
    }
    let store = place.store_with(json!({"recovery_window_days": 0}));
    let name = place.named("none");
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    store.delete(&name, object(&[&id])).await.unwrap();
    let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
    let error = secret.send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_purge_that_may_not_force_deletes_with_the_shortest_window() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    place
        .moto
        .inject(&Fault {
            action: "DeleteSecret",
            name: name.as_str(),
            code: "AccessDeniedException",
            ..Fault::default()
        })
        .unwrap();
    let versions = vec![id.clone()];
    let purge = store.delete(&name, Deletion::Purge { versions });
    let (purged, requests) = counted(&store, purge).await;
    purged.unwrap();
    assert_eq!(requests, 2);
    let gone = status(&store, &name, &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
}
