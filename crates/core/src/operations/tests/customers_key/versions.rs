//! A customer's key each version of which is a KEK with an identifier of its own, as in Azure
//! Key Vault.

use super::*;
use crate::kek::{KekPins, pin_of};
use crate::operations::tests::backends::{create, register_with_password};
use crate::operations::tests::migration::place;
use crate::operations::{Ends, Migration, RewrapProgress};
use planton_envelope::KekId;

/// An organization that was created under the first version of a key, which has a second one
/// by now.
async fn rotated() -> Customers {
    let customers = Customers::naming("main");
    let connector = &customers.world.kek_connector;
    connector.add_version("main", "main/1");
    customers.create("old", "sealed before").await.unwrap();
    connector.add_version("main", "main/2");
    customers
}

impl Customers {
    async fn keks(&self, named: &str) -> Vec<KekId> {
        let (process, name) = (self.process(), name(named));
        let stored = process.keys().stored_envelope(&name, None);
        stored.await.unwrap().keks
    }

    /// Runs the pass over the records and over the built-in backend.
    async fn rewrap(&self) -> RewrapProgress {
        let interrupt = Interrupt::default();
        let process = self.process();
        process.keys().rewrap_records(&interrupt).await.unwrap();
        let platform = "platform".parse().unwrap();
        let rewrapped = process.keys().rewrap(&platform, &|_| {}, &interrupt).await;
        rewrapped.unwrap()
    }
}

#[tokio::test]
async fn a_new_version_of_a_key_wraps_and_the_former_one_opens() {
    let customers = rotated().await;
    let connector = &customers.world.kek_connector;
    let [first, second] = ["main/1", "main/2"].map(|version| connector.key(version));
    customers.create("new", "sealed after").await.unwrap();
    assert_eq!(customers.keks("old").await, [first.id().clone()]);
    assert_eq!(customers.keks("new").await, [second.id().clone()]);
    assert_eq!(customers.value("old").await.unwrap(), "sealed before");
    assert_eq!(customers.value("new").await.unwrap(), "sealed after");
    let recorded = record(&customers.world).await;
    assert_eq!(
        recorded.main_key.as_ref(),
        Some(first.id()),
        "an apply moved the main key"
    );
}

#[tokio::test]
async fn a_rewrap_moves_everything_to_the_newest_version_and_the_former_one_may_be_disabled() {
    let customers = rotated().await;
    customers.create("new", "sealed after").await.unwrap();
    // A process that has opened the organization before.
    let running = customers.process();
    running.keys().fingerprint().await.unwrap();
    let done = customers.rewrap().await;
    assert_eq!((done.rewrapped, done.current), (1, 1));
    let connector = &customers.world.kek_connector;
    let second = connector.key("main/2").id().clone();
    let recorded = record(&customers.world).await;
    assert_eq!(recorded.main_key.as_ref(), Some(&second));
    let mac_key = recorded.state.mac_key().unwrap();
    assert_eq!(
        mac_key.iter().map(|wrap| &wrap.kek).collect::<Vec<_>>(),
        [&second]
    );
    let again = customers.rewrap().await;
    assert_eq!((again.rewrapped, again.current), (0, 2));
    connector.key("main/1").disable();
    assert_eq!(customers.value("old").await.unwrap(), "sealed before");
    assert_eq!(customers.value("new").await.unwrap(), "sealed after");
    customers.create("newer", "sealed last").await.unwrap();
    let selector = Selector::Name(name("old"));
    let opened = running.secrets().open(&selector, None).await.unwrap();
    assert_eq!(requests::exposed(&opened.value), "sealed before");
}

#[tokio::test]
async fn a_status_says_that_a_rewrap_is_due_until_it_is_done() {
    let customers = Customers::naming("main");
    let connector = &customers.world.kek_connector;
    connector.add_version("main", "main/1");
    customers.create("old", "sealed before").await.unwrap();
    let due = async || {
        let status = customers.process().keys().status().await.unwrap();
        (status.main.is_rewrap_due, status.mac.is_rewrap_due)
    };
    assert_eq!(due().await, (Some(false), Some(false)));
    connector.add_version("main", "main/2");
    assert_eq!(due().await, (Some(true), Some(true)));
    customers.rewrap().await;
    assert_eq!(due().await, (Some(false), Some(false)));
    // A wrap shows its version here, and the identifier of the key stays.
    connector.key("main/2").rotate();
    assert_eq!(due().await, (Some(true), Some(true)));
    customers.rewrap().await;
    assert_eq!(due().await, (Some(false), Some(false)));
}

#[tokio::test]
async fn a_version_of_the_main_key_as_an_escrow_key_takes_no_wrap_from_the_main_key() {
    let customers = rotated().await;
    let interrupt = Interrupt::default();
    let fingerprint = customers.process().keys().fingerprint().await.unwrap();
    let versions = ["main/1", "main/2"].map(|it| customers.world.kek_connector.key(it));
    let pins = KekPins {
        organization: Some(fingerprint),
        allowed_key_ids: Some(versions.iter().map(|it| pin_of(it.id())).collect()),
    };
    let pinned = || customers.process().with_pins(pins.clone());
    let second = versions[1].id().clone();
    let declared = escrow::escrow(&["main/2"]).remove(0);
    let added = pinned().keys().add_escrow(declared, &interrupt).await;
    // The double's versions have no common pin. Azure's have, and are refused here.
    assert!(added.unwrap().is_changed);
    let refused = customers.create("new", "x").await.unwrap_err();
    let is_refused = matches!(refused, OperationError::KeyDeclaredTwice { .. });
    assert!(is_refused, "{refused:?}");
    let rewrapped = pinned().keys().rewrap_records(&interrupt).await;
    let is_refused = matches!(rewrapped, Err(OperationError::KeyDeclaredTwice { .. }));
    assert!(is_refused, "{rewrapped:?}");
    let removed = pinned().keys().remove_escrow(&second, &interrupt).await;
    removed.unwrap();
    assert_eq!(customers.value("old").await.unwrap(), "sealed before");
    customers.create("new", "sealed after").await.unwrap();
}

