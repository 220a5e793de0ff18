//! Each call of the catalog and the store fails, before or after its effect. The next run
//! converges, and no acknowledged write is lost.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::kek::KekErrorKind;
use crate::store::{Landing, StoreErrorKind, StoreVerb};

/// A failure of one call.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Catalog(CatalogVerb, usize, Landing, CatalogErrorKind),
    Store(StoreVerb, Landing, StoreErrorKind),
    Kek(KekVerb),
}

impl Failure {
    fn strike(self, world: &World) {
        match self {
            Self::Catalog(verb, nth, landing, kind) => world.fail_catalog(verb, nth, landing, kind),
            Self::Store(verb, landing, kind) => world.fail_store(verb, 1, landing, kind),
            Self::Kek(verb) => world.kek.deny(verb, KekErrorKind::PermissionDenied),
        }
    }

    fn is_lost_answer(self) -> bool {
        matches!(
            self,
            Self::Catalog(CatalogVerb::Write, _, _, CatalogErrorKind::Conflict)
        )
    }
}

fn all() -> Vec<Failure> {
    use CatalogErrorKind::{Conflict, Unavailable};
    let mut all = vec![
        Failure::Kek(KekVerb::Wrap),
        Failure::Catalog(CatalogVerb::Read, 1, Landing::Before, Unavailable),
        Failure::Catalog(CatalogVerb::ForgetHistory, 1, Landing::Before, Unavailable),
        Failure::Store(StoreVerb::Put, Landing::Before, StoreErrorKind::TooLarge),
        Failure::Store(
            StoreVerb::Put,
            Landing::Before,
            StoreErrorKind::AlreadyExists,
        ),
    ];
    for landing in [Landing::Before, Landing::After] {
        for kind in [Conflict, Unavailable] {
            for nth in 1..=2 {
                all.push(Failure::Catalog(CatalogVerb::Write, nth, landing, kind));
            }
        }
        for kind in [
            StoreErrorKind::Unavailable,
            StoreErrorKind::Conflict,
            StoreErrorKind::PermissionDenied,
            StoreErrorKind::Unauthenticated,
            StoreErrorKind::Misconfigured,
        ] {
            all.push(Failure::Store(StoreVerb::Put, landing, kind));
            all.push(Failure::Store(StoreVerb::Delete, landing, kind));
        }
    }
    all
}

#[tokio::test]
async fn create_converges_after_each_failure() {
    // A creation writes its record once.
    let once = |failure: &Failure| !matches!(failure, Failure::Catalog(_, 2, ..));
    for failure in all().into_iter().filter(once) {
        let world = World::new();
        let create = || create_of("db", given("hunter2"));
        let interrupt = Interrupt::default();
        let process = world.warm().await;
        failure.strike(&world);
        let first = process.secrets().create(create(), &interrupt).await;
        if failure.is_lost_answer() {
            assert!(first.is_ok(), "{failure:?}: {first:?}");
        }
        world.kek.allow();
        let is_committed = !world.document(&name("db")).await.is_tombstone();
        if first.is_err() && is_committed {
            // Another run gets an error, and a run that resumes it adopts the secret.
            assert!(
                matches!(first, Err(OperationError::CommitUnclear(_))),
                "{first:?}"
            );
            let refused = world.process().secrets().create(create(), &interrupt).await;
            let exists = matches!(refused, Err(OperationError::AlreadyExists { .. }));
            assert!(exists, "{failure:?}: {refused:?}");
        }
        let resuming = world.resuming(&process);
        let second = resuming.secrets().create(create(), &interrupt).await;
        let second = second.unwrap_or_else(|error| panic!("{failure:?}: {error:?}"));
        if let Ok(first) = first {
            assert_eq!(first.uuid, second.uuid, "{failure:?}");
        }
        assert_eq!(second.is_adopted, is_committed, "{failure:?}");
        assert_eq!(number(&second), Some(1), "{failure:?}");
        assert_eq!(world.value("db").await.unwrap(), "hunter2", "{failure:?}");
        // At most the version that was put and never committed.
        let left = world.unreferenced(&["db"]).await;
        assert!(left <= usize::from(!is_committed), "{failure:?}: {left}");
    }
}

