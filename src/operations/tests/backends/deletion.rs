//! A backend is deleted beside creations on it: its entries tell what is there, and
//! no creation that is held anywhere loses what it acknowledges.

use std::time::Duration;

use tokio::sync::watch;

use super::{DONE, change, create, declared, delete, letting_go};
use crate::catalog::{CatalogErrorKind, CatalogStore, CatalogVerb};
use crate::operations::backends::Patience;
use crate::operations::tests::world::{World, any, name};
use crate::operations::{
    BackendArguments, BackendOnDestroy, BackendView, Destroyed, Interrupt, OperationError,
    Organization, UpdateBackend,
};
use crate::store::{Landing, StoreVerb};

/// Waits no longer than it takes to see that nobody goes on.
const HASTY: Patience = Patience {
    deleting: Duration::from_millis(20),
    in_use: Duration::from_millis(5),
    poll: Duration::from_millis(1),
};

fn hasty(world: &World) -> Organization {
    let mut process = world.process();
    process.patience = HASTY;
    process
}

async fn entries(world: &World) -> usize {
    world.catalog.list("entries").await.unwrap().len()
}

/// Leaves what a creation leaves that is killed between its put and its commit.
async fn interrupted(world: &World, named: &str) {
    // The entry is written, and the commit is not.
    let kind = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::Write, 2, Landing::Before, kind);
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
    let refused = process.expect_unused_backend(&vault.name, vault.uuid).await;
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
    process.delete_secret(&asked, &interrupt).await.unwrap();
    assert_eq!(entries(&world).await, 0, "the entry goes with its object");
    let unused = process.expect_unused_backend(&vault.name, vault.uuid).await;
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

    assert_eq!(delete(&hasty(&world), &vault).await.unwrap(), DONE);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert_eq!(entries(&world).await, 0);
    let after = world.document(&name("db")).await;
    assert!(after.is_tombstone());
    assert_eq!(after.generation, 1, "raised over nothing");
    // Over a standing tombstone, too.
    let vault = declared(&process, "vault", "a").await;
    interrupted(&world, "db").await;
    assert_eq!(delete(&hasty(&world), &vault).await.unwrap(), DONE);
    assert_eq!(world.document(&name("db")).await.generation, 2);
    create(&process, "db", None).await.unwrap();
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
    let failed = delete(&hasty(&world), &vault).await;
    assert!(
        matches!(failed, Err(OperationError::Store(_))),
        "{failed:?}"
    );
    assert_eq!(entries(&world).await, 1);
    assert_eq!(delete(&hasty(&world), &vault).await.unwrap(), DONE);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert_eq!(entries(&world).await, 0);
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
    // From now on nobody gets in there.
    world.connector.demand("a", "nobody knows");
    let opened = world.connector.opened();
    let interrupt = Interrupt::default();
    let late = hasty(&world);
    let forget = UpdateBackend {
        arguments: BackendArguments {
            on_destroy: BackendOnDestroy::Forget,
            ..vault.arguments.clone()
        },
        ..change(&vault)
    };
    let vault = late.update_backend(forget, &interrupt).await.unwrap();
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

/// Takes a secret out of the catalog as `on_destroy = "forget"` does.
async fn forget_secret(world: &World, view: &crate::operations::SecretView) {
    let process = world.warm().await;
    let mut document = world.document(&view.name).await;
    let secret = document.current.take().unwrap();
    document.generation += 1;
    world.write_document(&view.name, &document).await;
    for entry in secret.entries() {
        process.remove_entry(&entry).await.unwrap();
    }
}

/// Where a creation or a deletion is held: before the nth call of its own.
#[derive(Clone, Copy, Debug)]
enum Held {
    Catalog(CatalogVerb, usize),
    Store(StoreVerb, usize),
}

impl Held {
    fn hold(self, world: &World, race: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Catalog(verb, nth) => world.catalog.before(verb, nth, race),
            Self::Store(verb, nth) => world.connector.place("a").before(verb, nth, race),
        }
    }
}

/// Of a creation: its looks, its entry, the look at the backend, its put, its commit.
const CREATOR: [Held; 7] = [
    Held::Catalog(CatalogVerb::ReadFenced, 1),
    Held::Catalog(CatalogVerb::Read, 1),
    Held::Catalog(CatalogVerb::Write, 1),
    Held::Catalog(CatalogVerb::Read, 2),
    Held::Catalog(CatalogVerb::Read, 3),
    Held::Store(StoreVerb::Put, 1),
    Held::Catalog(CatalogVerb::Write, 2),
];