#[tokio::test]
async fn a_rewrap_of_one_backend_never_goes_back_to_a_former_version() {
    let customers = rotated().await;
    customers.create("new", "sealed after").await.unwrap();
    let interrupt = Interrupt::default();
    let platform = "platform".parse().unwrap();
    let process = customers.process();
    let done = process
        .keys()
        .rewrap(&platform, &|_| {}, &interrupt)
        .await
        .unwrap();
    assert_eq!((done.rewrapped, done.current), (1, 1));
    let second = customers.world.kek_connector.key("main/2");
    for named in ["old", "new"] {
        assert_eq!(customers.keks(named).await, [second.id().clone()]);
    }
}

#[tokio::test]
async fn a_rewrap_of_one_backend_with_an_identity_never_goes_back_to_a_former_version() {
    let customers = Customers::naming("main");
    let connector = &customers.world.kek_connector;
    connector.add_version("main", "main/1");
    let interrupt = Interrupt::default();
    let escrow = escrow::escrow(&["safe"]);
    let first = customers.process();
    first.keys().initialize(&escrow, &interrupt).await.unwrap();
    customers.create("old", "sealed before").await.unwrap();
    connector.add_version("main", "main/2");
    customers.create("new", "sealed after").await.unwrap();
    let [second, safe] = ["main/2", "safe"].map(|key| connector.key(key).id().clone());
    let platform = "platform".parse().unwrap();
    for expected in [(1, 1), (0, 2)] {
        let identity: Arc<dyn KeyEncryptionKey> = connector.key("safe");
        let process = customers.process().with_rescue(vec![identity]);
        let keys = process.keys();
        let done = keys.rewrap(&platform, &|_| {}, &interrupt).await.unwrap();
        assert_eq!((done.rewrapped, done.current), expected, "{done:?}");
        for named in ["old", "new"] {
            let keks = customers.keks(named).await;
            assert_eq!(keks, [second.clone(), safe.clone()]);
        }
    }
}

#[tokio::test]
async fn a_newest_version_that_is_disabled_leaves_the_recorded_one_in_use() {
    let customers = rotated().await;
    let connector = &customers.world.kek_connector;
    connector.key("main/2").disable();
    customers.create("new", "sealed after").await.unwrap();
    assert_eq!(
        customers.keks("new").await,
        [connector.key("main/1").id().clone()]
    );
    // Nor does a rewrap move to it.
    let done = customers.rewrap().await;
    assert_eq!((done.rewrapped, done.current), (0, 2));
    connector.key("main/1").disable();
    assert_eq!(kind(customers.value("old").await), KekErrorKind::Disabled);
}

#[tokio::test]
async fn a_version_names_the_arguments_of_its_own_block_in_its_remedies() {
    let customers = rotated().await;
    let second = customers.world.kek_connector.key("main/2");
    customers.create("new", "sealed after").await.unwrap();
    for verb in [KekVerb::Wrap, KekVerb::Unwrap] {
        second.deny(verb, KekErrorKind::PermissionDenied);
    }
    let written = customers.create("newer", "x").await.map(drop);
    for failed in [written, customers.value("new").await.map(drop)] {
        let Err(OperationError::Kek(error)) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(error.remedy(), Some("Use the arguments of this block."));
    }
}

#[tokio::test]
async fn a_version_of_another_key_opens_nothing() {
    let customers = rotated().await;
    let connector = &customers.world.kek_connector;
    connector.add_version("other", "other/1");
    let planted = connector.key("other/1").id().clone();
    let stored = customers.world.stored(&key()).await.unwrap();
    let first = connector.key("main/1").id().id.clone();
    let body = stored.body.replace(&first, &planted.id);
    let altered = crate::catalog::StoredRecord { body, ..stored };
    customers.world.catalog.overwrite(&key(), altered);
    customers.value("old").await.unwrap_err();
    let other = connector.key("other/1");
    assert_eq!(other.calls(KekVerb::Wrap) + other.calls(KekVerb::Unwrap), 0);
}

#[tokio::test(start_paused = true)]
async fn a_migration_moves_what_the_newest_version_has_wrapped() {
    let customers = rotated().await;
    let process = customers.process();
    register_with_password(&process, "vault").await.unwrap();
    create(&process, "cert", Some("vault")).await.unwrap();
    process.settle().await;
    let connector = &customers.world.kek_connector;
    let target = World {
        connector: Arc::clone(&customers.world.connector),
        kek_connector: Arc::clone(connector),
        ..World::new()
    };
    let migration = Migration::new(Ends {
        source: customers.process(),
        target: target.process(),
        from: place("a"),
        to: place("b"),
    });
    let interrupt = Interrupt::default();
    let done = migration.run(&|_| {}, &interrupt).await.unwrap();
    assert!(done.is_complete, "{done:?}");
    assert_eq!((done.versions, done.rewraps), (1, 1));
    for version in ["main/1", "main/2"] {
        connector.key(version).disable();
    }
    assert_eq!(target.value("old").await.unwrap(), "sealed before");
    assert_eq!(target.value("cert").await.unwrap(), "hunter2");
}
