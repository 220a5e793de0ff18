//! Fetching a stored envelope, with and without a key that unwraps the MAC key.

use super::*;
use crate::kek::KekErrorKind;
use crate::operations::tests::backends::create;
use crate::operations::tests::backends::keys::{declared_with, keys};

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
