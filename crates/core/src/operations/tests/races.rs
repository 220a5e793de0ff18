//! Writers race: exactly one wins, and no other writer deletes the winner's objects.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::operations::{DeletedSecret, OnDestroy};
use crate::store::{Landing, StoreVerb};

/// The call of one writer before which the other runs to its end.
#[derive(Clone, Copy, Debug)]
enum Before {
    Catalog(CatalogVerb, usize),
    Store(StoreVerb),
}

impl Before {
    fn race(self, world: &World, race: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Catalog(verb, nth) => world.catalog.before(verb, nth, race),
            Self::Store(verb) => world.store.before(verb, 1, race),
        }
    }
}

const STEPS_OF_CREATE: [Before; 3] = [
    Before::Catalog(CatalogVerb::Read, 1),
    Before::Store(StoreVerb::Put),
    Before::Catalog(CatalogVerb::Write, 1),
];

fn lost<T>(result: &Result<T, OperationError>) -> bool {
    matches!(
        result,
        Err(OperationError::ChangedConcurrently { .. } | OperationError::AlreadyExists { .. })
    )
}

#[tokio::test]
async fn of_two_creates_one_wins_at_each_step() {
    for step in STEPS_OF_CREATE {
        for over_tombstone in [false, true] {
            let world = World::new();
            let interrupt = Interrupt::default();
            if over_tombstone {
                let old = created(&world, "db", "old").await;
                let process = world.process();
                process
                    .secrets()
                    .delete(&own(&old), &interrupt)
                    .await
                    .unwrap();
            }
            let ours = world.warm().await;
            let theirs = world.warm().await;
            let (send, receive) = tokio::sync::oneshot::channel();
            step.race(&world, async move {
                let create = create_of("db", given("theirs"));
                let raced = theirs.secrets().create(create, &Interrupt::default()).await;
                send.send(raced).unwrap();
            });
            let create = create_of("db", given("ours"));
            let ours = ours.secrets().create(create, &interrupt).await;
            let theirs = receive.await.unwrap();
            let what = format!("{step:?}, over a tombstone: {over_tombstone}");
            assert!(theirs.is_ok(), "{what}: {theirs:?}");
            let exists = matches!(ours, Err(OperationError::AlreadyExists { .. }));
            assert!(exists, "{what}: {ours:?}");
            assert_eq!(world.value("db").await.unwrap(), "theirs", "{what}");
            assert_eq!(world.unreferenced(&["db"]).await, 0, "{what}");
        }
    }
}

#[tokio::test]
async fn of_two_updates_from_one_generation_one_wins() {
    for step in [
        Before::Catalog(CatalogVerb::Read, 1),
        Before::Store(StoreVerb::Put),
        Before::Catalog(CatalogVerb::Write, 1),
    ] {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        let (racing, seen) = (world.clone(), view.clone());
        step.race(&world, async move {
            let process = racing.warm().await;
            let update = rotate(&seen, "theirs");
            let raced = process
                .secrets()
                .update(update, &Interrupt::default())
                .await;
            raced.unwrap();
        });
        let process = world.warm().await;
        let ours = process
            .secrets()
            .update(rotate(&view, "ours"), &Interrupt::default())
            .await;
        let overtaken = matches!(ours, Err(OperationError::ChangedConcurrently { .. }));
        assert!(overtaken, "{step:?}: {ours:?}");
        assert_eq!(world.value("db").await.unwrap(), "theirs", "{step:?}");
        assert_eq!(world.unreferenced(&["db"]).await, 0, "{step:?}");
        let document = world.document(&view.name).await;
        assert_eq!(document.current.unwrap().versions.len(), 2, "{step:?}");
    }
}

#[tokio::test]
async fn an_update_that_loses_to_a_deletion_leaves_no_object() {
    for step in [
        Before::Store(StoreVerb::Put),
        Before::Catalog(CatalogVerb::Write, 1),
    ] {
        for finished in [true, false] {
            let world = World::new();
            let view = created(&world, "db", "v1").await;
            let (racing, seen) = (world.clone(), view.clone());
            step.race(&world, async move {
                let process = racing.warm().await;
                if !finished {
                    let unavailable = CatalogErrorKind::Unavailable;
                    let (verb, landing) = (CatalogVerb::Write, Landing::Before);
                    racing.fail_catalog(verb, 2, landing, unavailable);
                }
                let interrupt = Interrupt::default();
                let deleted = process
                    .secrets()
                    .delete(&any(&seen.name, seen.uuid), &interrupt)
                    .await;
                assert_eq!(deleted.is_ok(), finished);
            });
            let process = world.warm().await;
            let ours = process
                .secrets()
                .update(rotate(&view, "v2"), &Interrupt::default())
                .await;
            assert!(lost(&ours), "{step:?}: {ours:?}");
            assert!(
                world.store.objects().is_empty(),
                "{step:?}: an object came back"
            );
            let process = world.process();
            process
                .secrets()
                .delete(&any(&view.name, view.uuid), &Interrupt::default())
                .await
                .unwrap();
            assert!(world.document(&view.name).await.is_tombstone());
        }
    }
}

#[tokio::test]
async fn a_deletion_never_takes_what_an_update_just_wrote() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let (racing, seen) = (world.clone(), view.clone());
    Before::Catalog(CatalogVerb::Write, 1).race(&world, async move {
        let process = racing.warm().await;
        let raced = process
            .secrets()
            .update(rotate(&seen, "v2"), &Interrupt::default())
            .await;
        raced.unwrap();
    });
    let process = world.warm().await;
    let deleted = process
        .secrets()
        .delete(&any(&view.name, view.uuid), &Interrupt::default())
        .await;
    assert!(lost(&deleted), "{deleted:?}");
    assert_eq!(world.value("db").await.unwrap(), "v2");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

