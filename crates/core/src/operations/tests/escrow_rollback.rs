//! An older or forged record of the organization that names another escrow key.

use super::backends::{create, declared};
use super::escrow::{escrow, id, key, pinned, record, safe, wrapped_by};
use super::world::{KekVerb, World, rotate};
use super::{created, refreshed, seen};
use crate::catalog::{CatalogErrorKind, StoredRecord};
use crate::kek::KeyEncryptionKey;
use crate::operations::{
    Interrupt, OperationError, Organization, Refreshed, SecretView, SeenKeys, UpdateBackend,
};

/// An organization without its former escrow key, and what a state has seen of it.
struct Removed {
    world: World,
    /// A secret that was written after the removal.
    view: SecretView,
    seen: SeenKeys,
    /// The organization's record from before the removal.
    older: StoredRecord,
}

impl Removed {
    async fn new() -> Self {
        let world = World::new();
        let interrupt = Interrupt::default();
        let declared = escrow(&["safe"]);
        let first = world.process();
        let first = first.keys().initialize(&declared, &interrupt).await;
        first.unwrap();
        let older = world.stored(&key()).await.unwrap();
        let process = pinned(&world, &["safe"]).await;
        let removed = process.keys();
        let removed = removed.remove_escrow(&id(&world, "safe"), &interrupt).await;
        removed.unwrap();
        let process = world.process();
        let view = create(&process, "db", None).await.unwrap();
        let seen = process.keys().seen().await.unwrap();
        Self {
            world,
            view,
            seen,
            older,
        }
    }

    /// Puts the older record back.
    async fn replayed() -> Self {
        let removed = Self::new().await;
        let older = removed.older.clone();
        removed.world.catalog.overwrite(&key(), older);
        removed
    }

    /// Starts a process whose state has seen the removal.
    fn knowing(&self) -> Organization {
        let process = self.world.process();
        process.keys().remember(self.seen);
        process
    }

    fn wraps(&self) -> usize {
        let escrow = self.world.kek_connector.key("safe");
        escrow.calls(KekVerb::Wrap)
    }
}

