//! Tests lost responses, damaged payloads, and versions that Google does not return
//! everywhere yet.

use planton_core::store::{Deletion, SecretStore, StoreErrorKind, VersionStatus};
use xtask::gcp::GcpFault;

use super::support::{PAYLOAD, Place, about, counted, name, number, version};

#[tokio::test]
async fn a_later_put_whose_answer_was_lost_leaves_one_version_of_its_own() {
    let place = Place::new();
    let store = place.store();
    let one = store
        .put(name(), b"PSE1 one", version(1, &[]))
        .await
        .unwrap();
    place
        .fake
        .fault("AddSecretVersion", 1, GcpFault::LoseAnswer)
        .unwrap();
    let put = store.put(name(), PAYLOAD, version(2, &[&one]));
    let (two, requests) = counted(&store, put).await;
    let two = two.unwrap();
    assert_eq!(requests, 5, "lost, add, list, access, destroy");
    assert_eq!(number(&two), 2);
    let destroyed = (3, "DESTROYED".to_owned());
    let enabled = |number| (number, "ENABLED".to_owned());
    assert_eq!(place.versions(), [destroyed, enabled(2), enabled(1)]);
    assert_eq!(store.get(name(), &two).await.unwrap(), PAYLOAD);
    let status = store.describe(name(), about(&two)).await.unwrap();
    assert_eq!(status, VersionStatus::Present);
    // The duplicate's number is used up. The next put notices it, and continues.
    let put = store.put(name(), b"PSE1 three", version(3, &[&one, &two]));
    let (three, requests) = counted(&store, put).await;
    let three = three.unwrap();
    assert_eq!((number(&three), requests), (4, 2), "add, list");
    let put = store.put(name(), b"PSE1 four", version(4, &[&two, &three]));
    let (four, requests) = counted(&store, put).await;
    assert_eq!((number(&four.unwrap()), requests), (5, 1));
}

