//! Reseals: each value gets a new data key in the place of its version.

use jiff::Timestamp;
use planton_envelope::Envelope;

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb, VersionRecord};
use crate::kek::KeyEncryptionKey;
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{change, create, slug};
use crate::operations::tests::world::exposed;
use crate::operations::{FormerKeys, RewrapProgress, UpdateBackend};
use crate::store::{
    Fault, InMemoryStore, Landing, SecretStore, StoreCapability, StoreErrorKind, StoreVerb,
};

async fn reseal(
    process: &Organization,
    sealed_before: Timestamp,
) -> Result<RewrapProgress, OperationError> {
    let (vault, interrupt) = (slug("vault"), Interrupt::default());
    let keys = process.keys();
    keys.reseal(&vault, sealed_before, &|_| {}, &interrupt)
        .await
}

/// A backend with a secret of two versions and one of a single version.
async fn sealed(world: &World) -> SecretView {
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &["safe"])).await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let rotated = rotate(&view, "next");
    let rotated = process.secrets().update(rotated, &interrupt).await.unwrap();
    create(&process, "api", Some("vault")).await.unwrap();
    rotated
}

async fn versions(world: &World, named: &str) -> Vec<VersionRecord> {
    world.document(&name(named)).await.current.unwrap().versions
}

/// Returns the salt of each stored version, which no two data keys share.
async fn salts(world: &World, named: &str) -> Vec<Vec<u8>> {
    let secret = world.document(&name(named)).await.current.unwrap();
    let store = world.connector.place("a");
    let mut found = Vec::new();
    for version in &secret.versions {
        let stored = store.get(&secret.remote_name, &version.native_id).await;
        let envelope = Envelope::parse_stored(&stored.unwrap()).unwrap();
        assert_eq!(
            hex::encode(envelope.payload_digest()),
            version.payload_sha256
        );
        found.push(envelope.payload_digest().to_vec());
    }
    found
}

#[tokio::test]
async fn every_version_gets_a_new_data_key_in_its_place_and_the_former_envelope_is_deleted() {
    let world = World::new();
    sealed(&world).await;
    let before = (versions(&world, "db").await, salts(&world, "db").await);
    let objects = world.connector.place("a").payloads();

    let progress = reseal(&world.warm().await, Timestamp::now()).await.unwrap();
    assert_eq!((progress.rewrapped, progress.current), (3, 0));
    assert!(progress.failed.is_empty() && progress.kept.is_empty());
    let after = versions(&world, "db").await;
    for (old, new) in before.0.iter().zip(&after) {
        assert_eq!((old.number, old.revision), (new.number, new.revision));
        assert_eq!(old.created_at, new.created_at);
        assert_eq!(old.keks, new.keks);
        assert_ne!(old.payload_sha256, new.payload_sha256);
        assert_ne!(old.fingerprint, new.fingerprint);
        assert!(new.has_been(|payload| payload == old.payload_sha256));
    }
    let now = salts(&world, "db").await;
    assert!(before.1.iter().all(|salt| !now.contains(salt)));
    // As many objects as before, and none of them.
    let stored = world.connector.place("a").payloads();
    assert_eq!(stored.len(), objects.len());
    let kept = objects.iter().filter(|payload| stored.contains(payload));
    assert_eq!(kept.count(), 1, "the marker");
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
    let (process, db) = (world.process(), Selector::Name(name("db")));
    let first = process.secrets().open(&db, Some(1)).await.unwrap();
    assert_eq!(exposed(&first.value), "hunter2");
}