/// An adoption changes only the owner.
#[tokio::test]
async fn a_deletion_never_takes_what_was_adopted_meanwhile() {
    for on_destroy in [OnDestroy::Delete, OnDestroy::Forget] {
        let world = World::new();
        let interrupt = Interrupt::default();
        let create = || {
            let mut create = create_of("db", given("v1"));
            create.arguments.on_destroy = on_destroy;
            create
        };
        let first = world.warm().await;
        let view = first.secrets().create(create(), &interrupt).await.unwrap();
        let (resuming, adoption) = (world.resuming(&first), create());
        Before::Catalog(CatalogVerb::Write, 1).race(&world, async move {
            let interrupt = Interrupt::default();
            let adopted = resuming.secrets().create(adoption, &interrupt).await;
            adopted.unwrap();
        });
        let process = world.warm().await;
        let deleted = process.secrets().delete(&own(&view), &interrupt).await;
        assert!(lost(&deleted), "{on_destroy:?}: {deleted:?}");
        assert_eq!(world.value("db").await.unwrap(), "v1");
        // The next attempt returns the owner.
        let next = process.secrets().delete(&own(&view), &interrupt).await;
        assert!(
            matches!(next, Ok(DeletedSecret::OwnedByAnotherState(_))),
            "{on_destroy:?}: {next:?}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_to_be_forgotten_stays_where_it_was_changed_meanwhile() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let mut create = create_of("db", given("v1"));
    create.arguments.on_destroy = OnDestroy::Forget;
    let process = world.warm().await;
    let view = process.secrets().create(create, &interrupt).await.unwrap();
    let (racing, seen) = (world.clone(), view.clone());
    Before::Catalog(CatalogVerb::Write, 1).race(&world, async move {
        let process = racing.warm().await;
        let interrupt = Interrupt::default();
        let raced = process
            .secrets()
            .update(rotate(&seen, "v2"), &interrupt)
            .await;
        raced.unwrap();
    });
    let process = world.warm().await;
    let deleted = process.secrets().delete(&own(&view), &interrupt).await;
    assert!(lost(&deleted), "{deleted:?}");
    assert_eq!(world.value("db").await.unwrap(), "v2");
}

#[tokio::test]
async fn an_update_of_what_is_being_deleted_writes_nothing() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let (racing, seen) = (world.clone(), view.clone());
    Before::Store(StoreVerb::Delete).race(&world, async move {
        let process = racing.warm().await;
        let before = racing.counts();
        let raced = process
            .secrets()
            .update(rotate(&seen, "v2"), &Interrupt::default())
            .await;
        assert!(lost(&raced), "{raced:?}");
        assert_eq!((racing.counts() - before).put, 0);
    });
    let process = world.warm().await;
    process
        .secrets()
        .delete(&any(&view.name, view.uuid), &Interrupt::default())
        .await
        .unwrap();
    assert!(world.store.objects().is_empty());
}

#[tokio::test]
async fn a_deletion_that_somebody_else_finished_has_succeeded() {
    for step in [
        Before::Catalog(CatalogVerb::Write, 1),
        Before::Store(StoreVerb::Delete),
        Before::Catalog(CatalogVerb::Write, 2),
    ] {
        for recreated in [true, false] {
            let world = World::new();
            let view = created(&world, "db", "old").await;
            let (racing, seen) = (world.clone(), view.clone());
            step.race(&world, async move {
                let process = racing.warm().await;
                let interrupt = Interrupt::default();
                process
                    .secrets()
                    .delete(&any(&seen.name, seen.uuid), &interrupt)
                    .await
                    .unwrap();
                if recreated {
                    let create = create_of("db", given("new"));
                    process.secrets().create(create, &interrupt).await.unwrap();
                }
            });
            let process = world.warm().await;
            let deleted = process
                .secrets()
                .delete(&any(&view.name, view.uuid), &Interrupt::default())
                .await;
            deleted.unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
            if recreated {
                assert_eq!(world.value("db").await.unwrap(), "new", "{step:?}");
            } else {
                assert!(world.document(&view.name).await.is_tombstone(), "{step:?}");
            }
            assert_eq!(world.unreferenced(&["db"]).await, 0, "{step:?}");
        }
    }
}

#[tokio::test]
async fn a_writer_that_stalled_over_a_recreation_changes_nothing() {
    // Its compare-and-set must never succeed on the record of a later namesake.
    let world = World::new();
    let view = created(&world, "db", "old").await;
    let (racing, seen) = (world.clone(), view.clone());
    Before::Catalog(CatalogVerb::Write, 1).race(&world, async move {
        let process = racing.warm().await;
        let interrupt = Interrupt::default();
        process
            .secrets()
            .delete(&any(&seen.name, seen.uuid), &interrupt)
            .await
            .unwrap();
        let create = create_of("db", given("new"));
        process.secrets().create(create, &interrupt).await.unwrap();
    });
    let process = world.warm().await;
    let stalled = process
        .secrets()
        .update(rotate(&view, "stalled"), &Interrupt::default())
        .await;
    assert!(lost(&stalled), "{stalled:?}");
    assert_eq!(world.value("db").await.unwrap(), "new");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
    assert_eq!(world.store.objects().len(), 1);
}