#[tokio::test]
async fn a_first_put_whose_answers_were_lost_leaves_one_version() {
    let place = Place::new();
    let store = place.store();
    for operation in ["CreateSecret", "AddSecretVersion"] {
        place
            .fake
            .fault(operation, 1, GcpFault::LoseAnswer)
            .unwrap();
    }
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, put).await;
    let id = id.unwrap();
    // create lost, create, look, list; add lost, add, list, access, destroy
    assert_eq!(requests, 9);
    assert_eq!(number(&id), 1);
    let enabled = place.versions().into_iter().filter(|(_, s)| s == "ENABLED");
    assert_eq!(enabled.map(|(number, _)| number).collect::<Vec<_>>(), [1]);
    assert_eq!(store.get(name(), &id).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn many_lost_answers_leave_one_version() {
    let place = Place::new();
    let store = place.store();
    let one = store
        .put(name(), b"PSE1 one", version(1, &[]))
        .await
        .unwrap();
    place
        .fake
        .fault("AddSecretVersion", 4, GcpFault::LoseAnswer)
        .unwrap();
    let two = store
        .put(name(), PAYLOAD, version(2, &[&one]))
        .await
        .unwrap();
    assert_eq!(number(&two), 2);
    let enabled = place.versions().into_iter().filter(|(_, s)| s == "ENABLED");
    assert_eq!(
        enabled.map(|(number, _)| number).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[tokio::test]
async fn doubles_that_may_not_be_destroyed_do_not_fail_the_put() {
    let place = Place::new();
    let store = place.store();
    let one = store
        .put(name(), b"PSE1 one", version(1, &[]))
        .await
        .unwrap();
    place
        .fake
        .deny(&["secretmanager.versions.destroy"])
        .unwrap();
    place
        .fake
        .fault("AddSecretVersion", 1, GcpFault::LoseAnswer)
        .unwrap();
    let two = store
        .put(name(), PAYLOAD, version(2, &[&one]))
        .await
        .unwrap();
    assert_eq!(number(&two), 2);
    assert_eq!(store.get(name(), &two).await.unwrap(), PAYLOAD);
}

#[tokio::test]
async fn deletions_whose_answers_were_lost_are_done() {
    let place = Place::new();
    let store = place.store();
    let one = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let two = store
        .put(name(), b"PSE1 two", version(2, &[&one]))
        .await
        .unwrap();
    for operation in ["DestroySecretVersion", "DeleteSecret"] {
        place
            .fake
            .fault(operation, 1, GcpFault::LoseAnswer)
            .unwrap();
    }
    let what = Deletion::Versions(vec![one.clone()]);
    let (deleted, requests) = counted(&store, store.delete(name(), what)).await;
    deleted.unwrap();
    assert_eq!(requests, 3, "lost, destroy, look");
    assert_eq!(store.get(name(), &two).await.unwrap(), b"PSE1 two");
    let what = Deletion::Object {
        versions: vec![one, two],
    };
    let (deleted, requests) = counted(&store, store.delete(name(), what)).await;
    deleted.unwrap();
    assert_eq!(requests, 2, "lost, delete");
}

#[tokio::test]
async fn a_secret_that_is_not_yet_seen_everywhere_is_waited_for() {
    let place = Place::new();
    let store = place.store();
    let not_yet = GcpFault::Refuse("NOT_FOUND", None);
    place.fake.fault("AddSecretVersion", 2, not_yet).unwrap();
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, put).await;
    let id = id.unwrap();
    assert_eq!(requests, 4, "create, add, add, add");
    // An access by number works at once. A role without the access permission reads
    // metadata.
    place.fake.deny(&["secretmanager.versions.access"]).unwrap();
    place.fake.fault("GetSecretVersion", 2, not_yet).unwrap();
    let (status, requests) = counted(&store, store.describe(name(), about(&id))).await;
    assert_eq!((status.unwrap(), requests), (VersionStatus::Present, 4));
    place.fake.deny(&[]).unwrap();
    // The delay ends.
    place.fake.fault("AddSecretVersion", 1000, not_yet).unwrap();
    let other = planton_core::store::RemoteName::new("other".to_owned());
    let put = store.put(&other, PAYLOAD, version(1, &[]));
    let (put, requests) = counted(&store, put).await;
    assert_eq!(put.unwrap_err().kind(), StoreErrorKind::NotFound);
    assert_eq!(requests, 6);
}

#[tokio::test]
async fn what_is_old_and_not_there_is_believed_at_once() {
    let place = Place::settled();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    let gone = GcpFault::Refuse("NOT_FOUND", None);
    place.fake.fault("AccessSecretVersion", 1, gone).unwrap();
    let (status, requests) = counted(&store, store.describe(name(), about(&id))).await;
    assert_eq!((status.unwrap(), requests), (VersionStatus::Missing, 2));
}

#[tokio::test]
async fn a_damaged_payload_is_read_again_and_never_given_out() {
    let place = Place::new();
    let store = place.store();
    let id = store.put(name(), PAYLOAD, version(1, &[])).await.unwrap();
    place
        .fake
        .fault("AccessSecretVersion", 1, GcpFault::DamagePayload)
        .unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 2));
    place
        .fake
        .fault("AccessSecretVersion", 2, GcpFault::DamagePayload)
        .unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    let error = read.unwrap_err();
    assert_eq!((error.kind(), requests), (StoreErrorKind::Unavailable, 2));
    assert!(error.remedy().unwrap().contains("checksum"));
}

#[tokio::test]
async fn an_outage_is_survived_and_a_longer_one_is_told() {
    let place = Place::new();
    let store = place.store();
    let outage = GcpFault::Refuse("UNAVAILABLE", None);
    place.fake.fault("*", 3, outage).unwrap();
    let put = store.put(name(), PAYLOAD, version(1, &[]));
    let (id, requests) = counted(&store, put).await;
    let id = id.unwrap();
    assert_eq!(requests, 5);
    place.fake.fault("*", 8, outage).unwrap();
    let (read, requests) = counted(&store, store.get(name(), &id)).await;
    assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(requests, 8);
}