#[tokio::test]
async fn a_reseal_is_no_drift_and_a_plan_from_before_it_still_applies() {
    let world = World::new();
    let view = sealed(&world).await;
    reseal(&world.warm().await, Timestamp::now()).await.unwrap();
    let process = world.warm().await;
    let secrets = process.secrets();
    let now = match secrets.refresh(&seen(&view)).await.unwrap() {
        Refreshed::Present(now) => now,
        other => panic!("{other:?}"),
    };
    // What a state shows is as before; the value is compared under the new data key.
    let shown = |view: &SecretView| {
        let version = view.version.clone().unwrap();
        (version.number, version.revision, version.kek_id)
    };
    assert_eq!(shown(&now), shown(&view));
    for (value, expected) in [("next", true), ("other", false)] {
        let same = secrets.is_current_value(view.uuid, &text(value)).await;
        assert_eq!(same.unwrap(), expected);
    }
    let interrupt = Interrupt::default();
    let rotated = rotate(&view, "third");
    secrets.update(rotated, &interrupt).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "third");
    // A record from before the reseal is older than what was seen since.
    let mut document = world.document(&name("db")).await;
    let version = &mut document.current.as_mut().unwrap().versions[1];
    version.payload_sha256 = version.resealed.take().unwrap().former_payloads.remove(0);
    world.write_document(&name("db"), &document).await;
    let rolled_back = world.process();
    let rolled_back = rolled_back.secrets().refresh(&seen(&now)).await;
    assert!(
        matches!(rolled_back, Err(OperationError::RolledBack { .. })),
        "{rolled_back:?}"
    );
}

#[tokio::test]
async fn a_reseal_that_fails_anywhere_loses_nothing_and_one_with_the_same_time_finishes_it() {
    let mut faults = 0;
    for landing in [Landing::Before, Landing::After] {
        for nth in 1..=3 {
            for verb in [StoreVerb::Put, StoreVerb::Get, StoreVerb::Delete] {
                let world = World::new();
                sealed(&world).await;
                let kind = StoreErrorKind::Unavailable;
                world.connector.place("a").inject(Fault {
                    verb,
                    nth,
                    landing,
                    kind,
                });
                check_after_fault(&world).await;
                faults += 1;
            }
            let world = World::new();
            sealed(&world).await;
            let kind = CatalogErrorKind::Unavailable;
            world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
            check_after_fault(&world).await;
            faults += 1;
        }
    }
    assert_eq!(faults, 24);
}

async fn check_after_fault(world: &World) {
    let begun = Timestamp::now();
    let first = reseal(&world.warm().await, begun).await;
    let failed = first.as_ref().map_or(1, |progress| progress.failed.len());
    assert_eq!(failed, 1, "{first:?}");
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
    let puts = world.connector.place("a").calls(StoreVerb::Put);
    let second = reseal(&world.warm().await, begun).await.unwrap();
    assert!(second.failed.is_empty(), "{second:?}");
    assert_eq!(second.rewrapped + second.current, 3);
    let puts = world.connector.place("a").calls(StoreVerb::Put) - puts;
    assert_eq!(puts, second.rewrapped, "nothing is resealed twice");
    for named in ["db", "api"] {
        for version in versions(world, named).await {
            assert!(version.sealed_at() >= begun);
        }
    }
    assert_eq!(world.value("db").await.unwrap(), "next");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_value_that_is_written_during_a_reseal_wins() {
    let world = World::new();
    let view = sealed(&world).await;
    let other = world.warm().await;
    world.catalog.before(CatalogVerb::Write, 1, async move {
        let interrupt = Interrupt::default();
        let rotated = rotate(&view, "meanwhile");
        other.secrets().update(rotated, &interrupt).await.unwrap();
    });
    let progress = reseal(&world.warm().await, Timestamp::now()).await.unwrap();
    assert!(progress.failed.is_empty(), "{progress:?}");
    assert_eq!(world.value("db").await.unwrap(), "meanwhile");
    assert_eq!(world.value("api").await.unwrap(), "hunter2");
}

/// Rewraps the backend `vault`.
async fn rewrapped(process: &Organization) {
    let (vault, interrupt) = (slug("vault"), Interrupt::default());
    let keys = process.keys();
    let rewrapped = keys.rewrap(&vault, &|_| {}, &interrupt).await.unwrap();
    assert!(rewrapped.failed.is_empty(), "{rewrapped:?}");
}

#[tokio::test]
async fn a_reseal_whose_keys_are_removed_meanwhile_puts_nothing_under_them() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let puts = world.connector.place("a").calls(StoreVerb::Put);
    let other = world.warm().await;
    // The reseal has opened the backend's keys.
    world.catalog.before(CatalogVerb::List, 1, async move {
        let interrupt = Interrupt::default();
        let update = UpdateBackend {
            keys: keys(Some("two"), &[]),
            ..change(&backend)
        };
        other.backends().update(update, &interrupt).await.unwrap();
        rewrapped(&other).await;
        let removed = other.keys();
        let removed = removed.remove_former(&backend.name, &interrupt).await;
        assert!(matches!(removed.unwrap(), FormerKeys::Removed(_)));
    });
    let outcome = reseal(&world.warm().await, Timestamp::now()).await;
    let changed = OperationError::BackendChangedConcurrently {
        backend: slug("vault"),
    };
    assert_eq!(
        format!("{:?}", outcome.unwrap_err()),
        format!("{changed:?}")
    );
    let puts = world.connector.place("a").calls(StoreVerb::Put) - puts;
    assert_eq!(puts, 1, "that of the rewrap");
    let two = world.kek_connector.key("two").id().clone();
    assert_eq!(versions(&world, "db").await[0].keks, [two]);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_reseal_beside_an_added_escrow_key_does_not_end_well() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let other = world.warm().await;
    world
        .connector
        .place("a")
        .before(StoreVerb::Put, 1, async move {
            let update = UpdateBackend {
                keys: keys(Some("one"), &["safe"]),
                ..change(&backend)
            };
            let interrupt = Interrupt::default();
            other.backends().update(update, &interrupt).await.unwrap();
        });
    let outcome = reseal(&world.warm().await, Timestamp::now()).await;
    assert!(
        matches!(
            outcome,
            Err(OperationError::BackendChangedConcurrently { .. })
        ),
        "{outcome:?}"
    );
    rewrapped(&world.warm().await).await;
    let safe = world.kek_connector.key("safe").id().clone();
    assert!(versions(&world, "db").await[0].keks.contains(&safe));
}

