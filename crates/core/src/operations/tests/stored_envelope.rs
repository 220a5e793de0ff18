//! Fetching a stored envelope, with and without a key that unwraps the MAC key.

use super::*;
use crate::kek::{KekErrorKind, KekPins};
use crate::operations::tests::backends::create;
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::slug;
use crate::store::StoreVerb;

#[tokio::test]
async fn the_envelope_of_the_built_in_backend_is_fetched_with_read_access_alone() {
    let world = World::new();
    let view = created(&world, "db", "first").await;
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let rotated = rotate(&view, "second");
    process.secrets().update(rotated, &interrupt).await.unwrap();
    let versions = world.document(&name("db")).await.current.unwrap().versions;

    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let before = world.counts();
    let process = world.process();
    for (number, version) in [(None, &versions[1]), (Some(1), &versions[0])] {
        let stored = process.keys().stored_envelope(&name("db"), number).await;
        let stored = stored.unwrap();
        assert!(!stored.is_verified);
        let digest = hex::encode(stored.envelope.payload_digest());
        assert_eq!(digest, version.payload_sha256);
        assert_eq!(
            (stored.context.version, stored.keks),
            (version.number, version.keks.clone())
        );
    }
    let counts = world.counts() - before;
    assert_eq!((counts.write, counts.put, counts.wrap), (0, 0, 0));
    let missing = process.keys().stored_envelope(&name("db"), Some(3)).await;
    assert!(matches!(
        missing,
        Err(OperationError::VersionNotFound { version: 3, .. })
    ));

    world.kek.allow();
    let process = world.process();
    let stored = process.keys().stored_envelope(&name("db"), None).await;
    assert!(stored.unwrap().is_verified);
}

#[tokio::test]
async fn an_unverified_record_of_a_registered_backend_sends_its_credential_nowhere() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let refused = world.process();
    let refused = refused.keys().stored_envelope(&name("db"), None).await;
    let denied = matches!(&refused, Err(OperationError::Kek(error))
        if error.kind() == KekErrorKind::PermissionDenied);
    assert!(denied, "{refused:?}");
    world.kek.allow();
    let process = world.process();
    let stored = process.keys().stored_envelope(&name("db"), None).await;
    assert!(stored.unwrap().is_verified);
}

#[tokio::test]
async fn a_pinned_fingerprint_accepts_no_record_whose_mac_key_does_not_unwrap() {
    let world = World::new();
    created(&world, "db", "first").await;
    let fingerprint = world.warm().await.keys().fingerprint().await.unwrap();
    let pinned = || {
        world.process().with_pins(KekPins {
            organization: Some(fingerprint),
            allowed_key_ids: None,
        })
    };
    world.kek.deny(KekVerb::Unwrap, KekErrorKind::Refused);
    let before = world.counts();
    let process = pinned();
    let refused = process.keys().stored_envelope(&name("db"), None).await;
    let is_refused = matches!(&refused, Err(OperationError::Kek(error))
        if error.kind() == KekErrorKind::Refused
            && error.remedy().is_some_and(|remedy| remedy.contains("remove the pin")));
    assert!(is_refused, "{refused:?}");
    assert_eq!((world.counts() - before).get, 0);

    // Without a pin, the record stays unverified, and the result says so.
    let process = world.process();
    let stored = process.keys().stored_envelope(&name("db"), None).await;
    assert!(!stored.unwrap().is_verified);

    // A key that is out of reach is no sign of an altered record.
    world.kek.allow();
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let process = pinned();
    let stored = process.keys().stored_envelope(&name("db"), None).await;
    assert!(!stored.unwrap().is_verified);
}

/// A rotation that keeps one version removes the one that the record named, as a rewrap and a
/// reseal do.
#[tokio::test]
async fn a_version_that_is_replaced_meanwhile_is_fetched_as_the_record_names_it_by_then() {
    for denied in [false, true] {
        let world = World::new();
        let view = created(&world, "db", "first").await;
        let process = world.warm().await;
        let unverified = world.process();
        let writer = world.warm().await;
        let reader = match denied {
            true => &unverified,
            false => &process,
        };
        if denied {
            // The writer has unwrapped the MAC key before.
            world
                .kek
                .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
        }
        world.store.before(StoreVerb::Get, 1, async move {
            let mut update = rotate(&view, "second");
            update.arguments.keep_versions = 1;
            let interrupt = Interrupt::default();
            writer.secrets().update(update, &interrupt).await.unwrap();
            writer.settle().await;
        });
        let before = world.counts();
        let stored = reader.keys().stored_envelope(&name("db"), None).await;
        let stored = stored.unwrap();
        let current = world.document(&name("db")).await.current.unwrap();
        let digest = hex::encode(stored.envelope.payload_digest());
        assert_eq!(stored.is_verified, !denied);
        assert_eq!(stored.context.version, 2);
        assert_eq!(digest, current.versions[0].payload_sha256);
        assert_eq!((world.counts() - before).get, 2);
    }
}

#[tokio::test]
async fn a_version_that_a_reseal_replaces_meanwhile_is_fetched_again() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("one"), &[])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let writer = world.warm().await;
    let place = world.connector.place("a");
    place.before(StoreVerb::Get, 1, async move {
        let (vault, interrupt) = (slug("vault"), Interrupt::default());
        let now = jiff::Timestamp::now();
        let keys = writer.keys();
        keys.reseal(&vault, now, &|_| {}, &interrupt).await.unwrap();
    });
    let stored = process.keys().stored_envelope(&name("db"), None).await;
    let current = world.document(&name("db")).await.current.unwrap();
    let digest = hex::encode(stored.unwrap().envelope.payload_digest());
    assert_eq!(digest, current.versions[0].payload_sha256);
}

/// A version that is lost for good costs one more read of the record.
#[tokio::test]
async fn a_version_that_is_lost_is_read_once() {
    let world = World::new();
    created(&world, "db", "first").await;
    let object = world.store.objects().remove(0);
    let version = world.store.versions(&object).pop().unwrap();
    assert!(world.store.remove_version(&object, &version));
    let process = world.warm().await;
    let before = world.counts();
    let lost = process.keys().stored_envelope(&name("db"), None).await;
    assert!(
        matches!(lost, Err(OperationError::VersionLost { .. })),
        "{lost:?}"
    );
    let spent = world.counts() - before;
    assert_eq!((spent.get, spent.read, spent.fenced), (1, 1, 1));
}
