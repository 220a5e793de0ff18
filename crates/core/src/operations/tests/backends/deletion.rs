//! Deletion of a backend through its entries. See `concurrent_deletion.rs` and `pairs.rs` for
//! deletions beside other processes.

use std::time::Duration;

use super::{DONE, change, create, declared, delete};
use crate::catalog::{CatalogErrorKind, CatalogStore, CatalogVerb, record_key_of_name};
use crate::operations::deletion_waits::DeletionWaits;
use crate::operations::tests::world::{World, any, name};
use crate::operations::{
    BackendArguments, BackendOnDestroy, Destroyed, Interrupt, Lookup, OperationError, Organization,
    UpdateBackend,
};
use crate::store::{Landing, StoreVerb};

/// Short waits, for deletions that another process began and does not continue.
const SHORT_WAITS: DeletionWaits = DeletionWaits {
    deleting: Duration::from_millis(20),
    in_use: Duration::from_millis(5),
    poll: Duration::from_millis(1),
};

pub(super) fn with_short_waits(world: &World) -> Organization {
    let mut process = world.process();
    process.deletion_waits = SHORT_WAITS;
    process
}

pub(super) async fn entries(world: &World) -> usize {
    world.catalog.list("entries").await.unwrap().len()
}

/// Leaves the entry and the object of a creation that was killed between its put and its
/// commit.
pub(super) async fn interrupted(world: &World, named: &str) {
    // The entry is written, and the commit fails. Over a document that exists, a second entry
    // is written.
    let kind = CatalogErrorKind::Unavailable;
    let is_first = world.document(&name(named)).await.generation == 0;
    let commit = if is_first { 2 } else { 3 };
    world.fail_catalog(CatalogVerb::Write, commit, Landing::Before, kind);
    create(&world.process(), named, Some("vault"))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn who_needs_a_backend_is_found_by_its_entries_and_not_by_reading_every_record() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    for number in 0..20 {
        create(&process, &format!("elsewhere-{number}"), None)
            .await
            .unwrap();
    }
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let before = world.counts();
    let refused = process
        .backends()
        .expect_unused(&vault.name, vault.uuid)
        .await;
    match refused {
        Err(OperationError::BackendInUse { secrets, total, .. }) => {
            assert_eq!((secrets.as_slice(), total), (&["db".to_owned()][..], 1));
        }
        other => panic!("{other:?}"),
    }
    let spent = world.counts() - before;
    assert!(spent.read + spent.fenced <= 2, "{spent:?}");

    let interrupt = Interrupt::default();
    let asked = any(&view.name, view.uuid);
    process.secrets().delete(&asked, &interrupt).await.unwrap();
    process.settle().await;
    assert_eq!(entries(&world).await, 0, "the entry goes with its object");
    let unused = process
        .backends()
        .expect_unused(&vault.name, vault.uuid)
        .await;
    unused.unwrap();
}

#[tokio::test]
async fn what_an_interrupted_creation_has_left_goes_with_the_backend_and_its_name_is_raised() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "db").await;
    let place = world.connector.place("a");
    assert_eq!(place.objects().len(), 2, "the marker, and what was put");
    assert_eq!(entries(&world).await, 1);
    let before = world.document(&name("db")).await;
    assert_eq!(before.generation, 0, "nothing was committed");

    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert_eq!(entries(&world).await, 0);
    let after = world.document(&name("db")).await;
    assert!(after.is_tombstone());
    assert_eq!(after.generation, 1, "raised over nothing");
    // Also over an existing tombstone.
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "db").await;
    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );
    assert_eq!(world.document(&name("db")).await.generation, 2);
    create(&process, "db", None).await.unwrap();
}

#[tokio::test]
async fn an_object_whose_document_somebody_deleted_stays_and_its_backend_with_it() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let place = world.connector.place("a");
    let before = (place.objects(), entries(&world).await);
    let key = record_key_of_name(&name("db"));
    world.catalog.delete_by_hand(&key);

    let removed = |outcome: &Result<_, OperationError>| match outcome {
        Err(OperationError::Catalog(error)) => {
            assert_eq!(error.kind(), CatalogErrorKind::Removed);
        }
        other => panic!("{other:?}"),
    };
    let process = with_short_waits(&world);
    removed(&delete(&process, &vault).await);
    let shown = match process.backends().find_to_forget(&vault.name).await {
        Ok(Lookup::Found(found)) => *found,
        other => panic!("{other:?}"),
    };
    let interrupt = Interrupt::default();
    removed(&process.backends().forget(shown, &interrupt).await);
    world.catalog.undelete(&key);
    assert_eq!((place.objects(), entries(&world).await), before);
    let seen = world.process().backends().find(&vault.name).await.unwrap();
    assert!(!seen.is_deleting);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

/// The cleanup checks this itself, since the listing before it has found a document.
#[tokio::test]
async fn a_document_that_is_deleted_during_the_cleanup_is_not_raised_over() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    // A tombstone, and an object that an interrupted creation left.
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let interrupt = Interrupt::default();
    let asked = any(&view.name, view.uuid);
    process.secrets().delete(&asked, &interrupt).await.unwrap();
    interrupted(&world, "db").await;
    let place = world.connector.place("a");
    let before = place.objects();
    let (racing, key) = (world.clone(), record_key_of_name(&name("db")));
    place.before(StoreVerb::Describe, 1, async move {
        racing.catalog.delete_by_hand(&key);
    });
    let refused = delete(&with_short_waits(&world), &vault).await;
    assert!(
        matches!(&refused, Err(OperationError::Catalog(error))
            if error.kind() == CatalogErrorKind::Removed),
        "{refused:?}"
    );
    assert_eq!(place.objects(), before);
}

