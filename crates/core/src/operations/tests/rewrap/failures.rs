//! What fails in a rewrap is named, and everything else goes on.

use std::sync::Mutex;

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::kek::KekPins;
use crate::store::{Fault, Landing, StoreErrorKind};

/// Returns what failed: its name, and the version.
fn failed(progress: &RewrapProgress) -> Vec<(&str, Option<u64>)> {
    let failed = progress.failed.iter();
    failed
        .map(|one| (one.subject.as_str(), one.version))
        .collect()
}

/// Fails the calls of a verb of the backend's store.
fn fail_store(world: &World, verb: StoreVerb, nth: usize) {
    world.connector.place("a").inject(Fault {
        verb,
        nth,
        landing: Landing::Before,
        kind: StoreErrorKind::Unavailable,
    });
}

#[tokio::test]
async fn a_rewrap_that_fails_anywhere_loses_nothing_and_the_next_one_finishes_it() {
    let faults = Mutex::new(0);
    for landing in [Landing::Before, Landing::After] {
        for nth in 1..=3 {
            for verb in [StoreVerb::Put, StoreVerb::Get, StoreVerb::Delete] {
                let world = World::new();
                moved(&world).await;
                let store = world.connector.place("a");
                let kind = StoreErrorKind::Unavailable;
                store.inject(Fault {
                    verb,
                    nth,
                    landing,
                    kind,
                });
                check_after_fault(&world).await;
                *faults.lock().unwrap() += 1;
            }
            let world = World::new();
            moved(&world).await;
            let kind = CatalogErrorKind::Unavailable;
            world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
            check_after_fault(&world).await;
        }
    }
    assert_eq!(*faults.lock().unwrap(), 18);
}

