use planton_core::catalog::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::client::{KvEntry, OpenBaoClient, PolicyRole};
use xtask::faults::Fault;

use super::support::{Place, counted};

fn record(text: &str) -> StoredRecord {
    StoredRecord {
        body: format!("{{\"text\":\"{text}\"}}"),
        mac: "00ff".to_owned(),
    }
}

fn key() -> RecordKey {
    RecordKey::new("secrets/org/db")
}

fn catalog(place: &Place, client: &OpenBaoClient) -> OpenBaoCatalog {
    OpenBaoCatalog::new(client, &place.scope, PolicyRole::Apply)
}

#[tokio::test]
async fn records_are_written_by_compare_and_set_only() {
    let place = Place::new().await;
    let catalog = catalog(&place, &place.client());
    assert_eq!(catalog.read(&key()).await.unwrap(), None);
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("one"), one))
    );
    let two = catalog.write(&key(), &record("two"), one).await.unwrap();
    assert!(two > one);
    for stale in [Revision::ABSENT, one, Revision(two.0 + 1)] {
        let error = catalog
            .write(&key(), &record("three"), stale)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Conflict);
    }
    assert_eq!(
        catalog.read_fenced(&key()).await.unwrap(),
        Some((record("two"), two))
    );
}

//= docs/format.md#20-places
//= type=test
//# A writer MUST write a record at the place of its platform in this table, with `mac` in
//# lower-case hexadecimal.
#[tokio::test]
async fn a_record_stands_where_it_is_published() {
    let place = Place::new().await;
    let catalog = catalog(&place, &place.client());
    catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let path = format!("{}/data/catalog/acme/secrets/org/db", place.kv());
    let answer = place.admin.ok("GET", &path, "").await;
    let expected = serde_json::json!({"body": r#"{"text":"one"}"#, "mac": "00ff"});
    assert_eq!(answer["data"]["data"], expected);
}

#[tokio::test]
async fn each_verb_takes_one_request_once_a_fence_is_there() {
    let place = Place::new().await;
    let client = place.client();
    let catalog = catalog(&place, &client);
    let (read, requests) = counted(&client, catalog.read(&key())).await;
    assert_eq!((read.unwrap(), requests), (None, 3), "read, fence, read");
    let (read, requests) = counted(&client, catalog.read(&key())).await;
    assert_eq!((read.unwrap(), requests), (None, 1));
    let (key, record_one) = (key(), record("one"));
    let write = catalog.write(&key, &record_one, Revision::ABSENT);
    let (one, requests) = counted(&client, write).await;
    assert_eq!(requests, 1, "write");
    let (two, requests) = counted(&client, catalog.write(&key, &record("two"), one.unwrap())).await;
    assert_eq!(requests, 1, "write");
    let two = two.unwrap();
    let (read, requests) = counted(&client, catalog.read_fenced(&key)).await;
    assert_eq!(
        (read.unwrap(), requests),
        (Some((record("two"), two)), 2),
        "a fence that is asked for is written"
    );
    let (listed, requests) = counted(&client, catalog.list("secrets/org")).await;
    assert_eq!((listed.unwrap(), requests), (vec![key.clone()], 2));
    let (forgotten, requests) = counted(&client, catalog.forget_history(&key, two)).await;
    forgotten.unwrap();
    assert_eq!(requests, 1, "forget");

    let fresh = place.client();
    let catalog = self::catalog(&place, &fresh);
    let (read, requests) = counted(&fresh, catalog.read(&key)).await;
    assert_eq!((read.unwrap(), requests), (Some((record("two"), two)), 1));
    let (read, requests) = counted(&fresh, catalog.read_fenced(&key)).await;
    assert_eq!(
        (read.unwrap(), requests),
        (Some((record("two"), two)), 2),
        "fence, read"
    );
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_ends_in_a_conflict_that_reads_as_its_own() {
    let place = Place::new().await;
    let proxy = place.proxy();
    proxy.fail(Fault::lose_answer());
    let client = place.client_at(proxy.address());
    let catalog = catalog(&place, &client);
    let error = catalog
        .write(&key(), &record("mine"), Revision::ABSENT)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Conflict);
    let (read, requests) = counted(&client, catalog.read_fenced(&key())).await;
    assert_eq!(read.unwrap(), Some((record("mine"), Revision(1))));
    assert_eq!(requests, 2, "a conflict calls for another fence");
}

#[tokio::test]
async fn a_record_that_somebody_deleted_is_absent_and_can_be_written_again() {
    let place = Place::new().await;
    let client = place.client();
    let catalog = catalog(&place, &client);
    let path = format!("catalog/acme/{}", key());
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    client.kv().soft_delete(&path).await.unwrap();
    assert_eq!(catalog.read(&key()).await.unwrap(), None);
    let two = catalog
        .write(&key(), &record("two"), Revision::ABSENT)
        .await
        .unwrap();
    assert!(two > one, "a revision never goes back");
    client.kv().destroy(&path, &[two.0]).await.unwrap();
    assert_eq!(catalog.read(&key()).await.unwrap(), None);
    let three = catalog
        .write(&key(), &record("three"), Revision::ABSENT)
        .await
        .unwrap();
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("three"), three))
    );
    let error = catalog
        .write(&key(), &record("four"), Revision::ABSENT)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Conflict);
}

