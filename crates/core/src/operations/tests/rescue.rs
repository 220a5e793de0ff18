//! A new main key after the former one was lost: an escrow identity alone brings everything
//! under it.

use std::sync::Arc;

use super::*;
use crate::catalog::{
    Catalog, CatalogErrorKind, CatalogVerb, OrganizationRecord, OrganizationState, RecordKey,
    WrappedMacKey,
};
use crate::kek::{
    KekErrorKind, KekPins, KeyEncryptionKey, OrganizationFingerprint, WrapNames, pin_of,
};
use crate::operations::tests::backends::keys::{declared_with, keys};
use crate::operations::tests::backends::{change, create, slug};
use crate::operations::{FailedRewrap, RewrapProgress, RewrappedRecords, UpdateBackend};
use crate::store::{Fault, Landing, SecretStore, StoreErrorKind, StoreVerb};
use planton_envelope::{Envelope, MacKey, WrapBinding};

/// What is lost, and what an operator has written down before.
struct Loss {
    world: World,
    pins: KekPins,
    payloads: Vec<[u8; 32]>,
    fingerprint: OrganizationFingerprint,
}

impl Loss {
    /// An organization with an escrow key, a secret in its built-in backend, and one in a
    /// backend of its own key, whose credential is sealed. The organization's keys are lost.
    async fn of_the_organization() -> Self {
        Self::of(World::new()).await
    }

    async fn of(world: World) -> Self {
        let interrupt = Interrupt::default();
        let escrow = keys(None, &["safe"]).escrow;
        let first = world.process();
        first.keys().initialize(&escrow, &interrupt).await.unwrap();
        world.kek_connector.require("own", "secret");
        let mut declared = keys(Some("own"), &["safe"]);
        let own = declared.encryption.as_mut().unwrap();
        own.credential = Some([("password".to_owned(), "secret".into())].into());
        let process = world.warm().await;
        declared_with(&process, declared).await;
        create(&process, "there", Some("vault")).await.unwrap();
        let view = created(&world, "db", "first").await;
        let rotated = rotate(&view, "hunter2");
        process.secrets().update(rotated, &interrupt).await.unwrap();
        let allowed = [world.kek.id(), world.mac_kek.id()].map(pin_of);
        let others = ["safe", "own", "new"].map(|key| pin_of(world.kek_connector.key(key).id()));
        let loss = Self {
            pins: KekPins {
                organization: Some(process.keys().fingerprint().await.unwrap()),
                allowed_key_ids: Some(allowed.into_iter().chain(others).collect()),
            },
            payloads: payloads(&world).await,
            fingerprint: process.keys().fingerprint().await.unwrap(),
            world,
        };
        loss.world.kek.lose();
        if loss.world.mac_kek.id() != loss.world.kek.id() {
            loss.world.mac_kek.lose();
        }
        assert!(loss.world.value("db").await.is_err());
        loss
    }

    /// Starts a process with the pins and the identity of the escrow key `named`.
    fn with(&self, named: &str) -> Organization {
        let identity = self.world.kek_connector.key(named);
        let process = self.world.process().with_pins(self.pins.clone());
        process.with_rescue(vec![identity])
    }

    /// Does what the command does, with a process of its own.
    async fn rescue(&self) -> Result<(RewrappedRecords, Vec<RewrapProgress>), OperationError> {
        let (process, interrupt) = (self.with("safe"), Interrupt::default());
        let keys = process.keys();
        keys.install_main_key(&interrupt).await?;
        let records = keys.rewrap_records(&interrupt).await?;
        let mut backends = Vec::new();
        for backend in ["platform", "vault"] {
            let backend = slug(backend);
            backends.push(keys.rewrap(&backend, &|_| {}, &interrupt).await?);
        }
        Ok((records, backends))
    }

    /// Checks that processes without the identity work, and that nothing was sealed again.
    async fn expect_all(&self) {
        let world = &self.world;
        assert_eq!(world.value("db").await.unwrap(), "hunter2");
        assert_eq!(world.value("there").await.unwrap(), "hunter2");
        let process = world.process();
        let fingerprint = process.keys().fingerprint().await.unwrap();
        assert_eq!(fingerprint, self.fingerprint);
        assert_eq!(payloads(world).await, self.payloads);
        created(world, "later", "x").await;
    }
}

