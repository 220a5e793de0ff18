//! What a migration leaves to others, and what others leave to its end.

use super::*;
use crate::catalog::{CatalogStore as _, CatalogVerb, StoredRecord};

#[tokio::test(start_paused = true)]
async fn a_sweep_moves_the_entry_of_a_late_creation_that_was_killed() {
    let pair = Pair::new();
    filled(&pair).await;
    let catalog = &pair.source.catalog;
    let cert = catalog.list("entries").await.unwrap().remove(0);
    let stored = pair.source.stored(&cert).await.unwrap();
    let process = pair.source.warm().await;
    let mac_key = process.keys().mac_key().await.unwrap();
    pair.migrated().await;
    let mut body: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
    body["name"] = serde_json::to_value(name("late")).unwrap();
    body["written_at"] = jiff::Timestamp::now().to_string().into();
    let body = body.to_string();
    let end = cert.as_str().len() - 16;
    let late = RecordKey::new(format!("{}{:016x}", &cert.as_str()[..end], 7));
    let mac = hex::encode(mac_key.mac(late.as_str(), body.as_bytes()));
    catalog.overwrite(&late, StoredRecord { body, mac });

    let interrupt = Interrupt::default();
    let swept = pair.migration().sweep(&|_| {}, &interrupt).await.unwrap();
    assert_eq!(swept.failed, []);
    let entries = pair.target.catalog.list("entries").await.unwrap();
    assert!(entries.contains(&late), "{entries:?}");
    assert_eq!(entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_target_does_not_come_into_use_while_the_source_is_in_use_again() {
    let pair = Pair::new();
    filled(&pair).await;
    let key = RecordKey::new("organization");
    let before = pair.source.stored(&key).await.unwrap();
    // Something else puts the record of before there while the migration waits.
    let catalog = Arc::clone(&pair.source.catalog);
    let restored = async move {
        catalog.overwrite(&key, before);
    };
    pair.source.catalog.before(CatalogVerb::List, 4, restored);
    let refused = pair.migrate().await.unwrap_err();
    assert!(
        matches!(refused, OperationError::ChangedConcurrently { .. }),
        "{refused:?}"
    );
    let target = pair.target.process().keys().status().await.unwrap_err();
    let found = elsewhere(&target).unwrap_or_else(|| panic!("{target:?}"));
    assert_eq!(found.progress, MoveProgress::Arriving);
}

#[tokio::test(start_paused = true)]
async fn a_destruction_by_a_process_from_before_the_departure_does_not_block_the_return() {
    let pair = Pair::new();
    let [db, ..] = filled(&pair).await;
    let early = pair.source.warm().await;
    pair.migrated().await;
    let back = pair.back();
    let changed = async move {
        let interrupt = Interrupt::default();
        let owned = own(&db);
        early.secrets().delete(&owned, &interrupt).await.unwrap();
        early.settle().await;
    };
    back.source.catalog.before(CatalogVerb::List, 4, changed);
    back.migrated().await;
    assert!(pair.source.document(&name("db")).await.current.is_none());
    assert_eq!(pair.source.value("prod/api").await.unwrap(), "hunter2");
}

#[tokio::test(start_paused = true)]
async fn a_lost_version_is_not_reported_as_unopened() {
    let pair = Pair::new();
    filled(&pair).await;
    let document = pair.source.document(&name("db")).await;
    let secret = document.current.unwrap();
    let last = secret.versions.last().unwrap().native_id.clone();
    let what = Deletion::Versions(vec![last]);
    let store = &pair.source.store;
    store.delete(&secret.remote_name, what).await.unwrap();
    for _ in 0..2 {
        let done = pair.migrate().await.unwrap();
        assert!(done.is_complete);
        assert_eq!(done.unopened, []);
    }
}
