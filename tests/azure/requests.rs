//! Tests the requests of each verb.

use planton_core::store::{Deletion, NativeVersionId, SecretStore, StoreErrorKind, VersionStatus};
use serde_json::json;

use super::support::{PAYLOAD, Place, about, first, name, next};

#[tokio::test]
async fn a_store_sends_nothing_before_its_first_verb() {
    let place = Place::new();
    let store = place.store();
    assert_eq!(store.requests(), 0);
    store.capability();
    let refused = store.put(&name("a_b"), PAYLOAD, first()).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::InvalidName);
    store
        .delete(&name("a"), Deletion::Versions(Vec::new()))
        .await
        .unwrap();
    assert_eq!(store.requests(), 0);
    assert!(place.fake.requests().unwrap().is_empty());
    assert_eq!(place.fake.tokens_issued().unwrap(), 0);
}

#[tokio::test]
async fn each_verb_takes_its_requests_and_no_more() {
    let place = Place::new();
    let store = place.store();
    let mut before = 0;
    let mut taken = || {
        let taken = store.requests() - before;
        before = store.requests();
        taken
    };
    let name = name("counted");
    let one = store.put(&name, PAYLOAD, first()).await.unwrap();
    assert_eq!(taken(), 4, "challenge, token, look, set");
    let two = store.put(&name, PAYLOAD, next(&[&one])).await.unwrap();
    assert_eq!(taken(), 1, "a later put");
    assert_eq!(store.get(&name, &one).await.unwrap(), PAYLOAD);
    assert_eq!(taken(), 1, "get");
    let status = store.describe(&name, about(&two)).await.unwrap();
    assert_eq!((status, taken()), (VersionStatus::Present, 1), "describe");
    let what = Deletion::Versions(vec![one.clone()]);
    store.delete(&name, what).await.unwrap();
    assert_eq!(taken(), 0, "one version cannot be deleted");
    let what = Deletion::Object {
        versions: vec![one, two],
    };
    store.delete(&name, what).await.unwrap();
    assert_eq!(taken(), 1, "delete");

    let other = super::support::name("other");
    let id = store.put(&other, PAYLOAD, first()).await.unwrap();
    assert_eq!(taken(), 2, "a first put: look, set");
    let what = Deletion::Object {
        versions: Vec::new(),
    };
    store.delete(&other, what).await.unwrap();
    assert_eq!(taken(), 2, "delete what nobody knows of: look, delete");
    let gone = store.describe(&other, about(&id)).await.unwrap_err();
    assert_eq!((gone.kind(), taken()), (StoreErrorKind::NotFound, 1));

    place.fake.grant(&["purge"]).unwrap();
    let purged = super::support::name("purged");
    let id = store.put(&purged, PAYLOAD, first()).await.unwrap();
    taken();
    let what = Deletion::Purge { versions: vec![id] };
    store.delete(&purged, what).await.unwrap();
    assert_eq!(taken(), 2, "purge: delete, purge");
}

#[tokio::test]
async fn describe_lists_and_never_reads_a_value() {
    let place = Place::new();
    let store = place.store();
    let name = name("listed");
    let id = store.put(&name, PAYLOAD, first()).await.unwrap();
    // This also holds without the permission to read.
    place
        .fake
        .control(&json!({"deny": {"get": "ForbiddenByRbac"}}))
        .unwrap();
    store.describe(&name, about(&id)).await.unwrap();
    let reads = place.fake.requests().unwrap();
    let reads = reads.iter().filter(|request| request.method == "GET");
    for request in reads {
        assert!(request.path.ends_with("/versions"), "{request:?}");
    }
}

/// The service shows a version without its value only in lists of at most 25, in no
/// guaranteed order: docs/adr/0009.
#[tokio::test]
async fn describe_takes_one_request_for_each_25_versions_up_to_the_one_asked_for() {
    let place = Place::new();
    let store = place.store();
    let name = name("paged");
    let mut ids: Vec<NativeVersionId> = Vec::new();
    for (versions, pages) in [(25, 1), (27, 2), (60, 3)] {
        while ids.len() < versions {
            let kept: Vec<&NativeVersionId> = ids.iter().collect();
            ids.push(store.put(&name, PAYLOAD, next(&kept)).await.unwrap());
        }
        // The order of the fake.
        let mut listed: Vec<_> = ids.iter().collect();
        listed.sort_unstable_by_key(|id| id.as_str());
        let mut most = 0;
        for (place, id) in (0_u64..).zip(listed) {
            let before = store.requests();
            let status = store.describe(&name, about(id)).await.unwrap();
            assert_eq!(status, VersionStatus::Present);
            let taken = store.requests() - before;
            assert_eq!(
                taken,
                place / 25 + 1,
                "the version at {place} of {versions}"
            );
            most = most.max(taken);
        }
        assert_eq!(most, pages, "{versions} versions");
        let before = store.requests();
        let never = NativeVersionId::new("0".repeat(32));
        let status = store.describe(&name, about(&never)).await.unwrap();
        assert_eq!(status, VersionStatus::Missing);
        assert_eq!(
            store.requests() - before,
            pages,
            "all of {versions} versions"
        );
    }
}

#[tokio::test]
async fn many_first_requests_at_once_are_challenged_once_and_take_one_token() {
    let place = Place::new();
    let store = place.store();
    let names: Vec<_> = (0..4).map(|n| name(&format!("at-once-{n}"))).collect();
    let put = |n: usize| store.put(&names[n], PAYLOAD, first());
    let (a, b, c, d) = tokio::join!(put(0), put(1), put(2), put(3));
    for id in [a, b, c, d] {
        id.unwrap();
    }
    let requests = place.fake.requests().unwrap();
    let challenged = requests.iter().filter(|request| !request.authenticated);
    assert_eq!(challenged.count(), 1);
    assert_eq!(place.fake.tokens_issued().unwrap(), 1);
}