/// Returns the payload digests of the secrets' versions.
async fn payloads(world: &World) -> Vec<[u8; 32]> {
    let mut found = Vec::new();
    for (named, store) in [
        ("db", Arc::clone(&world.store)),
        ("there", world.connector.place("a")),
    ] {
        let secret = world.document(&name(named)).await.current.unwrap();
        for version in &secret.versions {
            let stored = store.get(&secret.remote_name, &version.native_id).await;
            let envelope = Envelope::parse_stored(&stored.unwrap()).unwrap();
            found.push(envelope.payload_digest());
        }
    }
    found
}

fn failures(backends: &[RewrapProgress]) -> Vec<&FailedRewrap> {
    backends
        .iter()
        .flat_map(|progress| &progress.failed)
        .collect()
}

#[tokio::test]
async fn a_new_main_key_is_installed_with_the_escrow_identity_alone() {
    let mut world = World::new();
    for _ in 0..2 {
        let loss = Loss::of(world).await;
        let writes = loss.world.counts().write;
        let (records, backends) = loss.rescue().await.unwrap();
        assert!(records.mac_key && records.failed.is_empty(), "{records:?}");
        assert!(records.credentials > 0, "{records:?}");
        assert!(failures(&backends).is_empty(), "{backends:?}");
        // The backend's own key was not lost.
        let counted: Vec<_> = backends
            .iter()
            .map(|it| (it.rewrapped, it.current))
            .collect();
        assert_eq!(counted, [(2, 0), (0, 1)]);
        // The organization, the backend's credentials, and each version.
        assert_eq!(loss.world.counts().write - writes, 4);
        loss.expect_all().await;

        // A second run finds that the new key opens everything.
        let writes = loss.world.counts().write;
        let (records, backends) = loss.rescue().await.unwrap();
        assert!(!records.mac_key && records.credentials == 0, "{records:?}");
        let rewrapped: usize = backends.iter().map(|it| it.rewrapped).sum();
        assert_eq!((rewrapped, loss.world.counts().write), (0, writes));
        // The second round has a key of its own for the MAC key, as OpenBAO does.
        world = World {
            mac_kek: Arc::new(super::kek_doubles::TestKek::generate()),
            ..World::new()
        };
    }
}

#[tokio::test]
async fn an_identity_that_is_no_escrow_key_installs_nothing() {
    let loss = Loss::of_the_organization().await;
    let before = loss.world.counts();
    let (process, interrupt) = (loss.with("stranger"), Interrupt::default());
    let refused = process.keys().install_main_key(&interrupt).await;
    let Err(OperationError::NoEscrowIdentity { escrow }) = refused else {
        panic!("{refused:?}");
    };
    let safe = loss.world.kek_connector.key("safe");
    assert_eq!(escrow, [safe.id().clone()]);
    let counts = loss.world.counts() - before;
    assert_eq!((counts.write, counts.provision, counts.put), (0, 0, 0));
}

#[tokio::test]
async fn a_mac_key_that_somebody_wrapped_for_the_escrow_key_is_refused() {
    let loss = Loss::of_the_organization().await;
    let world = &loss.world;
    // Anybody may encrypt for an age recipient; the catalog's writer puts a MAC key of their
    // own there.
    let catalog = Catalog::new(world.catalog.clone());
    let key = RecordKey::new("organization");
    let loaded = catalog.load::<OrganizationRecord>(&key).await;
    let loaded = loaded.unwrap().unwrap();
    let forged = MacKey::generate().unwrap();
    let safe = world.kek_connector.key("safe");
    let names = WrapNames::mac_key(&loaded.record.organization);
    let binding = WrapBinding::for_mac_key(loaded.record.uuid, safe.id());
    let wrapped = safe.wrap(forged.expose(), names.bound(binding)).await;
    let mut record = loaded.record;
    record.state = OrganizationState::Ready {
        mac_key: vec![WrappedMacKey {
            kek: safe.id().clone(),
            wrapped: hex::encode(wrapped.unwrap().as_bytes()),
        }],
    };
    let saved = catalog.save(&key, &record, Some(&forged), loaded.revision);
    saved.await.unwrap();
    let before = world.counts();
    let refused = loss.rescue().await;
    assert!(
        matches!(refused, Err(OperationError::AnotherFingerprint { .. })),
        "{refused:?}"
    );
    let counts = world.counts() - before;
    assert_eq!((counts.write, counts.provision, counts.put), (0, 0, 0));
}