#[tokio::test]
async fn a_record_that_somebody_deleted_is_told_from_one_that_never_was() {
    let place = Place::new().await;
    let client = place.client();
    let catalog = catalog(&place, &client);
    let kv = client.kv();
    let key = key();
    let path = format!("catalog/acme/{key}");
    catalog.expect_never_deleted(&key).await.unwrap();
    let one = catalog
        .write(&key, &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    catalog.expect_never_deleted(&key).await.unwrap();
    kv.soft_delete(&path).await.unwrap();
    let deleted = catalog.expect_never_deleted(&key).await.unwrap_err();
    assert_eq!(deleted.kind(), CatalogErrorKind::Removed);
    let remedy = deleted.remedy().unwrap();
    let mount = kv.mount().as_str();
    for command in [
        format!("`bao kv undelete -mount={mount} -versions=1 {path}`"),
        format!("`bao kv metadata delete -mount={mount} {path}`"),
    ] {
        assert!(remedy.contains(&command), "{remedy}");
    }
    kv.destroy(&path, &[one.0]).await.unwrap();
    let destroyed = catalog.expect_never_deleted(&key).await.unwrap_err();
    assert_eq!(destroyed.kind(), CatalogErrorKind::Removed);
    kv.delete_metadata(&path).await.unwrap();
    catalog.expect_never_deleted(&key).await.unwrap();
}

#[tokio::test]
async fn history_is_destroyed_and_the_present_stays() {
    let place = Place::new().await;
    let client = place.client();
    let catalog = catalog(&place, &client);
    let mut revision = Revision::ABSENT;
    for text in ["one", "two", "three"] {
        revision = catalog
            .write(&key(), &record(text), revision)
            .await
            .unwrap();
    }
    catalog.forget_history(&key(), revision).await.unwrap();
    let path = format!("catalog/acme/{}", key());
    let metadata = client.kv().metadata(&path).await.unwrap().unwrap();
    let destroyed: Vec<_> = metadata
        .versions
        .values()
        .map(|version| version.destroyed)
        .collect();
    assert_eq!(destroyed, [true, true, false]);
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("three"), revision))
    );
}

#[tokio::test]
async fn keys_are_listed_in_order_and_to_the_bottom() {
    let place = Place::new().await;
    let catalog = catalog(&place, &place.client());
    assert!(catalog.list("secrets").await.unwrap().is_empty());
    let keys = ["secrets/a", "secrets/b/c", "secrets/b/d/e", "secrets/f"];
    for key in keys.iter().rev().chain(&["backends/x", "default"]) {
        let key = RecordKey::new(*key);
        catalog
            .write(&key, &record("r"), Revision::ABSENT)
            .await
            .unwrap();
    }
    let listed = catalog.list("secrets").await.unwrap();
    assert_eq!(listed, keys.map(RecordKey::new));
}

#[tokio::test]
async fn what_is_no_record_is_corrupt_and_not_quoted() {
    let place = Place::new().await;
    let client = place.client();
    let path = format!("catalog/acme/{}", key());
    let data = serde_json::json!({"password": "hunter2"});
    client.kv().write(&path, &data, 0).await.unwrap();
    let error = catalog(&place, &client).read(&key()).await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Corrupt);
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let entry = client.kv().read::<serde_json::Value>(&path).await.unwrap();
    assert!(
        matches!(entry, KvEntry::Present { version: 1, .. }),
        "it is left alone"
    );
}
