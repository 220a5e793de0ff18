//! Tests soft delete, purge and recovery.

use std::time::{Duration, Instant};

use planton_core::store::{
    Deletion, NativeVersionId, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use planton_vendors::azure::AzureKeyVaultStore;
use planton_vendors::http::OperationContext;
use serde_json::json;
use xtask::reader;
use xtask::tools::Tools;

use super::support::{PAYLOAD, Place, about, first, name, next};

async fn put(store: &AzureKeyVaultStore, name: &RemoteName) -> NativeVersionId {
    store.put(name, PAYLOAD, first()).await.unwrap()
}

fn object(id: &NativeVersionId) -> Deletion {
    Deletion::Object {
        versions: vec![id.clone()],
    }
}

/// Returns whether a deleted secret is still recoverable.
fn is_recoverable(place: &Place, name: &RemoteName) -> bool {
    let state = place.fake.state().unwrap();
    !state["deleted"][name.as_str()].is_null()
}

#[tokio::test]
async fn a_deleted_secret_is_not_found_and_its_name_says_how_to_free_it() {
    let place = Place::new();
    let store = place.store();
    let name = name("deleted");
    let id = put(&store, &name).await;
    store.delete(&name, object(&id)).await.unwrap();
    assert!(is_recoverable(&place, &name), "nothing is purged unasked");
    let error = store.get(&name, &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    let error = store.describe(&name, about(&id)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    let error = store.put(&name, PAYLOAD, first()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("Recover") && remedy.contains("Purge"),
        "{remedy}"
    );
    place.assert_clean(&error);
    store.delete(&name, object(&id)).await.unwrap();
}

#[tokio::test]
async fn what_a_person_deletes_and_recovers_is_gone_and_found_again() {
    let place = Place::new();
    place.fake.grant(&["recover"]).unwrap();
    let store = place.store();
    let name = name("recovered");
    let one = put(&store, &name).await;
    let two = store.put(&name, b"pse1.two", next(&[&one])).await.unwrap();
    let console = |what: &str| {
        let mut request = place.as_a_person();
        request[what] = json!(name.as_str());
        reader::ask(&Tools::locate().unwrap(), &request).unwrap();
    };

    console("remove");
    assert!(is_recoverable(&place, &name));
    for id in [&one, &two] {
        let error = store.describe(&name, about(id)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
        let error = store.get(&name, id).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
    }

    console("recover");
    for (id, payload) in [(&one, PAYLOAD), (&two, b"pse1.two")] {
        let status = store.describe(&name, about(id)).await.unwrap();
        assert_eq!(status, VersionStatus::Present);
        assert_eq!(store.get(&name, id).await.unwrap(), payload);
    }
    let three = store.put(&name, b"pse1.three", next(&[&one, &two])).await;
    assert_eq!(
        store.get(&name, &three.unwrap()).await.unwrap(),
        b"pse1.three"
    );
}

#[tokio::test]
async fn a_deletion_that_takes_its_time_is_waited_for_within_bounds() {
    let place = Place::new();
    place.fake.grant(&["purge"]).unwrap();
    place.fake.control(&json!({"deletion_polls": 3})).unwrap();
    let store = place.store_with(&json!({"purge_on_destroy": true}));
    let name = name("slow");
    let id = put(&store, &name).await;
    let before = store.requests();
    store.delete(&name, object(&id)).await.unwrap();
    assert_eq!(
        store.requests() - before,
        6,
        "delete, a refused purge, two looks, one that finds it, purge"
    );
    assert!(!is_recoverable(&place, &name));
    put(&store, &name).await;

    let other = super::support::name("endless");
    let id = put(&store, &other).await;
    let soon = || OperationContext {
        deadline: Some(Instant::now() + Duration::from_millis(500)),
        ..OperationContext::default()
    };
    place
        .fake
        .control(&json!({"deletion_polls": 0, "deletion_seconds": 3600}))
        .unwrap();
    let deleted = soon().scope(store.delete(&other, object(&id))).await;
    let error = deleted.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let remedy = error.remedy().unwrap();
    assert!(remedy.contains("is still deleting a secret"), "{remedy}");
    assert!(is_recoverable(&place, &other));

    // A secret that is no longer needed may stay deleted.
    let third = super::support::name("throw-away");
    let id = put(&store, &third).await;
    let throw_away = Deletion::Purge { versions: vec![id] };
    soon()
        .scope(store.delete(&third, throw_away))
        .await
        .unwrap();
    assert!(is_recoverable(&place, &third));
}

#[tokio::test]
async fn a_purge_that_is_not_granted_is_passed_over_unless_it_was_asked_for() {
    let place = Place::new();
    let store = place.store();
    let name = name("kept");
    let id = put(&store, &name).await;
    let throw_away = Deletion::Purge {
        versions: vec![id.clone()],
    };
    store.delete(&name, throw_away).await.unwrap();
    assert!(is_recoverable(&place, &name));

    let store = place.store_with(&json!({"purge_on_destroy": true}));
    let name = super::support::name("asked-for");
    let id = put(&store, &name).await;
    let error = store.delete(&name, object(&id)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::PermissionDenied);
    assert_eq!(error.operation(), "PurgeDeletedSecret");
    assert!(
        error.remedy().unwrap().contains("permission Purge"),
        "{error:?}"
    );
    place.assert_clean(&error);
    // Once the permission is granted, the same deletion completes.
    place.fake.grant(&["purge"]).unwrap();
    store.delete(&name, object(&id)).await.unwrap();
    assert!(!is_recoverable(&place, &name));
}

#[tokio::test]
async fn a_vault_that_is_protected_from_purges_is_not_asked_for_one() {
    let place = Place::new();
    place
        .fake
        .control(&json!({"purge_protected": true}))
        .unwrap();
    let store = place.store_with(&json!({"purge_on_destroy": true}));
    let name = name("protected");
    let id = put(&store, &name).await;
    let before = store.requests();
    store.delete(&name, object(&id)).await.unwrap();
    assert_eq!(store.requests() - before, 1);
    assert!(is_recoverable(&place, &name));
}

#[tokio::test]
async fn what_nobody_knows_of_is_removed_where_it_is_ours() {
    let place = Place::new();
    let store = place.store();
    let name = name("given-up");
    put(&store, &name).await;
    let unknown = Deletion::Object {
        versions: Vec::new(),
    };
    store.delete(&name, unknown.clone()).await.unwrap();
    assert_eq!(place.versions(&name), 0);
    store.delete(&name, unknown).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_somebody_purged_and_set_anew_is_gone_and_one_of_ours_is_not() {
    let place = Place::new();
    let store = place.store();
    let name = name("anew");
    let id = put(&store, &name).await;
    place.fake.remove_secret(name.as_str()).unwrap();
    for tags in [json!({}), json!({"managed-by": "somebody"})] {
        place
            .fake
            .set_secret(name.as_str(), "theirs", &tags)
            .unwrap();
    }
    // The store does not treat it as a lost version, because the next put would go to a
    // foreign secret.
    let error = store.describe(&name, about(&id)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    place.assert_clean(&error);

    place.fake.remove_secret(name.as_str()).unwrap();
    put(&store, &name).await;
    let status = store.describe(&name, about(&id)).await.unwrap();
    assert_eq!(status, VersionStatus::Missing);
}