/// Of a deletion: its listings, the mark, the fence before the default, the raising,
/// the cleaning up, the marker, the tombstone; and to its end.
const DELETION: [Held; 9] = [
    Held::Catalog(CatalogVerb::List, 1),
    Held::Catalog(CatalogVerb::Write, 1),
    Held::Catalog(CatalogVerb::List, 2),
    Held::Catalog(CatalogVerb::Write, 2),
    Held::Catalog(CatalogVerb::Write, 3),
    Held::Store(StoreVerb::Delete, 1),
    Held::Catalog(CatalogVerb::Remove, 1),
    Held::Catalog(CatalogVerb::Write, 4),
    Held::Catalog(CatalogVerb::Write, 99),
];

/// The creation is held, the deletion runs up to a step of its own, the creation goes
/// on to its end, then the deletion does.
#[tokio::test]
async fn a_creation_that_is_held_beside_a_deletion_loses_nothing_that_it_acknowledges() {
    let (mut created, mut deleted) = (0, 0);
    let mut held = std::collections::BTreeSet::new();
    for creator in CREATOR {
        for deletion in DELETION {
            let what = format!("{creator:?} {deletion:?}");
            let world = World::new();
            let process = world.warm().await;
            let vault = declared(&process, "vault", "a").await;
            let (done, of_creator) = watch::channel(false);
            let (handle, mut of_deletion) = tokio::sync::oneshot::channel();
            let (other, view) = (world.clone(), vault.clone());
            creator.hold(&world, async move {
                let task = runs_up_to(&other, &view, deletion, of_creator).await;
                handle.send(task).unwrap_or_default();
            });
            let outcome = create(&world.process(), "db", Some("vault")).await;
            done.send_replace(true);
            // A read that a creation does not make holds nothing.
            let Ok(task) = of_deletion.try_recv() else {
                assert!(outcome.is_ok(), "{what}: {outcome:?}");
                continue;
            };
            held.insert(format!("{creator:?}"));
            let gone = task.await.unwrap();
            deleted += usize::from(gone);
            match outcome {
                Ok(_) => {
                    created += 1;
                    assert!(!gone, "{what}");
                    assert_eq!(world.value("db").await.unwrap(), "hunter2", "{what}");
                }
                Err(error) => {
                    let document = world.document(&name("db")).await;
                    assert!(document.is_tombstone(), "{what}: {error:?}");
                    assert_eq!(entries(&world).await, 0, "{what}: {error:?}");
                    let left = world.connector.place("a").objects();
                    assert!(left.len() <= usize::from(!gone), "{what}: {left:?}");
                }
            }
        }
    }
    assert!(held.len() > 4, "{held:?}");
    for step in [CREATOR[2], CREATOR[5], CREATOR[6]] {
        assert!(held.contains(&format!("{step:?}")), "{step:?}: {held:?}");
    }
    assert!(created > 5 && deleted > 5, "{created} {deleted}");
}

/// Begins a deletion, and returns once it is held before `step`, or over. It goes on
/// when `done` says so, and tells whether the backend is gone.
async fn runs_up_to(
    world: &World,
    view: &BackendView,
    step: Held,
    mut done: watch::Receiver<bool>,
) -> tokio::task::JoinHandle<bool> {
    let (reached, mut is_reached) = watch::channel(false);
    let (over, is_over) = watch::channel(false);
    let reached_too = reached.clone();
    step.hold(world, async move {
        // A deletion that never came so far leaves this to the creation's own calls.
        if !*is_over.borrow() {
            reached.send_replace(true);
            let _ = done.wait_for(|done| *done).await;
        }
    });
    let (process, request) = (hasty(world), letting_go(view));
    let task = tokio::spawn(async move {
        let interrupt = Interrupt::default();
        let outcome = process.delete_backend(request, &interrupt).await;
        over.send_replace(true);
        reached_too.send_replace(true);
        match outcome {
            Ok(deleted) => {
                assert_eq!(deleted, DONE);
                true
            }
            Err(
                OperationError::BackendInUse { .. }
                | OperationError::BackendChangedConcurrently { .. },
            ) => false,
            Err(error) => panic!("{error:?}"),
        }
    });
    is_reached.wait_for(|reached| *reached).await.unwrap();
    task
}
