use planton_core::store::{
    Deletion, NativeVersionId, PutOptions, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use serde_json::json;

use super::support::{PAYLOAD, Place, about, counted, name, number, version};

#[tokio::test]
async fn each_verb_keeps_to_its_budget() {
    let place = Place::settled();
    let store = place.store();
    let (one, requests) = counted(&store, store.put(name(), PAYLOAD, version(1, &[]))).await;
    let one = one.unwrap();
    assert_eq!(requests, 2, "first put: create, add");
    let put = store.put(name(), b"PSE1 two", version(2, &[&one]));
    let (two, requests) = counted(&store, put).await;
    let two = two.unwrap();
    assert_eq!(requests, 1, "later put");
    let (read, requests) = counted(&store, store.get(name(), &one)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 1), "get");
    let (status, requests) = counted(&store, store.describe(name(), about(&two))).await;
    let present = (VersionStatus::Present, 1);
    assert_eq!((status.unwrap(), requests), present, "describe");
    let versions = || Deletion::Versions(vec![one.clone()]);
    let (deleted, requests) = counted(&store, store.delete(name(), versions())).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "delete of a version");
    let (status, requests) = counted(&store, store.describe(name(), about(&one))).await;
    let missing = (VersionStatus::Missing, 1);
    assert_eq!((status.unwrap(), requests), missing, "describe");
    let (deleted, requests) = counted(&store, store.delete(name(), versions())).await;
    deleted.unwrap();
    assert_eq!(
        requests, 2,
        "delete of what is destroyed: its etag is another"
    );
    let object = || Deletion::Object {
        versions: vec![two.clone()],
    };
    let (deleted, requests) = counted(&store, store.delete(name(), object())).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "delete of the object");
    let (deleted, requests) = counted(&store, store.delete(name(), object())).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "delete of what is gone");
    let (gone, requests) = counted(&store, store.describe(name(), about(&two))).await;
    assert_eq!(gone.unwrap_err().kind(), StoreErrorKind::NotFound);
    assert_eq!(requests, 2, "describe of what is gone");
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_verb_and_limits_cost_nothing() {
    let place = Place::new();
    let store = place.store();
    let largest = vec![7; store.capability().max_payload_bytes];
    let larger = [largest.as_slice(), &[7]].concat();
    let refused = store.put(name(), &larger, version(1, &[])).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::TooLarge);
    for bad in ["a/b", "a.b", "../x", &"a".repeat(256)] {
        let bad = RemoteName::new(bad.to_owned());
        let refused = store.put(&bad, PAYLOAD, version(1, &[])).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::InvalidName);
    }
    assert_eq!(store.requests(), 0);
    assert_eq!(place.fake.requests().unwrap(), []);
    let id = store.put(name(), &largest, version(1, &[])).await.unwrap();
    assert_eq!(store.get(name(), &id).await.unwrap(), largest);
}

#[tokio::test]
async fn labels_replication_and_the_mark_are_what_google_is_told() {
    let place = Place::new();
    let locations = json!({"replica_locations": ["europe-west4", "europe-west3"]});
    let store = place.store_with(locations);
    let labels = [("environment", "prod"), ("Owner", "Team Ä")];
    let options = PutOptions {
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..version(1, &[])
    };
    let attempt = options.attempt.to_string();
    store.put(name(), PAYLOAD, options).await.unwrap();
    let secret = place.ok("GET", &format!("/{}", name()), &json!({}));
    let expected = json!({
        "environment": "prod",
        "owner": "team_ä",
        "managed-by": "terraform-provider-planton",
    });
    assert_eq!(secret["labels"], expected);
    assert_eq!(secret["annotations"], json!({"planton-attempt": attempt}));
    let replicas = json!([{"location": "europe-west3"}, {"location": "europe-west4"}]);
    assert_eq!(
        secret["replication"],
        json!({"userManaged": {"replicas": replicas}})
    );

    let other = RemoteName::new("other".to_owned());
    let automatic = place.store();
    automatic
        .put(&other, PAYLOAD, version(1, &[]))
        .await
        .unwrap();
    let secret = place.ok("GET", "/other", &json!({}));
    assert_eq!(secret["replication"], json!({"automatic": {}}));
    let version = place.ok("GET", "/other/versions/1", &json!({}));
    assert_eq!(version["clientSpecifiedPayloadChecksum"], true);
}

