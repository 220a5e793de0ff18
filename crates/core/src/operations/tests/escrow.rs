//! Escrow keys of an organization: its MAC key and its own secrets are wrapped for them.

use uuid::Uuid;

use super::*;
use crate::catalog::{
    CatalogErrorKind, CatalogVerb, OrganizationRecord, OrganizationState, RecordKey,
};
use crate::kek::{
    KekErrorKind, KekPins, KeyEncryptionKey, OrganizationFingerprint, WrapNames, pin_of,
};
use crate::operations::DeclaredKek;
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{create, slug};
use crate::store::Landing;
use planton_envelope::{Envelope, KekId, MacKey, WrapBinding, WrappedKey};

pub(super) fn key() -> RecordKey {
    RecordKey::new("organization")
}

pub(super) fn escrow(names: &[&str]) -> Vec<DeclaredKek> {
    keys(None, names).escrow
}

pub(super) fn safe() -> DeclaredKek {
    escrow(&["safe"]).remove(0)
}

pub(super) fn id(world: &World, key: &str) -> KekId {
    world.kek_connector.key(key).id().clone()
}

pub(super) async fn record(world: &World) -> OrganizationRecord {
    let stored = world.stored(&key()).await.unwrap();
    serde_json::from_str(&stored.body).unwrap()
}

fn mac_wraps(record: &OrganizationRecord) -> Vec<(KekId, WrappedKey)> {
    let OrganizationState::Ready { mac_key } = &record.state else {
        panic!("not ready");
    };
    let wraps = mac_key.iter().map(|wrap| {
        let wrapped = WrappedKey::new(hex::decode(&wrap.wrapped).unwrap());
        (wrap.kek.clone(), wrapped)
    });
    wraps.collect()
}

/// Returns the fingerprint of the MAC key, unwrapped with the escrow key `named` alone.
async fn fingerprint_through(world: &World, named: &str) -> OrganizationFingerprint {
    let record = record(world).await;
    let kek = world.kek_connector.key(named);
    let names = WrapNames::mac_key(&record.organization);
    let binding = WrapBinding::for_mac_key(record.uuid, kek.id());
    let wraps = mac_wraps(&record);
    let (_, wrapped) = wraps.iter().find(|(id, _)| id == kek.id()).unwrap();
    let key = kek.unwrap(wrapped, names.bound(binding)).await.unwrap();
    OrganizationFingerprint::of_commitment(&MacKey::from_data_key(key).commitment())
}

/// Starts a process that pins the organization and these escrow keys.
pub(super) async fn pinned(world: &World, escrow: &[&str]) -> Organization {
    let fingerprint = world.warm().await.keys().fingerprint().await.unwrap();
    let mut allowed = vec![pin_of(world.kek.id()), pin_of(world.mac_kek.id())];
    allowed.extend(escrow.iter().map(|named| pin_of(&id(world, named))));
    world.process().with_pins(KekPins {
        organization: Some(fingerprint),
        allowed_key_ids: Some(allowed.into_iter().collect()),
    })
}

/// Returns who wrapped the current version of a secret in the built-in backend.
pub(super) async fn wrapped_by(world: &World, named: &str) -> Vec<KekId> {
    let document = world.document(&name(named)).await;
    let secret = document.current.unwrap();
    let version = secret.versions.last().unwrap();
    let store = world.store.as_ref();
    let stored =
        crate::store::SecretStore::get(store, &secret.remote_name, &version.native_id).await;
    let envelope = Envelope::parse_stored(&stored.unwrap()).unwrap();
    let wraps = envelope.wrapped_keys().iter();
    wraps.map(|(kek, _)| kek.clone()).collect()
}