#[tokio::test]
async fn a_version_that_a_rewrap_overtakes_is_reported_and_resealed_by_the_next_call() {
    for verb in [StoreVerb::Get, StoreVerb::Put] {
        let world = World::new();
        sealed(&world).await;
        world.kek_connector.key("one").rotate();
        let (begun, place) = (Timestamp::now(), world.connector.place("a"));
        let (other, process) = (world.warm().await, world.warm().await);
        place.before(verb, 1, async move { rewrapped(&other).await });
        let progress = reseal(&process, begun).await.unwrap();
        assert!(!progress.failed.is_empty(), "{verb:?}: {progress:?}");
        let handled = progress.rewrapped + progress.current + progress.failed.len();
        assert_eq!(handled, 3, "{verb:?}: {progress:?}");
        let next = reseal(&world.warm().await, begun).await.unwrap();
        assert!(next.failed.is_empty(), "{next:?}");
        for named in ["db", "api"] {
            let all = versions(&world, named).await;
            assert!(all.iter().all(|version| version.sealed_at() >= begun));
        }
    }
}

#[tokio::test]
async fn all_that_a_store_keeps_is_reported_by_an_interrupted_reseal_or_by_the_next() {
    let capability = StoreCapability {
        deletes_versions: false,
        ..InMemoryStore::default().capability().clone()
    };
    let world = World::with_store(InMemoryStore::new(capability));
    created(&world, "db", "x").await;
    let first = versions(&world, "db").await[0].native_id.clone();
    world.kek.rotate();
    let (platform, interrupt) = (slug("platform"), Interrupt::default());
    let process = world.warm().await;
    let keys = process.keys();
    let rewrapped = keys.rewrap(&platform, &|_| {}, &interrupt).await.unwrap();
    assert_eq!(rewrapped.kept.len(), 1);
    let second = versions(&world, "db").await[0].native_id.clone();
    let begun = Timestamp::now();
    let kept = |progress: RewrapProgress| {
        let kept = progress.kept.into_iter();
        kept.map(|one| one.version).collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let process = world.warm().await;
        let keys = process.keys();
        let resealed = keys.reseal(&platform, begun, &|_| {}, &interrupt).await;
        assert_eq!(kept(resealed.unwrap()), [first.clone(), second.clone()]);
    }
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_version_that_a_clock_ahead_has_sealed_is_due() {
    let world = World::new();
    sealed(&world).await;
    let mut document = world.document(&name("api")).await;
    let version = &mut document.current.as_mut().unwrap().versions[0];
    version.created_at = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    world.write_document(&name("api"), &document).await;
    let progress = reseal(&world.warm().await, Timestamp::now()).await.unwrap();
    assert_eq!((progress.rewrapped, progress.current), (3, 0));
}