#[tokio::test]
async fn a_disabled_version_is_missing_and_can_be_deleted() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let path = format!("/{}/versions/1:disable", name());
    place.ok("POST", &path, &json!({}));
    let status = store.describe(name(), about(&id)).await.unwrap();
    assert_eq!(status, VersionStatus::Missing);
    let gone = store.get(name(), &id).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let what = Deletion::Versions(vec![id]);
    let (deleted, requests) = counted(&store, store.delete(name(), what)).await;
    deleted.unwrap();
    assert_eq!(requests, 3, "destroy, look, destroy");
    assert_eq!(place.versions(), [(1, "DESTROYED".to_owned())]);
}

/// Deletes a secret and creates it again, as a person with another backup would.
fn make_anew(place: &Place, payloads: &[&str]) {
    place.ok("DELETE", &format!("/{}", name()), &json!({}));
    let path = format!("?secretId={}", name());
    place.ok("POST", &path, &json!({"replication": {"automatic": {}}}));
    for payload in payloads {
        let body = json!({"payload": {"data": payload}});
        place.ok("POST", &format!("/{}:addVersion", name()), &body);
    }
}

#[tokio::test]
async fn a_secret_that_was_made_anew_is_told_from_ours() {
    let place = Place::new();
    let store = place.store();
    let one = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    make_anew(&place, &["Zm9yZWlnbg=="]);
    // The store does not treat it as a lost version, because the next put would go to a
    // foreign secret.
    let error = store.describe(name(), about(&one)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::NotFound);
    let error = store.get(name(), &one).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    // A foreign version with the same number stays.
    let what = Deletion::Versions(vec![one]);
    store.delete(name(), what).await.unwrap();
    assert_eq!(place.versions(), [(1, "ENABLED".to_owned())]);
}

#[tokio::test]
async fn get_knows_a_version_by_its_bytes() {
    let place = Place::new();
    let store = place.store();
    let put = async |payload: &'static [u8]| {
        let id = store.put(name(), payload, version(1, &[])).await.unwrap();
        let versions = vec![id.clone()];
        let fetched = store.get(name(), &id).await.unwrap();
        assert_eq!(fetched, payload);
        (id, Deletion::Object { versions })
    };
    let (one, object) = put(PAYLOAD).await;
    store.delete(name(), object).await.unwrap();
    let (two, object) = put(b"PSE1 two").await;
    assert_eq!((number(&one), number(&two)), (1, 1));
    let error = store.get(name(), &one).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    store.delete(name(), object).await.unwrap();
    // Another principal restores the same bytes. They can be read, and count as present.
    let (three, _) = put(PAYLOAD).await;
    assert_ne!(one, three);
    assert_eq!(store.get(name(), &one).await.unwrap(), PAYLOAD);
    let status = store.describe(name(), about(&one)).await.unwrap();
    assert_eq!(status, VersionStatus::Present);
}

#[tokio::test]
async fn a_pruned_version_never_takes_its_namesake_along() {
    let place = Place::new();
    let store = place.store();
    let old = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place.ok("DELETE", &format!("/{}", name()), &json!({}));
    let further = store.put(name(), b"PSE1 two", version(2, &[&old])).await;
    assert_eq!(further.unwrap_err().kind(), StoreErrorKind::NotFound);
    let put = store.put(name(), b"PSE1 two", version(2, &[]));
    let (new, requests) = counted(&store, put).await;
    let new = new.unwrap();
    assert_eq!(requests, 2, "create, add");
    assert_eq!((number(&old), number(&new)), (1, 1));
    assert_ne!(old, new);
    let pruned = Deletion::Versions(vec![old.clone()]);
    store.delete(name(), pruned).await.unwrap();
    assert_eq!(store.get(name(), &new).await.unwrap(), b"PSE1 two");
    let (three, requests) = counted(
        &store,
        store.put(name(), b"PSE1 three", version(3, &[&old, &new])),
    )
    .await;
    assert_eq!((number(&three.unwrap()), requests), (2, 1));
}

