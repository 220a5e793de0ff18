//! Removals that follow a response, beside other work of the same and of other processes.

use super::backends::{DONE, create, declared, delete, letting_go, slug};
use super::*;
use crate::catalog::{CatalogErrorKind, CatalogStore, CatalogVerb};
use crate::operations::{CurrentVersion, Housekeeping};
use crate::store::{Fault, Landing, StoreErrorKind, StoreVerb};

async fn entries(world: &World) -> usize {
    world.catalog.list("entries").await.unwrap().len()
}

async fn destroy(process: &Organization, view: &SecretView) {
    let (interrupt, delete) = (Interrupt::default(), own(view));
    process.secrets().delete(&delete, &interrupt).await.unwrap();
}

async fn update(process: &Organization, update: UpdateSecret) -> SecretView {
    let interrupt = Interrupt::default();
    process.secrets().update(update, &interrupt).await.unwrap()
}

/// Rotates to the only version that is kept.
fn rotate_to_one(view: &SecretView, value: &str) -> UpdateSecret {
    let mut update = rotate(view, value);
    update.arguments.keep_versions = 1;
    update
}

#[tokio::test]
async fn an_entry_goes_after_its_object_and_after_the_tombstone() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let place = world.connector.place("a");

    // The object is not deleted: neither the record nor the entry goes.
    place.inject(Fault {
        verb: StoreVerb::Delete,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::Unavailable,
    });
    let interrupt = Interrupt::default();
    let failed = process.secrets().delete(&own(&view), &interrupt).await;
    failed.unwrap_err();
    process.settle().await;
    assert_eq!(entries(&world).await, 1);
    assert!(!world.document(&name("db")).await.is_tombstone());
    assert_eq!(place.objects().len(), 2, "the marker, and the object");

    let (send, receive) = tokio::sync::oneshot::channel();
    let at_removal = world.clone();
    world.catalog.before(CatalogVerb::Remove, 1, async move {
        let place = at_removal.connector.place("a");
        let document = at_removal.document(&name("db")).await;
        let found = (place.objects().len(), document.is_tombstone());
        send.send(found).unwrap();
    });
    destroy(&process, &view).await;
    process.settle().await;
    let (objects, is_tombstone) = receive.await.unwrap();
    assert!(is_tombstone);
    assert_eq!(objects, 1, "the marker");
    assert_eq!(entries(&world).await, 0);
}

#[tokio::test]
async fn a_removal_that_fails_leaves_an_entry_that_the_deletion_of_the_backend_removes() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let kind = CatalogErrorKind::PermissionDenied;
    world.fail_catalog(CatalogVerb::Remove, 1, Landing::Before, kind);
    destroy(&process, &view).await;
    process.settle().await;
    assert_eq!(entries(&world).await, 1);
    let backends = process.backends();
    let unused = backends.expect_unused(&vault.name, vault.uuid).await;
    unused.unwrap();
    assert_eq!(delete(&process, &vault).await.unwrap(), DONE);
    assert_eq!(entries(&world).await, 0);
    assert!(world.connector.place("a").objects().is_empty());
    create(&process, "db", None).await.unwrap();
}

/// The removals of one process are under way while another deletes the backend, and while
/// another creates the name anew.
#[tokio::test]
async fn removals_of_two_processes_beside_each_other_take_nothing_but_their_own() {
    for verb in [CatalogVerb::Remove, CatalogVerb::ForgetHistory] {
        let world = World::new();
        let (ours, theirs) = (world.warm().await, world.warm().await);
        let vault = declared(&ours, "vault", "a").await;
        let view = create(&ours, "db", Some("vault")).await.unwrap();
        let raced = async move { assert_eq!(delete(&theirs, &vault).await.unwrap(), DONE) };
        world.catalog.before(verb, 1, raced);
        destroy(&ours, &view).await;
        ours.settle().await;
        assert_eq!(entries(&world).await, 0, "{verb:?}");
        assert!(world.connector.place("a").objects().is_empty(), "{verb:?}");
        assert!(world.document(&name("db")).await.is_tombstone(), "{verb:?}");

        let (ours, theirs) = (world.warm().await, world.warm().await);
        declared(&ours, "vault", "a").await;
        let view = create(&ours, "db", Some("vault")).await.unwrap();
        let raced = async move {
            let (created, other) = tokio::join!(
                create(&theirs, "db", Some("vault")),
                create(&theirs, "other", Some("vault")),
            );
            destroy(&theirs, &other.unwrap()).await;
            theirs.settle().await;
            created.unwrap();
        };
        world.catalog.before(verb, 1, raced);
        destroy(&ours, &view).await;
        ours.settle().await;
        assert_eq!(entries(&world).await, 1, "{verb:?}: that of the new secret");
        let objects = world.connector.place("a").objects();
        assert_eq!(objects.len(), 2, "{verb:?}: the marker, and the new object");
        assert_eq!(world.value("db").await.unwrap(), "hunter2", "{verb:?}");
    }
}