#[tokio::test]
async fn update_converges_after_each_failure() {
    for failure in all() {
        let world = World::new();
        let mut view = created(&world, "db", "v1").await;
        let interrupt = Interrupt::default();
        let process = world.warm().await;
        let asked = |view: &SecretView| {
            let mut update = rotate(view, "v2");
            update.arguments.value_wo_version = Some("2".to_owned());
            update
        };
        failure.strike(&world);
        let first = process.secrets().update(asked(&view), &interrupt).await;
        if failure.is_lost_answer() {
            assert!(first.is_ok(), "{failure:?}: {first:?}");
        }
        world.kek.allow();
        // The next run refreshes, and writes if the trigger still differs.
        match refreshed(&world, &view).await {
            Ok(Refreshed::Present(now)) => view = now,
            other => panic!("{failure:?}: {other:?}"),
        }
        if view.arguments.value_wo_version.as_deref() != Some("2") {
            assert!(first.is_err(), "{failure:?}: acknowledged and lost");
            let again = world
                .process()
                .secrets()
                .update(asked(&view), &interrupt)
                .await;
            view = again.unwrap_or_else(|error| panic!("{failure:?}: {error:?}"));
        }
        assert_eq!(number(&view), Some(2), "{failure:?}");
        assert_eq!(world.value("db").await.unwrap(), "v2", "{failure:?}");
        let selector = Selector::Uuid(view.uuid);
        let before = world
            .process()
            .secrets()
            .open(&selector, Some(1))
            .await
            .unwrap();
        assert_eq!(world::exposed(&before.value), "v1", "{failure:?}");
        assert!(world.unreferenced(&["db"]).await <= 1, "{failure:?}");
    }
}

#[tokio::test]
async fn delete_converges_after_each_failure() {
    for failure in all() {
        let world = World::new();
        let view = created(&world, "db", "v1").await;
        let interrupt = Interrupt::default();
        let process = world.warm().await;
        failure.strike(&world);
        let first = process
            .secrets()
            .delete(&any(&view.name, view.uuid), &interrupt)
            .await;
        if failure.is_lost_answer() {
            assert!(first.is_ok(), "{failure:?}: {first:?}");
        }
        if first.is_err() {
            let now = refreshed(&world, &view).await.unwrap();
            assert!(
                !matches!(now, Refreshed::VersionLost(_)),
                "{failure:?}: {now:?}"
            );
        }
        let second = world
            .process()
            .secrets()
            .delete(&any(&view.name, view.uuid), &interrupt)
            .await;
        second.unwrap_or_else(|error| panic!("{failure:?}: {error:?}"));
        assert!(
            world.document(&view.name).await.is_tombstone(),
            "{failure:?}"
        );
        assert!(world.store.objects().is_empty(), "{failure:?}");
        assert_eq!(
            refreshed(&world, &view).await.unwrap(),
            Refreshed::Gone,
            "{failure:?}"
        );
    }
}

#[tokio::test]
async fn create_finishes_a_deletion_that_was_killed_at_any_step() {
    let failures = [
        Failure::Store(
            StoreVerb::Delete,
            Landing::Before,
            StoreErrorKind::Unavailable,
        ),
        Failure::Store(
            StoreVerb::Delete,
            Landing::After,
            StoreErrorKind::Unavailable,
        ),
        Failure::Catalog(
            CatalogVerb::Write,
            2,
            Landing::Before,
            CatalogErrorKind::Unavailable,
        ),
        Failure::Catalog(
            CatalogVerb::Write,
            2,
            Landing::After,
            CatalogErrorKind::Unavailable,
        ),
    ];
    for failure in failures {
        let world = World::new();
        let old = created(&world, "db", "old").await;
        let process = world.warm().await;
        failure.strike(&world);
        let deleted = process
            .secrets()
            .delete(&any(&old.name, old.uuid), &Interrupt::default())
            .await;
        deleted.unwrap_err();
        let new = created(&world, "db", "new").await;
        assert_ne!(new.uuid, old.uuid, "{failure:?}");
        assert_eq!(number(&new), Some(1));
        assert!(new.generation > old.generation);
        assert_eq!(world.value("db").await.unwrap(), "new", "{failure:?}");
        assert_eq!(world.unreferenced(&["db"]).await, 0, "{failure:?}");
        assert_eq!(world.store.objects().len(), 1, "{failure:?}");
    }
}

#[tokio::test]
async fn a_deletion_whose_history_stays_is_still_a_deletion() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let unavailable = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::ForgetHistory, 1, Landing::Before, unavailable);
    let process = world.warm().await;
    let deleted = process
        .secrets()
        .delete(&any(&view.name, view.uuid), &Interrupt::default())
        .await;
    deleted.expect("the tombstone is committed");
}

