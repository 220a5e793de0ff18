//! Rewraps: every wrap moves, no payload does.

mod beside_applies;
mod denials;
mod failures;
mod stale_reads;

use planton_envelope::Envelope;

use super::*;
use crate::catalog::{CatalogStore, RecordKey, record_key_of_name};
use crate::kek::{KekErrorKind, KeyEncryptionKey, pin_of};
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{change, create, slug};
use crate::operations::{FormerKeys, RewrapProgress, UpdateBackend};
use crate::store::{SecretStore, StoreVerb};

async fn rewrap(process: &Organization) -> Result<RewrapProgress, OperationError> {
    let interrupt = Interrupt::default();
    let keys = process.keys();
    keys.rewrap(&slug("vault"), &|_| {}, &interrupt).await
}

/// Returns the stored envelopes of a secret, one for each version of its record.
async fn envelopes(world: &World, named: &str) -> Vec<Envelope> {
    let document = world.document(&name(named)).await;
    let secret = document.current.unwrap();
    let store = world.connector.place("a");
    let mut found = Vec::new();
    for version in &secret.versions {
        let stored = store.get(&secret.remote_name, &version.native_id).await;
        found.push(Envelope::parse_stored(&stored.unwrap()).unwrap());
    }
    found
}

fn payloads(envelopes: &[Envelope]) -> Vec<[u8; 32]> {
    envelopes.iter().map(Envelope::payload_digest).collect()
}

/// A backend under the key `one` with secrets of one and of two versions, and then under
/// the key `two` with an escrow key.
async fn moved(world: &World) {
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let rotated = rotate(&view, "next");
    process.secrets().update(rotated, &interrupt).await.unwrap();
    create(&process, "api", Some("vault")).await.unwrap();
    let update = UpdateBackend {
        keys: keys(Some("two"), &["safe"]),
        ..change(&backend)
    };
    process.backends().update(update, &interrupt).await.unwrap();
}

fn gone(world: &World, key: &str) {
    let key = world.kek_connector.key(key);
    key.deny(KekVerb::Unwrap, KekErrorKind::NotFound);
    key.deny(KekVerb::Wrap, KekErrorKind::NotFound);
}

#[tokio::test]
async fn every_version_moves_to_the_new_key_and_no_payload_changes() {
    let world = World::new();
    moved(&world).await;
    let before = payloads(&envelopes(&world, "db").await);
    let objects = world.connector.place("a").payloads().len();

    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!((progress.rewrapped, progress.current), (3, 0));
    assert!(
        progress.failed.is_empty() && progress.kept.is_empty(),
        "{progress:?}"
    );
    let after = envelopes(&world, "db").await;
    assert_eq!(payloads(&after), before);
    let ids = ["two", "safe"].map(|key| world.kek_connector.key(key).id().clone());
    for envelope in &after {
        let wraps: Vec<_> = envelope.wrapped_keys().iter().map(|(kek, _)| kek).collect();
        assert_eq!(wraps, ids.iter().collect::<Vec<_>>());
    }
    // Superseded envelopes are deleted. The former key stays in the record until somebody
    // says that no process uses it.
    assert_eq!(world.connector.place("a").payloads().len(), objects);
    let stored = world
        .stored(&RecordKey::new("backends/vault"))
        .await
        .unwrap();
    assert!(stored.body.contains("former"), "{}", stored.body);
    let interrupt = Interrupt::default();
    let (process, vault) = (world.warm().await, slug("vault"));
    let removed = process.keys().remove_former(&vault, &interrupt);
    let one = pin_of(world.kek_connector.key("one").id());
    assert_eq!(removed.await.unwrap(), FormerKeys::Removed(vec![one]));
    gone(&world, "one");
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
    let stored = world
        .stored(&RecordKey::new("backends/vault"))
        .await
        .unwrap();
    assert!(!stored.body.contains("former"), "{}", stored.body);
}

#[tokio::test]
async fn a_second_rewrap_finds_all_wraps_current_and_writes_nothing() {
    let world = World::new();
    moved(&world).await;
    rewrap(&world.warm().await).await.unwrap();
    let process = world.warm().await;
    let before = world.counts();
    let progress = rewrap(&process).await.unwrap();
    assert_eq!((progress.rewrapped, progress.current), (0, 3));
    assert_eq!((world.counts() - before).write, 0);
}