#[tokio::test]
async fn a_foreign_secret_is_neither_added_to_nor_deleted() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let two = store
        .put(name(), PAYLOAD, version(2, &[&id]))
        .await
        .unwrap();
    make_anew(&place, &[]);

    let error = store
        .put(name(), PAYLOAD, version(1, &[]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::AlreadyExists);
    assert!(error.remedy().unwrap().contains("planton-attempt"));
    // The number shows to a caller with known versions that they do not belong to this
    // secret.
    let put = store.put(name(), PAYLOAD, version(3, &[&two])).await;
    assert_eq!(put.unwrap_err().kind(), StoreErrorKind::AlreadyExists);
    assert_eq!(place.versions(), [(1, "DESTROYED".to_owned())]);

    let nobody_knows = || Deletion::Object {
        versions: Vec::new(),
    };
    let (deleted, requests) = counted(&store, store.delete(name(), nobody_knows())).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "only looked at");
    place.ok("GET", &format!("/{}", name()), &json!({}));
}

#[tokio::test]
async fn a_creation_that_was_given_up_is_found_by_its_mark_and_deleted() {
    let place = Place::new();
    let store = place.store();
    place.fake.deny(&["secretmanager.versions.add"]).unwrap();
    let put = store.put(name(), PAYLOAD, version(1, &[])).await;
    assert_eq!(put.unwrap_err().kind(), StoreErrorKind::PermissionDenied);
    place.fake.deny(&[]).unwrap();
    place.ok("GET", &format!("/{}", name()), &json!({}));
    let what = Deletion::Purge {
        versions: Vec::new(),
    };
    let (deleted, requests) = counted(&store, store.delete(name(), what)).await;
    deleted.unwrap();
    assert_eq!(requests, 2, "look, delete");
    let (status, _) = place
        .fake
        .call(
            "GET",
            &format!("projects/acme/secrets/{}", name()),
            &json!({}),
        )
        .unwrap();
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_creation_that_was_given_up_is_taken_over() {
    let place = Place::new();
    let store = place.store();
    place.fake.deny(&["secretmanager.versions.add"]).unwrap();
    let options = version(1, &[]);
    let put = store.put(name(), PAYLOAD, options.clone()).await;
    assert_eq!(put.unwrap_err().kind(), StoreErrorKind::PermissionDenied);
    place.fake.deny(&[]).unwrap();
    // With the same attempt, and with another.
    let (same, requests) = counted(&store, store.put(name(), PAYLOAD, options)).await;
    assert_eq!(
        (number(&same.unwrap()), requests),
        (1, 4),
        "create, look, list, add"
    );
    let other = store.put(name(), b"PSE1 other", version(1, &[]));
    let (other, requests) = counted(&store, other).await;
    let other = other.unwrap();
    assert_eq!(
        (number(&other), requests),
        (2, 5),
        "create, look, add, list, access"
    );
    assert_eq!(store.get(name(), &other).await.unwrap(), b"PSE1 other");
}

#[tokio::test]
async fn an_identifier_that_was_never_given_out_finds_nothing() {
    let place = Place::settled();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let bad = NativeVersionId::new("1".to_owned());
    let gone = store.get(name(), &bad).await.unwrap_err();
    assert_eq!(gone.kind(), StoreErrorKind::NotFound);
    let status = store.describe(name(), about(&bad)).await.unwrap();
    assert_eq!(status, VersionStatus::Missing);
    let what = Deletion::Versions(vec![bad]);
    store.delete(name(), what).await.unwrap();
    assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
}