#[tokio::test]
async fn a_new_main_key_requires_pins_and_is_among_them() {
    let mut loss = Loss::of_the_organization().await;
    let interrupt = Interrupt::default();
    let identity = loss.world.kek_connector.key("safe");
    let process = loss.world.process().with_rescue(vec![identity]);
    let refused = process.keys().install_main_key(&interrupt).await;
    assert!(matches!(refused, Err(OperationError::PinsMissing { .. })));
    let main = pin_of(loss.world.kek.id());
    loss.pins.allowed_key_ids.as_mut().unwrap().remove(&main);
    let refused = loss.rescue().await;
    assert!(
        matches!(refused, Err(OperationError::KeyNotAllowed { .. })),
        "{refused:?}"
    );
    assert_eq!(loss.world.counts().provision, 1, "of the first use");
}

#[tokio::test]
async fn a_rescue_that_fails_anywhere_is_finished_by_the_next_one() {
    let mut faults = 0;
    for landing in [Landing::Before, Landing::After] {
        for nth in 1..=4 {
            let loss = Loss::of_the_organization().await;
            let kind = CatalogErrorKind::Unavailable;
            loss.world
                .fail_catalog(CatalogVerb::Write, nth, landing, kind);
            check_after_fault(&loss).await;
            faults += 1;
        }
        for (verb, times) in [
            (StoreVerb::Put, 2),
            (StoreVerb::Get, 2),
            (StoreVerb::Delete, 2),
        ] {
            for nth in 1..=times {
                let loss = Loss::of_the_organization().await;
                let kind = StoreErrorKind::Unavailable;
                loss.world.store.inject(Fault {
                    verb,
                    nth,
                    landing,
                    kind,
                });
                check_after_fault(&loss).await;
                faults += 1;
            }
        }
    }
    assert_eq!(faults, 20);
}

async fn check_after_fault(loss: &Loss) {
    let first = loss.rescue().await;
    let is_whole = first.as_ref().is_ok_and(|(records, backends)| {
        records.failed.is_empty() && failures(backends).is_empty()
    });
    assert!(!is_whole, "the fault was not met: {first:?}");
    let (records, backends) = loss.rescue().await.unwrap();
    assert!(records.failed.is_empty() && failures(&backends).is_empty());
    loss.expect_all().await;
}

#[tokio::test]
async fn the_lost_key_of_a_backend_is_replaced_through_the_identity_of_its_escrow() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared_with(&process, keys(Some("one"), &["safe"])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let one = world.kek_connector.key("one");
    one.deny(KekVerb::Unwrap, KekErrorKind::NotFound);
    let (interrupt, vault) = (Interrupt::default(), slug("vault"));
    let update = UpdateBackend {
        keys: keys(Some("two"), &["safe"]),
        ..change(&view)
    };
    process.backends().update(update, &interrupt).await.unwrap();
    let process = world.warm().await;
    let keys = process.keys();
    let without = keys.rewrap(&vault, &|_| {}, &interrupt).await.unwrap();
    assert_eq!((without.rewrapped, without.failed.len()), (0, 1));
    // The organization itself has no escrow key: its own key vouches for the catalog.
    let process = world
        .process()
        .with_rescue(vec![world.kek_connector.key("safe")]);
    let keys = process.keys();
    let with = keys.rewrap(&vault, &|_| {}, &interrupt).await.unwrap();
    assert_eq!((with.rewrapped, with.failed.len()), (1, 0), "{with:?}");
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_version_under_an_unusable_version_of_the_main_key_is_moved_through_the_identity() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("own"), &["safe"])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let own = world.kek_connector.key("own");
    let (interrupt, vault) = (Interrupt::default(), slug("vault"));
    for (kind, moved) in [
        (KekErrorKind::Disabled, true),
        (KekErrorKind::PendingDeletion, true),
        (KekErrorKind::Destroyed, true),
        // It may be usable for somebody else, so nothing replaces it.
        (KekErrorKind::PermissionDenied, false),
    ] {
        own.deny(KekVerb::Unwrap, kind);
        let process = world
            .process()
            .with_rescue(vec![world.kek_connector.key("safe")]);
        let keys = process.keys();
        let done = keys.rewrap(&vault, &|_| {}, &interrupt).await.unwrap();
        let (rewrapped, failed) = (usize::from(moved), usize::from(!moved));
        let counts = (done.rewrapped, done.failed.len());
        assert_eq!(counts, (rewrapped, failed), "{kind:?}: {done:?}");
        own.allow();
        assert_eq!(world.value("db").await.unwrap(), "hunter2");
    }
}