async fn check_after_fault(world: &World) {
    let first = rewrap(&world.warm().await).await;
    let failed = first.as_ref().map_or(1, |progress| progress.failed.len());
    assert_eq!(failed, 1, "{first:?}");
    // Everything still opens in between.
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
    let second = rewrap(&world.warm().await).await.unwrap();
    assert!(second.failed.is_empty(), "{second:?}");
    gone(world, "one");
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn one_version_that_fails_does_not_keep_the_others_and_is_named() {
    let world = World::new();
    moved(&world).await;
    let document = world.document(&name("api")).await;
    let secret = document.current.unwrap();
    let native_id = &secret.versions[0].native_id;
    let store = world.connector.place("a");
    assert!(store.remove_version(&secret.remote_name, native_id));
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!(progress.rewrapped, 2);
    assert_eq!(failed(&progress), [("api", Some(1))]);
    // The former key stays until all is well.
    let stored = world
        .stored(&RecordKey::new("backends/vault"))
        .await
        .unwrap();
    assert!(stored.body.contains("former"), "{}", stored.body);
}

#[tokio::test]
async fn an_altered_document_fails_alone_and_keeps_the_former_keys() {
    let world = World::new();
    moved(&world).await;
    let key = record_key_of_name(&name("api"));
    let stored = world.stored(&key).await.unwrap();
    let alter = |body: &str| body.replacen("\"generation\":", "\"generation\":1", 1);
    world.alter(&name("api"), alter).await;

    let process = world.warm().await;
    let progress = rewrap(&process).await.unwrap();
    assert_eq!(progress.rewrapped, 2);
    assert_eq!((progress.documents, progress.looked_at), (2, 2));
    assert_eq!(failed(&progress), [(key.as_str(), None)]);
    let error = &progress.failed[0].error;
    assert!(error.contains("an altered record"), "{error}");
    let interrupt = Interrupt::default();
    let vault = slug("vault");
    let removed = process.keys().remove_former(&vault, &interrupt).await;
    let FormerKeys::Needed(by) = removed.unwrap() else {
        panic!("an altered record may need them");
    };
    assert!(by.len() == 1 && by[0].contains(key.as_str()), "{by:?}");

    // Once it is restored, the next rewrap does what is left.
    world.catalog.overwrite(&key, stored);
    let process = world.warm().await;
    let progress = rewrap(&process).await.unwrap();
    assert_eq!((progress.rewrapped, progress.current), (1, 2));
    assert_eq!(failed(&progress), []);
    let removed = process.keys().remove_former(&vault, &interrupt).await;
    assert!(matches!(removed, Ok(FormerKeys::Removed(_))), "{removed:?}");
    gone(&world, "one");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_document_that_is_no_record_fails_alone() {
    let world = World::new();
    moved(&world).await;
    let key = record_key_of_name(&name("db"));
    world.forge(key.as_str(), |_| "{}".to_owned()).await;
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!(progress.rewrapped, 1);
    assert_eq!(failed(&progress), [(key.as_str(), None)]);
}

#[tokio::test]
async fn a_superseded_envelope_that_stays_is_named_and_the_next_rewrap_deletes_it() {
    let world = World::new();
    moved(&world).await;
    let store = world.connector.place("a");
    let objects = store.payloads().len();
    for nth in [1, 2] {
        fail_store(&world, StoreVerb::Delete, nth);
    }
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!((progress.rewrapped, progress.failed.len()), (3, 2));
    assert_eq!(store.payloads().len(), objects + 2);

    // The wraps are current now. What is left is deleted, and a failure there is named too.
    fail_store(&world, StoreVerb::Delete, 1);
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!((progress.current, progress.failed.len()), (3, 1));
    assert_eq!(store.payloads().len(), objects + 1);
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!(failed(&progress), []);
    assert_eq!(store.payloads().len(), objects);
}

#[tokio::test]
async fn a_catalog_that_fails_ends_the_rewrap_at_once() {
    use CatalogVerb::{Read, Write};
    for (verb, nth) in [(Read, 1), (Write, 1)] {
        let world = World::new();
        let process = world.warm().await;
        declared_with(&process, keys(Some("one"), &[])).await;
        for number in 0..120 {
            let named = format!("s{number}");
            create(&process, &named, Some("vault")).await.unwrap();
        }
        world.kek_connector.key("one").rotate();
        let process = world.warm().await;
        let kind = CatalogErrorKind::Unavailable;
        world.fail_catalog(verb, nth, Landing::Before, kind);
        let ended = rewrap(&process).await;
        assert!(
            matches!(&ended, Err(OperationError::Catalog(error)) if error.kind() == kind),
            "{verb:?}: {ended:?}"
        );
        // Whatever had begun was finished, and nothing else began.
        let puts = world.connector.place("a").calls(StoreVerb::Put);
        assert!(puts <= 120 + 1 + 8, "{verb:?}: {puts}");
        let progress = rewrap(&world.warm().await).await.unwrap();
        assert_eq!(failed(&progress), []);
        assert_eq!(progress.rewrapped + progress.current, 120);
    }
}

#[tokio::test]
async fn a_rewrap_for_a_key_that_is_not_allowed_ends_before_anything_is_put() {
    let world = World::new();
    moved(&world).await;
    let process = world.process().with_pins(KekPins {
        organization: None,
        allowed_key_ids: Some([pin_of(world.kek.id())].into_iter().collect()),
    });
    let puts = world.connector.place("a").calls(StoreVerb::Put);
    let refused = rewrap(&process).await;
    let is_refused = matches!(refused, Err(OperationError::KeyNotAllowed { .. }));
    assert!(is_refused, "{refused:?}");
    assert_eq!(world.connector.place("a").calls(StoreVerb::Put), puts);
}

#[tokio::test]
async fn a_removal_of_former_keys_that_fails_is_finished_by_the_next_one() {
    for landing in [Landing::Before, Landing::After] {
        let world = World::new();
        moved(&world).await;
        rewrap(&world.warm().await).await.unwrap();
        let (process, vault) = (world.warm().await, slug("vault"));
        let interrupt = Interrupt::default();
        let kind = CatalogErrorKind::Unavailable;
        world.fail_catalog(CatalogVerb::Write, 1, landing, kind);
        let failed = process.keys().remove_former(&vault, &interrupt).await;
        assert!(failed.is_err(), "{landing:?}: {failed:?}");
        assert_eq!(world.value("db").await.unwrap(), "next");

        let process = world.warm().await;
        let removed = process.keys().remove_former(&vault, &interrupt).await;
        let one = pin_of(world.kek_connector.key("one").id());
        let left = match landing {
            Landing::Before => vec![one],
            Landing::After => Vec::new(),
        };
        assert_eq!(removed.unwrap(), FormerKeys::Removed(left));
        gone(&world, "one");
        assert_eq!(world.value("db").await.unwrap(), "next");
        assert_eq!(world.value("api").await.unwrap(), "hunter2");
    }
}