fn rolled_back<T: std::fmt::Debug>(outcome: Result<T, OperationError>) {
    let Err(OperationError::OrganizationRolledBack { seen, found, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(found < seen, "{found} {seen}");
}

#[tokio::test]
async fn a_removed_escrow_recipient_is_not_brought_back_by_an_older_record() {
    let removed = Removed::replayed().await;
    let world = &removed.world;
    let interrupt = Interrupt::default();
    let before = (removed.wraps(), world.store.objects().len());

    let process = removed.knowing();
    rolled_back(process.keys().expect_seen(&removed.seen).await);
    // A new secret and a new version.
    rolled_back(create(&process, "other", None).await);
    let update = process
        .secrets()
        .update(rotate(&removed.view, "x"), &interrupt);
    rolled_back(update.await);
    // The credential of a new backend.
    let register = process
        .backends()
        .register(super::backends::declare("vault", "a"), &interrupt);
    rolled_back(register.await);
    assert_eq!((removed.wraps(), world.store.objects().len()), before);

    // Nothing is wrapped to read.
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
    let refresh = removed.knowing();
    let refresh = refresh.secrets().refresh(&seen(&removed.view)).await;
    assert_eq!(refresh.unwrap(), Refreshed::Present(removed.view.clone()));

    // A process that knows nothing is exposed: only pins protect it.
    created(world, "unknowing", "x").await;
    assert_eq!(removed.wraps(), before.0 + 1);
}

#[tokio::test]
async fn a_process_that_learns_of_a_removal_wraps_for_the_former_escrow_key_no_more() {
    let removed = Removed::replayed().await;
    let process = removed.world.process();
    create(&process, "before", None).await.unwrap();
    let before = removed.wraps();
    process.keys().remember(removed.seen);
    rolled_back(create(&process, "after", None).await);
    assert_eq!(removed.wraps(), before);
}

#[tokio::test]
async fn a_lagging_node_is_not_a_rollback_of_the_organization() {
    let removed = Removed::new().await;
    let world = &removed.world;
    let now = world.stored(&key()).await.unwrap();
    world.catalog.overwrite(&key(), removed.older.clone());
    world.catalog.serve_stale(&key());
    world.catalog.overwrite(&key(), now);
    let before = removed.wraps();
    let process = removed.knowing();
    create(&process, "other", None).await.unwrap();
    assert_eq!(wrapped_by(world, "other").await, [world.kek.id().clone()]);
    assert_eq!(removed.wraps(), before);
    assert_eq!(process.keys().seen().await, Some(removed.seen));
}

#[tokio::test]
async fn an_older_record_with_the_same_keys_is_accepted_and_what_was_seen_is_kept() {
    let removed = Removed::new().await;
    let world = &removed.world;
    let interrupt = Interrupt::default();
    let backup = world.stored(&key()).await.unwrap();
    // Added and removed again: the same keys at a later generation.
    let process = pinned(world, &["safe"]).await;
    process.keys().add_escrow(safe(), &interrupt).await.unwrap();
    let process = pinned(world, &["safe"]).await;
    let remove = process.keys();
    let remove = remove.remove_escrow(&id(world, "safe"), &interrupt).await;
    remove.unwrap();
    let process = world.process();
    create(&process, "later", None).await.unwrap();
    let seen = process.keys().seen().await.unwrap();
    assert!(seen.generation > removed.seen.generation);

    world.catalog.overwrite(&key(), backup);
    let process = world.process();
    process.keys().expect_seen(&seen).await.unwrap();
    create(&process, "other", None).await.unwrap();
    assert_eq!(process.keys().seen().await, Some(seen));
}

#[tokio::test]
async fn a_record_of_the_same_generation_with_another_key_is_rejected() {
    let world = World::new();
    let interrupt = Interrupt::default();
    created(&world, "db", "x").await;
    let backup = world.stored(&key()).await.unwrap();
    let add = async |named: &str| {
        world.catalog.overwrite(&key(), backup.clone());
        let process = pinned(&world, &[named]).await;
        let declared = escrow(&[named]).remove(0);
        process
            .keys()
            .add_escrow(declared, &interrupt)
            .await
            .unwrap();
        let process = world.process();
        process.keys().fingerprint().await.unwrap();
        process.keys().seen().await.unwrap()
    };
    let (one, other) = (add("safe").await, add("vault").await);
    assert_eq!(one.generation, other.generation);
    let process = world.process();
    process.keys().expect_seen(&other).await.unwrap();
    let refused = process.keys().expect_seen(&one).await;
    let refused = matches!(refused, Err(OperationError::OrganizationRolledBack { .. }));
    assert!(refused);
}

#[tokio::test]
async fn a_first_escrow_key_that_is_added_later_is_ordinary() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let process = world.process();
    create(&process, "db", None).await.unwrap();
    // The states of an organization without escrow keys remember nothing.
    assert_eq!(process.keys().seen().await, None);
    let process = pinned(&world, &["safe"]).await;
    process.keys().add_escrow(safe(), &interrupt).await.unwrap();
    let process = world.process();
    create(&process, "other", None).await.unwrap();
    let first = process.keys().seen().await.unwrap();
    assert!(first.digest.is_some());

    // A state that was written between two changes, and one from before both.
    let process = pinned(&world, &["safe", "vault"]).await;
    let second = escrow(&["vault"]).remove(0);
    process.keys().add_escrow(second, &interrupt).await.unwrap();
    let process = world.process();
    process.keys().expect_seen(&first).await.unwrap();
    create(&process, "third", None).await.unwrap();
    let ids = [
        world.kek.id().clone(),
        id(&world, "safe"),
        id(&world, "vault"),
    ];
    assert_eq!(wrapped_by(&world, "third").await, ids);
}

#[tokio::test]
async fn an_escrow_recipient_added_without_the_mac_key_wraps_nothing() {
    let removed = Removed::new().await;
    let world = &removed.world;
    let vault = declared(&world.warm().await, "vault", "a").await;
    let mut forged = record(world).await;
    let named: crate::catalog::OrganizationRecord =
        serde_json::from_str(&removed.older.body).unwrap();
    forged.generation += 1;
    forged.escrow = named.escrow;
    let now = world.stored(&key()).await.unwrap();
    let body = serde_json::to_string(&forged).unwrap();
    world
        .catalog
        .overwrite(&key(), StoredRecord { body, ..now });
    let before = (removed.wraps(), world.store.objects().len());
    let altered = |error: OperationError| {
        let altered =
            matches!(&error, OperationError::Catalog(e) if e.kind() == CatalogErrorKind::Altered);
        assert!(altered, "{error:?}");
    };
    altered(create(&world.process(), "other", None).await.unwrap_err());
    let interrupt = Interrupt::default();
    let update = UpdateBackend {
        credential: Some(super::backends::password("x")),
        ..super::backends::change(&vault)
    };
    let process = world.process();
    altered(
        process
            .backends()
            .update(update, &interrupt)
            .await
            .unwrap_err(),
    );
    assert_eq!((removed.wraps(), world.store.objects().len()), before);
    // A refresh verifies nothing, and does not take the forged generation for seen.
    let view = &removed.view;
    let found = refreshed(world, view).await.unwrap();
    assert_eq!(found, Refreshed::Present(view.clone()));
    assert_eq!(world.process().keys().seen().await, None);
}