#[tokio::test]
async fn a_lost_answer_that_was_built_upon_is_still_ours() {
    // The commit lands, its response is a conflict, and another writer edits the secret
    // before the next read. The version that the record names must stay.
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let racing = world.clone();
    let conflict = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, conflict);
    world
        .catalog
        .before(CatalogVerb::ReadFenced, 1, async move {
            let process = racing.process();
            let view = process.secrets().find(&name("db")).await.unwrap();
            assert_eq!(number(&view), Some(2));
            let mut update = edit(&view);
            update.metadata.description = Some("theirs".to_owned());
            process
                .secrets()
                .update(update, &Interrupt::default())
                .await
                .unwrap();
        });
    let process = world.warm().await;
    let updated = process
        .secrets()
        .update(rotate(&view, "v2"), &Interrupt::default())
        .await;
    assert_eq!(number(&updated.unwrap()), Some(2));
    assert_eq!(world.value("db").await.unwrap(), "v2");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
    let now = world.process().secrets().find(&name("db")).await.unwrap();
    assert_eq!(now.metadata.description.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn an_edit_whose_answer_is_lost_is_made() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let conflict = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, conflict);
    let mut update = edit(&view);
    update.metadata.description = Some("ours".to_owned());
    let (secrets, interrupt) = (process.secrets(), Interrupt::default());
    let edited = secrets.update(update, &interrupt).await.unwrap();
    assert_eq!(edited.metadata.description.as_deref(), Some("ours"));
}

#[tokio::test]
async fn a_lost_answer_whose_version_was_pruned_since_is_still_ours() {
    // The creation lands, and its response is a conflict. Before the next read, a run that
    // resumes it adopts the secret and rotates it, with `keep_versions = 1`.
    let world = World::new();
    let process = world.warm().await;
    let resuming = world.resuming(&process);
    let conflict = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::After, conflict);
    let race = async move {
        let interrupt = Interrupt::default();
        let create = create_of("db", given("v1"));
        let adopted = resuming.secrets().create(create, &interrupt).await.unwrap();
        let mut update = rotate(&adopted, "v2");
        update.arguments.keep_versions = 1;
        resuming.secrets().update(update, &interrupt).await.unwrap();
        resuming.settle().await;
    };
    world.catalog.before(CatalogVerb::ReadFenced, 1, race);
    let create = create_of("db", given("v1"));
    let created = process
        .secrets()
        .create(create, &Interrupt::default())
        .await;
    assert_eq!(number(&created.unwrap()), Some(2));
    assert_eq!(world.value("db").await.unwrap(), "v2");
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

#[tokio::test]
async fn a_conflict_without_a_rival_is_written_again() {
    // A stale node returns such a conflict.
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let conflict = CatalogErrorKind::Conflict;
    world.fail_catalog(CatalogVerb::Write, 1, Landing::Before, conflict);
    let process = world.warm().await;
    let updated = process
        .secrets()
        .update(rotate(&view, "v2"), &Interrupt::default())
        .await;
    assert_eq!(number(&updated.unwrap()), Some(2));

    // A permanent conflict is an error, and the version whose commit is unknown stays.
    let view = world.process().secrets().find(&name("db")).await.unwrap();
    for _ in 0..10 {
        world.fail_catalog(CatalogVerb::Write, 1, Landing::Before, conflict);
    }
    let deletions = world.counts().delete;
    let stuck = process
        .secrets()
        .update(rotate(&view, "v3"), &Interrupt::default())
        .await;
    assert!(
        matches!(stuck, Err(OperationError::Catalog(_))),
        "{stuck:?}"
    );
    assert_eq!(world.counts().delete, deletions);
    assert_eq!(world.value("db").await.unwrap(), "v2");
}

#[tokio::test]
async fn a_creation_that_put_and_did_not_commit_stands_in_nobodys_way() {
    for kind in [
        StoreErrorKind::PermissionDenied,
        StoreErrorKind::Unauthenticated,
        StoreErrorKind::Misconfigured,
        StoreErrorKind::Unavailable,
        StoreErrorKind::RateLimited,
        StoreErrorKind::AlreadyExists,
        StoreErrorKind::InvalidName,
    ] {
        let world = World::new();
        let process = world.warm().await;
        world.fail_store(StoreVerb::Put, 1, Landing::After, kind);
        let create = create_of("db", given("x"));
        let interrupt = Interrupt::default();
        process
            .secrets()
            .create(create, &interrupt)
            .await
            .unwrap_err();
        let key = crate::catalog::record_key_of_name(&name("db"));
        assert_eq!(world.stored(&key).await, None, "{kind:?}");
        created(&world, "db", "y").await;
        assert_eq!(world.value("db").await.unwrap(), "y", "{kind:?}");
        assert_eq!(world.unreferenced(&["db"]).await, 1, "{kind:?}");
    }
}