/// A debug server serves many runs, one after the other, in one process.
#[tokio::test]
async fn a_process_that_is_configured_again_finishes_the_removals_of_both() {
    let world = World::new();
    let housekeeping = Housekeeping::default();
    let process = || world.process().with_housekeeping(housekeeping.clone());
    let first = process();
    let vault = declared(&first, "vault", "a").await;
    let view = create(&first, "db", Some("vault")).await.unwrap();
    destroy(&first, &view).await;
    drop(first);
    // The next run begins before the removals of the one before.
    let second = process();
    let again = create(&second, "db", Some("vault")).await.unwrap();
    destroy(&second, &again).await;
    let tombstone = world.document(&name("db")).await.generation;
    // It waits for the entries of both, and so raises no document.
    assert_eq!(delete(&second, &vault).await.unwrap(), DONE);
    assert_eq!(world.document(&name("db")).await.generation, tombstone);
    housekeeping.finish().await;
    assert_eq!(entries(&world).await, 0);
}

#[tokio::test]
async fn a_rotation_begins_before_the_versions_of_the_one_before_are_removed() {
    let world = World::new();
    let process = std::sync::Arc::new(world.warm().await);
    let view = created(&world, "db", "v1").await;
    let (send, receive) = tokio::sync::oneshot::channel();
    let second = std::sync::Arc::clone(&process);
    let view = update(&process, rotate_to_one(&view, "v2")).await;
    // The removal of the first version is under way, and waits for the next rotation.
    world.store.before(StoreVerb::Delete, 1, async move {
        let view = update(&second, rotate_to_one(&view, "v3")).await;
        send.send(view).unwrap();
    });
    process.settle().await;
    let view = receive.await.unwrap();
    process.settle().await;
    assert_eq!(view.version.unwrap().number, 3);
    assert_eq!(world.value("db").await.unwrap(), "v3");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

/// What a plan without a refresh knows of the version may be wrong.
#[tokio::test]
async fn a_value_that_was_sealed_as_another_version_is_sealed_again() {
    let current = |backend: &str, backend_uuid, number| {
        Some(CurrentVersion {
            backend: slug(backend),
            backend_uuid,
            number,
        })
    };
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let other = Some(uuid::Uuid::from_u128(7));
    // What the caller knows, and the wraps that the rotation takes.
    let cases = [
        (current("platform", None, 1), 1),
        (None, 1),
        (current("platform", None, 2), 2),
        (current("platform", None, u64::MAX), 1),
        (current("vault", Some(vault.uuid), 1), 2),
        // Neither a backend that is known by its name alone nor its key is used, and no other
        // backend that was declared under the name since.
        (current("vault", None, 1), 1),
        (current("vault", other, 1), 1),
        (current("never-declared", other, 1), 1),
    ];
    for (case, (known, wraps)) in cases.into_iter().enumerate() {
        let name = format!("db-{case}");
        let view = created(&world, &name, "v1").await;
        let before = world.counts();
        let mut rotation = rotate(&view, "v2");
        rotation.current.clone_from(&known);
        let view = update(&process, rotation).await;
        assert_eq!((world.counts() - before).wrap, wraps, "{known:?}");
        assert_eq!(view.version.unwrap().number, 2, "{known:?}");
        assert_eq!(world.value(&name).await.unwrap(), "v2", "{known:?}");
    }
}

/// The removal of an entry hangs, as with a catalog that does not answer.
#[tokio::test]
async fn a_deletion_waits_for_removals_no_longer_than_it_may_take() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .catalog
        .before(CatalogVerb::Remove, 1, std::future::pending());
    destroy(&process, &view).await;
    let (interrupt, token) = cancellable();
    let delete = process.backends().delete(letting_go(&vault), &interrupt);
    let stop = async move { token.cancel() };
    let (deleted, ()) = tokio::join!(interrupt.bound(delete), stop);
    let interrupted = matches!(deleted, Err(OperationError::Interrupted { .. }));
    assert!(interrupted, "{deleted:?}");
}

/// A response comes before the removal of the entry, so another process may meet both.
#[tokio::test]
async fn a_deletion_right_after_the_destroy_of_another_process_raises_no_document() {
    let world = World::new();
    let (ours, theirs) = (world.warm().await, world.warm().await);
    let vault = declared(&ours, "vault", "a").await;
    let view = create(&theirs, "db", Some("vault")).await.unwrap();
    destroy(&theirs, &view).await;
    let tombstone = world.document(&name("db")).await.generation;
    assert_eq!(delete(&ours, &vault).await.unwrap(), DONE);
    assert_eq!(world.document(&name("db")).await.generation, tombstone);
    assert_eq!(entries(&world).await, 0);
}