#[tokio::test]
async fn a_plan_from_before_a_rewrap_still_applies() {
    let world = World::new();
    moved(&world).await;
    let process = world.warm().await;
    let view = process.secrets().find(&name("db")).await.unwrap();
    rewrap(&world.warm().await).await.unwrap();
    let process = world.warm().await;
    let seen = process.secrets().refresh(&seen(&view)).await.unwrap();
    assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
    let rotated = rotate(&view, "third");
    let interrupt = Interrupt::default();
    process.secrets().update(rotated, &interrupt).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "third");
}

#[tokio::test]
async fn a_rewrap_of_many_versions_takes_a_read_each_and_one_call_of_the_kms_a_hundred() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &[])).await;
    for number in 0..120 {
        let named = format!("s{number}");
        create(&process, &named, Some("vault")).await.unwrap();
    }
    let one = world.kek_connector.key("one");
    one.rotate();
    let process = world.warm().await;
    let store = world.connector.place("a");
    let before = (
        world.counts(),
        store.calls(StoreVerb::Get),
        store.calls(StoreVerb::Put),
    );
    let progress = rewrap(&process).await.unwrap();
    assert_eq!(progress.rewrapped, 120);
    assert_eq!(one.calls(KekVerb::Rewrap), 2);
    assert_eq!(store.calls(StoreVerb::Get) - before.1, 120);
    assert_eq!(store.calls(StoreVerb::Put) - before.2, 120);
    let counts = world.counts() - before.0;
    assert_eq!(counts.write, 120);
    // Each document. The records of organization and backend: once to open them, and to compare
    // their keys twice in each of the two passes.
    assert_eq!(
        counts.read + counts.fenced,
        120 + 2 + 2 * 2 * 2,
        "{counts:?}"
    );
}

#[tokio::test]
async fn former_keys_stay_while_a_version_needs_them() {
    let world = World::new();
    moved(&world).await;
    let (process, vault) = (world.warm().await, slug("vault"));
    // A process that opened the backend before its keys changed still wraps for the former.
    let late = world.warm().await;
    create(&late, "early", Some("vault")).await.unwrap();
    rewrap(&process).await.unwrap();
    let interrupt = Interrupt::default();
    let update = UpdateBackend {
        keys: keys(Some("three"), &[]),
        ..change(&process.backends().find(&vault).await.unwrap())
    };
    process.backends().update(update, &interrupt).await.unwrap();
    create(&late, "late", Some("vault")).await.unwrap();
    let process = world.warm().await;
    let removed = process.keys().remove_former(&vault, &interrupt).await;
    let FormerKeys::Needed(by) = removed.unwrap() else {
        panic!("versions are under the former keys");
    };
    assert_eq!(
        by,
        [
            "api, version 1",
            "db, version 1",
            "db, version 2",
            "early, version 1",
            "late, version 1"
        ]
    );
    // A record that somebody deleted may be restored, and then needs them as well.
    rewrap(&process).await.unwrap();
    let key = record_key_of_name(&name("api"));
    world.catalog.remove(&key).await.unwrap();
    let process = world.warm().await;
    let removed = process.keys().remove_former(&vault, &interrupt).await;
    let FormerKeys::Needed(by) = removed.unwrap() else {
        panic!("a record is missing");
    };
    assert!(by.len() == 1 && by[0].contains("is missing"), "{by:?}");
}

#[tokio::test]
async fn an_escrow_key_that_only_encrypts_keeps_no_version_under_a_former_key() {
    let world = World::new();
    moved(&world).await;
    let safe = world.kek_connector.key("safe");
    safe.deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    safe.deny(KekVerb::Rewrap, KekErrorKind::PermissionDenied);
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!((progress.rewrapped, progress.failed.len()), (3, 0));
    let interrupt = Interrupt::default();
    let process = world.warm().await;
    let update = UpdateBackend {
        keys: keys(Some("three"), &["safe"]),
        ..change(&process.backends().find(&slug("vault")).await.unwrap())
    };
    process.backends().update(update, &interrupt).await.unwrap();
    let calls = safe.calls(KekVerb::Wrap);
    let progress = rewrap(&world.warm().await).await.unwrap();
    assert_eq!((progress.rewrapped, progress.failed.len()), (3, 0));
    // Its wraps show that they are the newest, and stay.
    assert_eq!(safe.calls(KekVerb::Wrap), calls);
    gone(&world, "two");
    assert_eq!(world.value("db").await.unwrap(), "next");
}
