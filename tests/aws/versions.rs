//! Tests the number of requests for each version, and which versions AWS keeps.

use planton_core::store::{
    Deletion, NativeVersionId, PutOptions, RemoteName, SecretStore, StoreErrorKind, VersionStatus,
};
use uuid::Uuid;

use super::support::{PAYLOAD, Place, counted, status, version};

#[tokio::test]
async fn a_first_version_takes_two_requests_and_each_verb_besides_takes_one() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let (first, requests) = counted(&store, store.put(&name, PAYLOAD, version(1, &[]))).await;
    let first = first.unwrap();
    assert_eq!(requests, 2, "first put");
    let second = store.put(&name, b"PSE1 two", version(2, &[&first]));
    let (second, requests) = counted(&store, second).await;
    let second = second.unwrap();
    assert_eq!(requests, 1, "later put");
    let (read, requests) = counted(&store, store.get(&name, &first)).await;
    assert_eq!((read.unwrap().as_slice(), requests), (PAYLOAD, 1), "get");
    let (known, requests) = counted(&store, status(&store, &name, &second)).await;
    assert_eq!((known.unwrap(), requests), (VersionStatus::Present, 1));
    let what = Deletion::Versions(vec![first.clone()]);
    let (deleted, requests) = counted(&store, store.delete(&name, what)).await;
    deleted.unwrap();
    assert_eq!(requests, 0, "no call of AWS deletes a version");
    let versions = vec![first, second];
    let object = store.delete(&name, Deletion::Object { versions });
    let (deleted, requests) = counted(&store, object).await;
    deleted.unwrap();
    assert_eq!(requests, 1, "delete of the object");
    let expected = [
        "CreateSecret 200",
        "PutSecretValue 200",
        "PutSecretValue 200",
        "GetSecretValue 200",
        "DescribeSecret 200",
        "DeleteSecret 200",
    ];
    assert_eq!(place.requests(), expected);
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_verb() {
    let place = Place::new().await;
    let store = place.store();
    assert_eq!(store.capability().max_versions, Some(17));
    assert_eq!(store.requests(), 0);
    assert_eq!(place.requests(), [""; 0]);
}

#[tokio::test]
async fn sixteen_versions_are_kept_through_forty_puts() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let mut kept: Vec<(NativeVersionId, Vec<u8>)> = Vec::new();
    for number in 1..=40_u64 {
        let payload = format!("PSE1 {number}").into_bytes();
        let keep: Vec<_> = kept.iter().map(|(id, _)| id).collect();
        let id = store
            .put(&name, &payload, version(number, &keep))
            .await
            .unwrap();
        kept.push((id, payload));
        // All versions exist until the record drops the oldest.
        for (id, payload) in &kept {
            assert_eq!(store.get(&name, id).await.unwrap(), *payload, "{number}");
        }
        if kept.len() > 16 {
            kept.remove(0);
        }
    }
    for (id, _) in &kept {
        let known = status(&store, &name, id).await.unwrap();
        assert_eq!(known, VersionStatus::Present);
    }
    let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
    let stages = secret.send().await.unwrap().version_ids_to_stages.unwrap();
    assert_eq!(stages.len(), 17);
    let newest = kept.last().unwrap().0.as_str().split(':').next().unwrap();
    assert!(stages[newest].contains(&"AWSCURRENT".to_owned()));
}

#[tokio::test]
async fn a_seventeenth_version_to_keep_is_refused_before_anything_is_sent() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let id = |label: u8| {
        let attempt = Uuid::new_v4();
        NativeVersionId::new(format!("{attempt}:{label:02}:aws:123456789012:AbCdEf"))
    };
    let keep: Vec<_> = (0..17).map(id).collect();
    let keep: Vec<_> = keep.iter().collect();
    let error = store
        .put(&name, PAYLOAD, version(18, &keep))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.remedy().unwrap().contains("keep fewer"), "{error:?}");
    assert_eq!(store.requests(), 0);
}

/// Returns options with a known label: `number` modulo the number of free labels.
fn choosing(number: u128, keep: &[&NativeVersionId]) -> PutOptions {
    // A multiple of each number of free labels that occurs here, plus random bits.
    let multiple = 16 * 17 * (Uuid::new_v4().as_u128() >> 16);
    PutOptions {
        attempt: Uuid::from_u128(multiple + number),
        ..version(2, keep)
    }
}

/// Two writers that know the first version only.
async fn race(place: &Place, labels: [u128; 2]) -> (RemoteName, [NativeVersionId; 3]) {
    let (store, name) = (place.store(), place.named(&format!("race-{}", labels[1])));
    let first = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let [a, b] = labels.map(|label| choosing(label, &[&first]));
    let a = store.put(&name, b"PSE1 a", a).await.unwrap();
    let b = store.put(&name, b"PSE1 b", b).await.unwrap();
    (name, [first, a, b])
}

#[tokio::test]
async fn racing_writers_with_different_labels_both_keep_their_version() {
    let place = Place::new().await;
    let store = place.store();
    let (name, versions) = race(&place, [3, 4]).await;
    for id in &versions {
        let known = status(&store, &name, id).await.unwrap();
        assert_eq!(known, VersionStatus::Present, "{id}");
    }
}

#[tokio::test]
async fn a_version_whose_label_a_racing_writer_took_stays_until_it_is_history() {
    let place = Place::new().await;
    let store = place.store();
    let (name, [first, early, late]) = race(&place, [3, 3]).await;
    // The earlier writer has won in the catalog. AWS labels its version as previous, but
    // it is the current value and must count as present.
    assert_eq!(store.get(&name, &early).await.unwrap(), b"PSE1 a");
    for id in [&first, &early, &late] {
        let known = status(&store, &name, id).await.unwrap();
        assert_eq!(known, VersionStatus::Present, "{id}");
    }
    // After the next put it is no longer current, and may be dropped.
    let next = store
        .put(&name, b"PSE1 n", version(3, &[&first, &early]))
        .await
        .unwrap();
    for id in [&first, &next] {
        let known = status(&store, &name, id).await.unwrap();
        assert_eq!(known, VersionStatus::Present, "{id}");
    }
}

#[tokio::test]
async fn writers_at_once_each_get_a_version_of_their_own() {
    let place = Place::new().await;
    let (name, first) = (place.name(), place.store());
    let id = first.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let stores: Vec<_> = (0..8).map(|_| place.store()).collect();
    let mut writing = tokio::task::JoinSet::new();
    for (number, store) in stores.into_iter().enumerate() {
        let (name, options) = (name.clone(), version(2, &[&id]));
        writing.spawn(async move {
            let payload = format!("PSE1 {number}").into_bytes();
            (store.put(&name, &payload, options).await.unwrap(), payload)
        });
    }
    let mut present = 0;
    for (id, payload) in writing.join_all().await {
        match first.get(&name, &id).await {
            Ok(read) => assert_eq!(read, payload),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::NotFound),
        }
        let known = status(&first, &name, &id).await.unwrap();
        present += usize::from(known == VersionStatus::Present);
    }
    assert!(present > 0);
    let known = status(&first, &name, &id).await.unwrap();
    assert_eq!(known, VersionStatus::Present, "what they knew of is kept");
}