#[tokio::test]
async fn an_object_that_cannot_be_deleted_keeps_its_entry_and_the_next_deletion_finishes() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "db").await;
    let place = world.connector.place("a");
    place.inject(crate::store::Fault {
        verb: StoreVerb::Delete,
        nth: 1,
        landing: Landing::Before,
        kind: crate::store::StoreErrorKind::Unavailable,
    });
    let failed = delete(&with_short_waits(&world), &vault).await;
    assert!(
        matches!(failed, Err(OperationError::Store(_))),
        "{failed:?}"
    );
    assert_eq!(entries(&world).await, 1);
    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert_eq!(entries(&world).await, 0);
}

#[tokio::test]
async fn a_backend_that_was_changed_since_it_was_seen_stays() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let described = UpdateBackend {
        description: Some("of another run".to_owned()),
        ..change(&vault)
    };
    let interrupt = Interrupt::default();
    let changed = process
        .backends()
        .update(described, &interrupt)
        .await
        .unwrap();
    let stale = delete(&with_short_waits(&world), &vault).await;
    assert!(
        matches!(
            stale,
            Err(OperationError::BackendChangedConcurrently { .. })
        ),
        "{stale:?}"
    );
    assert_eq!(
        delete(&with_short_waits(&world), &changed).await.unwrap(),
        DONE
    );
}

/// Each deletion writes the record of the default, and none fails because of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_backends_are_deleted_at_once() {
    let world = World::new();
    let process = std::sync::Arc::new(world.warm().await);
    let mut deletions = Vec::new();
    for number in 0..30 {
        let backend = declared(&process, &format!("vault-{number}"), "a").await;
        let process = std::sync::Arc::clone(&process);
        deletions.push(async move { delete(&process, &backend).await });
    }
    let tasks: Vec<_> = deletions.into_iter().map(tokio::spawn).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), DONE);
    }
}

#[tokio::test]
async fn a_backend_that_is_gone_for_good_is_forgotten_without_asking_it() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    interrupted(&world, "other").await;
    let left: Vec<String> = world
        .connector
        .place("a")
        .objects()
        .iter()
        .map(ToString::to_string)
        .filter(|object| !object.contains("/db-"))
        .collect();
    assert_eq!(left.len(), 2, "the marker, and what was put");
    // From now on the place rejects every credential.
    world.connector.demand("a", "nobody knows");
    let opened = world.connector.opened();
    let interrupt = Interrupt::default();
    let late = with_short_waits(&world);
    let forget = UpdateBackend {
        arguments: BackendArguments {
            on_destroy: BackendOnDestroy::Forget,
            ..vault.arguments.clone()
        },
        ..change(&vault)
    };
    let vault = late.backends().update(forget, &interrupt).await.unwrap();
    let refused = delete(&late, &vault).await;
    assert!(
        matches!(refused, Err(OperationError::BackendInUse { total: 1, .. })),
        "{refused:?}"
    );
    assert_eq!(world.connector.opened(), opened, "it was not asked");

    forget_secret(&world, &view).await;
    let deleted = delete(&late, &vault).await.unwrap();
    assert_eq!(deleted.destroyed, Destroyed::Forgotten);
    let mut told = deleted.left_behind;
    told.sort();
    let mut expected = left;
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(world.connector.opened(), opened, "it was not asked");
    assert_eq!(entries(&world).await, 0);
    declared(&process, "vault", "b").await;
}

/// Removes a secret from the catalog as `on_destroy = "forget"` does.
async fn forget_secret(world: &World, view: &crate::operations::SecretView) {
    let process = world.warm().await;
    let mut document = world.document(&view.name).await;
    let secret = document.current.take().unwrap();
    document.generation += 1;
    world.write_document(&view.name, &document).await;
    for entry in secret.entries() {
        process.entries().remove(&entry).await.unwrap();
    }
}

/// Entries that could not be removed after the tombstone have no effect on a second deletion,
/// or on a later backend of the same name.
#[tokio::test]
async fn an_entry_that_outlives_its_backend_disturbs_nobody() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "db").await;
    let kind = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::Remove, 1, Landing::Before, kind);
    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );
    assert_eq!(entries(&world).await, 1);
    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );

    let next = declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let used = delete(&with_short_waits(&world), &next).await;
    assert!(
        matches!(used, Err(OperationError::BackendInUse { total: 1, .. })),
        "{used:?}"
    );
    let view = process.secrets().find(&name("db")).await.unwrap();
    let gone = any(&view.name, view.uuid);
    let interrupt = Interrupt::default();
    process.secrets().delete(&gone, &interrupt).await.unwrap();
    assert_eq!(
        delete(&with_short_waits(&world), &next).await.unwrap(),
        DONE
    );
    assert_eq!(entries(&world).await, 1);
    let place = world.connector.place("a");
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