#[tokio::test]
async fn an_organization_begins_with_escrow_keys_in_one_commit() {
    let world = World::new();
    let process = world.process();
    let interrupt = Interrupt::default();
    let declared = escrow(&["safe", "vault"]);
    let done = process
        .keys()
        .initialize(&declared, &interrupt)
        .await
        .unwrap();
    assert!(done.is_new);
    let ids = [
        world.kek.id().clone(),
        id(&world, "safe"),
        id(&world, "vault"),
    ];
    let wrapping: Vec<KekId> = done.status.wrapping().into_iter().cloned().collect();
    assert_eq!(wrapping, ids);
    let wraps: Vec<KekId> = mac_wraps(&record(&world).await)
        .into_iter()
        .map(|w| w.0)
        .collect();
    assert_eq!(wraps, ids);
    let fingerprint = process.keys().fingerprint().await.unwrap();
    for named in ["safe", "vault"] {
        assert_eq!(fingerprint_through(&world, named).await, fingerprint);
    }
    created(&world, "db", "hunter2").await;
    assert_eq!(wrapped_by(&world, "db").await, ids);

    // Again with the same keys, which an operator does whose command was killed.
    let again = world.process();
    let again = again
        .keys()
        .initialize(&declared, &interrupt)
        .await
        .unwrap();
    assert!(!again.is_new);
    assert_eq!(again.status, done.status);
    for other in [escrow(&[]), escrow(&["safe"]), escrow(&["safe", "other"])] {
        let refused = world.process();
        let refused = refused.keys().initialize(&other, &interrupt).await;
        let refused = matches!(refused, Err(OperationError::AlreadyInitialized { .. }));
        assert!(refused, "{other:?}");
    }
}

#[tokio::test]
async fn an_initialization_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    let declared = escrow(&["safe"]);
    let interrupt = Interrupt::default();
    let mut failures = 0;
    for nth in 1..=2 {
        for landing in [Landing::Before, Landing::After] {
            for kind in [Conflict, Unavailable] {
                let world = World::new();
                world.fail_catalog(CatalogVerb::Write, nth, landing, kind);
                let first = world.process();
                let first = first.keys().initialize(&declared, &interrupt).await;
                assert_eq!(first.is_ok(), kind == Conflict, "{first:?}");
                let second = world.process();
                let second = second.keys().initialize(&declared, &interrupt).await;
                let fingerprint = world.process().keys().fingerprint().await.unwrap();
                assert_eq!(fingerprint_through(&world, "safe").await, fingerprint);
                assert_eq!(second.unwrap().status.escrow.len(), 1);
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 8);
    // An escrow key that cannot be used leaves an organization that is not ready.
    let world = World::new();
    let safe = world.kek_connector.key("safe");
    safe.deny(KekVerb::Wrap, KekErrorKind::PermissionDenied);
    let refused = world
        .process()
        .keys()
        .initialize(&declared, &interrupt)
        .await;
    let refused = matches!(refused, Err(OperationError::KeyProbeFailed { .. }));
    assert!(refused && !record(&world).await.state.is_ready());
    safe.allow();
    let done = world.process();
    let done = done.keys().initialize(&declared, &interrupt).await.unwrap();
    assert!(done.is_new);
}

#[tokio::test]
async fn an_added_key_opens_the_mac_key_and_new_secrets_and_a_rewrap_brings_the_others() {
    let world = World::new();
    created(&world, "old", "hunter2").await;
    let interrupt = Interrupt::default();
    let process = pinned(&world, &["safe"]).await;
    let fingerprint = process.keys().fingerprint().await.unwrap();
    let main = world.kek.id().clone();
    let changed = process.keys().add_escrow(safe(), &interrupt).await.unwrap();
    assert!(changed.is_changed);
    assert_eq!(changed.key.kek, id(&world, "safe"));
    assert_eq!(fingerprint_through(&world, "safe").await, fingerprint);
    // The main key's wrap is untouched: an add needs no more than to wrap for the new key.
    created(&world, "new", "hunter2").await;
    let both = [main.clone(), id(&world, "safe")];
    assert_eq!(wrapped_by(&world, "new").await, both);
    assert_eq!(wrapped_by(&world, "old").await, std::slice::from_ref(&main));

    let again = pinned(&world, &["safe"]).await;
    let again = again.keys().add_escrow(safe(), &interrupt).await.unwrap();
    assert!(!again.is_changed);
    let process = pinned(&world, &["safe"]).await;
    let platform = slug("platform");
    let progress = process
        .keys()
        .rewrap(&platform, &|_| {}, &interrupt)
        .await
        .unwrap();
    assert_eq!((progress.rewrapped, progress.current), (1, 1));
    assert_eq!(wrapped_by(&world, "old").await, both);

    let process = pinned(&world, &["safe"]).await;
    let removed = process
        .keys()
        .remove_escrow(&id(&world, "safe"), &interrupt)
        .await
        .unwrap();
    assert!(removed.escrow.is_empty());
    assert_eq!(mac_wraps(&record(&world).await).len(), 1);
    let process = pinned(&world, &[]).await;
    let progress = process
        .keys()
        .rewrap(&platform, &|_| {}, &interrupt)
        .await
        .unwrap();
    assert_eq!(progress.rewrapped, 2);
    for named in ["old", "new"] {
        assert_eq!(wrapped_by(&world, named).await, std::slice::from_ref(&main));
        assert_eq!(world.value(named).await.unwrap(), "hunter2");
    }
    let process = pinned(&world, &[]).await;
    let gone = process
        .keys()
        .remove_escrow(&id(&world, "safe"), &interrupt)
        .await;
    assert!(matches!(
        gone,
        Err(OperationError::EscrowKeyNotFound { .. })
    ));
}

#[tokio::test]
async fn a_change_of_escrow_requires_pins_and_a_key_within_them() {
    let world = World::new();
    created(&world, "db", "hunter2").await;
    let interrupt = Interrupt::default();
    let before = world.stored(&key()).await;
    let process = world.process();
    let refused = process.keys().add_escrow(safe(), &interrupt).await;
    let both = matches!(
        refused,
        Err(OperationError::PinsMissing {
            fingerprint: true,
            allowed_key_ids: true
        })
    );
    assert!(both, "{refused:?}");
    let refused = process
        .keys()
        .remove_escrow(world.kek.id(), &interrupt)
        .await;
    assert!(matches!(refused, Err(OperationError::PinsMissing { .. })));
    let process = pinned(&world, &[]).await;
    let refused = process.keys().add_escrow(safe(), &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::KeyNotAllowed { .. })),
        "{refused:?}"
    );
    assert_eq!(world.stored(&key()).await, before);
}

