//! Tests the number of requests for each version, and which versions AWS keeps.

use planton_core::store::{
    Deletion, NativeVersionId, PutAgain, PutOptions, RemoteName, SecretStore, Standing,
    StoreErrorKind, VersionStatus,
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

/// Puts a version again, as a rewrap does.
async fn again(
    place: &Place,
    name: &RemoteName,
    (number, standing): (u128, Standing),
    keep: &[&NativeVersionId],
) -> NativeVersionId {
    let options = choosing(number, keep);
    let again = PutAgain { options, standing };
    let put = place.store().put_again(name, b"PSE1 again", again).await;
    put.unwrap()
}

/// Returns the labels of a version, as AWS shows them.
async fn labels(place: &Place, name: &RemoteName, id: &NativeVersionId) -> Vec<String> {
    let secret = place.sdk().await.describe_secret().secret_id(name.as_str());
    let mut stages = secret.send().await.unwrap().version_ids_to_stages.unwrap();
    let version = id.as_str().split(':').next().unwrap();
    let mut labels = stages.remove(version).unwrap_or_default();
    labels.sort();
    labels
}

fn own_label(id: &NativeVersionId) -> String {
    format!("planton-{}", id.as_str().split(':').nth(1).unwrap())
}

#[tokio::test]
async fn a_rewrap_that_loses_to_a_new_version_leaves_it_every_label() {
    let place = Place::new().await;
    let store = place.store();
    for number in 0..8 {
        let name = place.named(&format!("lost-{number}"));
        let first = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
        let second = version(2, &[&first]);
        let second = store.put(&name, PAYLOAD, second).await.unwrap();
        // Both know two versions. The new one is committed, so the rewrap of the first one
        // tries again, and knows three.
        let known = [&first, &second];
        let third = store.put(&name, PAYLOAD, choosing(number, &known)).await;
        let third = third.unwrap();
        let older = (number, Standing::Older);
        again(&place, &name, older, &known).await;
        let moved = again(&place, &name, older, &[&first, &second, &third]).await;
        let expected = ["AWSCURRENT".to_owned(), own_label(&third)];
        assert_eq!(labels(&place, &name, &third).await, expected, "{number}");
        for id in [&second, &third, &moved] {
            let known = status(&store, &name, id).await.unwrap();
            assert_eq!(known, VersionStatus::Present, "{number}: {id}");
        }
    }
}

#[tokio::test]
async fn the_current_version_keeps_a_label_where_one_is_free_for_a_rewrap_as_well() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let mut kept: Vec<NativeVersionId> = Vec::new();
    for number in 1..=16 {
        let keep: Vec<_> = kept.iter().collect();
        let put = store.put(&name, PAYLOAD, version(number, &keep)).await;
        kept.push(put.unwrap());
    }
    let known: Vec<_> = kept.iter().collect();
    let newest = store
        .put(&name, PAYLOAD, version(17, &known))
        .await
        .unwrap();
    let older = (0, Standing::Older);
    let lost = again(&place, &name, older, &known).await;
    assert_eq!(
        own_label(&lost),
        own_label(&newest),
        "no other one was free"
    );
    // The new version has won, and the oldest one is pruned. The rewrap tries again.
    let known: Vec<_> = kept[1..].iter().chain([&newest]).collect();
    let moved = again(&place, &name, older, &known).await;
    assert_eq!(own_label(&moved), own_label(&kept[0]));
    assert_eq!(labels(&place, &name, &newest).await, ["AWSCURRENT"]);
    for id in known.into_iter().chain([&moved]) {
        let known = status(&store, &name, id).await.unwrap();
        assert_eq!(known, VersionStatus::Present, "{id}");
    }
}

#[tokio::test]
async fn the_newest_version_takes_awscurrent_with_it_when_it_is_put_again() {
    let place = Place::new().await;
    let (store, name) = (place.store(), place.name());
    let first = store.put(&name, PAYLOAD, version(1, &[])).await.unwrap();
    let second = version(2, &[&first]);
    let second = store.put(&name, PAYLOAD, second).await.unwrap();
    let moved = again(&place, &name, (0, Standing::Newest), &[&first, &second]).await;
    let expected = ["AWSCURRENT".to_owned(), own_label(&moved)];
    assert_eq!(labels(&place, &name, &moved).await, expected);
}