#[tokio::test]
async fn a_change_of_escrow_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    let interrupt = Interrupt::default();
    let mut failures = 0;
    for landing in [Landing::Before, Landing::After] {
        for kind in [Conflict, Unavailable] {
            let world = World::new();
            created(&world, "db", "hunter2").await;
            let process = pinned(&world, &["safe"]).await;
            world.fail_catalog(CatalogVerb::Write, 1, landing, kind);
            let first = process.keys().add_escrow(safe(), &interrupt).await;
            assert_eq!(first.is_ok(), kind == Conflict, "{landing:?} {first:?}");
            assert_eq!(world.value("db").await.unwrap(), "hunter2");
            let process = pinned(&world, &["safe"]).await;
            process.keys().add_escrow(safe(), &interrupt).await.unwrap();
            let fingerprint = process.keys().fingerprint().await.unwrap();
            assert_eq!(fingerprint_through(&world, "safe").await, fingerprint);
            assert_eq!(mac_wraps(&record(&world).await).len(), 2);

            let process = pinned(&world, &["safe"]).await;
            let safe = id(&world, "safe");
            world.fail_catalog(CatalogVerb::Write, 1, landing, kind);
            let first = process.keys().remove_escrow(&safe, &interrupt).await;
            assert_eq!(first.is_ok(), kind == Conflict, "{landing:?} {first:?}");
            let process = pinned(&world, &["safe"]).await;
            match process.keys().remove_escrow(&safe, &interrupt).await {
                Ok(changed) => assert!(changed.escrow.is_empty()),
                Err(OperationError::EscrowKeyNotFound { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
            assert_eq!(mac_wraps(&record(&world).await).len(), 1);
            assert_eq!(world.value("db").await.unwrap(), "hunter2");
            failures += 2;
        }
    }
    assert_eq!(failures, 8);
}

#[tokio::test]
async fn keys_that_two_processes_add_at_once_are_both_kept() {
    let world = World::new();
    created(&world, "db", "hunter2").await;
    let interrupt = Interrupt::default();
    let racing = pinned(&world, &["safe", "vault"]).await;
    let process = pinned(&world, &["safe", "vault"]).await;
    let theirs = escrow(&["vault"]).remove(0);
    world.catalog.before(CatalogVerb::Write, 1, async move {
        let interrupt = Interrupt::default();
        racing.keys().add_escrow(theirs, &interrupt).await.unwrap();
    });
    let changed = process.keys().add_escrow(safe(), &interrupt).await.unwrap();
    let ids: Vec<_> = changed.escrow.into_iter().map(|key| key.kek).collect();
    assert_eq!(ids, [id(&world, "vault"), id(&world, "safe")]);
    let fingerprint = world.process().keys().fingerprint().await.unwrap();
    for named in ["safe", "vault"] {
        assert_eq!(fingerprint_through(&world, named).await, fingerprint);
    }
}

#[tokio::test]
async fn an_interrupted_change_of_escrow_changes_nothing() {
    let world = World::new();
    created(&world, "db", "hunter2").await;
    let before = world.stored(&key()).await;
    let process = pinned(&world, &["safe"]).await;
    let (interrupt, token) = cancellable();
    world.kek_connector.key("safe").cancel_on_wrap(&token);
    let stopped = process.keys().add_escrow(safe(), &interrupt).await;
    assert!(
        matches!(stopped, Err(OperationError::Interrupted { .. })),
        "{stopped:?}"
    );
    assert_eq!(world.stored(&key()).await, before);
}

#[tokio::test]
async fn a_record_that_was_altered_gets_no_further_key() {
    let world = World::new();
    created(&world, "db", "hunter2").await;
    let process = pinned(&world, &["safe"]).await;
    process.keys().fingerprint().await.unwrap();
    let other = Uuid::new_v4().to_string();
    let backend = record(&world).await.platform_backend.to_string();
    world
        .alter_key("organization", |body| body.replace(&backend, &other))
        .await;
    let refused = process
        .keys()
        .add_escrow(safe(), &Interrupt::default())
        .await;
    let altered = matches!(&refused, Err(OperationError::Catalog(e)) if e.kind() == CatalogErrorKind::Altered);
    assert!(altered, "{refused:?}");
}

#[tokio::test]
async fn a_rewrap_of_records_moves_the_mac_key_and_credentials_once() {
    let world = World::new();
    world.kek_connector.require("own", "secret");
    let process = world.warm().await;
    let mut declared = keys(Some("own"), &[]);
    let own = declared.encryption.as_mut().unwrap();
    own.credential = Some([("password".to_owned(), "secret".into())].into());
    declared_with(&process, declared).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let fingerprint = process.keys().fingerprint().await.unwrap();
    let before = record(&world).await;

    let first = pinned(&world, &[])
        .await
        .keys()
        .rewrap_records(&interrupt)
        .await
        .unwrap();
    assert!(!first.mac_key && first.credentials == 0, "{first:?}");
    world.kek.rotate();
    let writes = world.counts().write;
    let second = pinned(&world, &[])
        .await
        .keys()
        .rewrap_records(&interrupt)
        .await
        .unwrap();
    assert!(second.mac_key && second.credentials > 0, "{second:?}");
    assert_eq!(world.counts().write - writes, 2);
    assert!(second.failed.is_empty());
    let third = pinned(&world, &[])
        .await
        .keys()
        .rewrap_records(&interrupt)
        .await
        .unwrap();
    assert!(!third.mac_key && third.credentials == 0);
    assert_eq!(third.current, second.credentials);
    assert_ne!(mac_wraps(&record(&world).await), mac_wraps(&before));
    assert_eq!(
        world.process().keys().fingerprint().await.unwrap(),
        fingerprint
    );
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}
