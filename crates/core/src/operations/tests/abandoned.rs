//! Deletions of backends beside other processes, and deletions that were interrupted.

use std::time::Duration;

use super::backends::{DONE, change, create, declared, delete, letting_go, slug};
use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::operations::RefreshedBackend;
use crate::operations::deletion_waits::DeletionWaits;
use crate::store::{Fault, Landing, StoreErrorKind, StoreVerb};

/// Bounds the test, so that a defect cannot make it hang.
const BOUND: Duration = Duration::from_secs(60);

/// Short waits, for deletions that another process began and does not continue.
const SHORT_WAITS: DeletionWaits = DeletionWaits {
    deleting: Duration::from_millis(20),
    in_use: Duration::from_millis(10),
    poll: Duration::from_millis(1),
};

/// Unlimited waits, for deletions that another process is still executing.
const ENDLESS_WAITS: DeletionWaits = DeletionWaits {
    deleting: Duration::MAX,
    in_use: Duration::MAX,
    poll: Duration::from_millis(1),
};

fn waiting(world: &World, waits: DeletionWaits) -> Organization {
    let mut process = world.process();
    process.deletion_waits = waits;
    process
}

/// Begins to delete a secret, and fails before its object is deleted.
async fn deletion_is_killed(world: &World, view: &SecretView) {
    world.connector.place("a").inject(Fault {
        verb: StoreVerb::Delete,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::Unavailable,
    });
    let interrupt = Interrupt::default();
    let process = world.process();
    let delete = any(&view.name, view.uuid);
    let killed = process.secrets().delete(&delete, &interrupt).await;
    killed.unwrap_err();
    let document = world.document(&view.name).await;
    let state = document.current.unwrap().state;
    assert_eq!(state, crate::catalog::SecretState::Deleting);
}

#[tokio::test]
async fn a_deletion_that_was_killed_is_finished_with_that_of_its_backend() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared(&process, "vault", "a").await;
    let place = world.connector.place("a");
    let killed = create(&process, "killed", Some("vault")).await.unwrap();
    deletion_is_killed(&world, &killed).await;
    assert_eq!(place.objects().len(), 2, "the marker, and the secret still");

    let deleting = waiting(&world, SHORT_WAITS);
    let deleted = tokio::time::timeout(BOUND, delete(&deleting, &backend));
    let deleted = deleted.await.unwrap().unwrap();
    assert_eq!(deleted, DONE);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert!(world.document(&killed.name).await.is_tombstone());
    let gone = world.process();
    let gone = gone.backends().refresh(&backend.name, backend.uuid, None);
    assert_eq!(gone.await.unwrap(), RefreshedBackend::Gone);
}

#[tokio::test]
async fn a_deletion_under_way_is_waited_for_and_left_to_whoever_began_it() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared(&process, "vault", "a").await;
    let place = world.connector.place("a");
    let view = create(&process, "slow", Some("vault")).await.unwrap();
    deletion_is_killed(&world, &view).await;
    let before = place.calls(StoreVerb::Delete);

    // The other process continues only after the deletion of the backend has listed the
    // entries often.
    let (theirs, of_view) = (world.process(), view.clone());
    let goes_on = async move {
        let interrupt = Interrupt::default();
        let delete = any(&of_view.name, of_view.uuid);
        theirs.secrets().delete(&delete, &interrupt).await.unwrap();
    };
    world.catalog.before(CatalogVerb::List, 20, goes_on);
    let deleting = waiting(&world, ENDLESS_WAITS);
    let deleted = tokio::time::timeout(BOUND, delete(&deleting, &backend));
    deleted.await.unwrap().unwrap();
    // One by the other process for the secret, and one by this process for the marker.
    assert_eq!(place.calls(StoreVerb::Delete) - before, 2);
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}

#[tokio::test]
async fn waiting_for_others_ends_when_it_is_to_stop_and_the_backend_stays() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared(&process, "vault", "a").await;
    let view = create(&process, "killed", Some("vault")).await.unwrap();
    deletion_is_killed(&world, &view).await;

    let (interrupt, token) = cancellable();
    let stop = async move { token.cancel() };
    world.catalog.before(CatalogVerb::List, 20, stop);
    let deleting = waiting(&world, ENDLESS_WAITS);
    let stopped = deleting.backends().delete(letting_go(&backend), &interrupt);
    let stopped = tokio::time::timeout(BOUND, stopped).await.unwrap();
    assert!(
        matches!(stopped, Err(OperationError::Interrupted { .. })),
        "{stopped:?}"
    );
    let seen = world.process();
    let seen = seen.backends().find(&slug("vault")).await.unwrap();
    assert!(!seen.is_deleting);
    create(&process, "next", Some("vault")).await.unwrap();
}

#[tokio::test]
async fn a_backend_whose_deletion_was_killed_is_taken_back_by_a_change() {
    for killed in ["after the mark", "before the tombstone"] {
        let world = World::new();
        let process = world.warm().await;
        let backend = declared(&process, "vault", "a").await;
        let place = world.connector.place("a");
        if killed == "after the mark" {
            // Before it lists the entries again.
            let (interrupt, token) = cancellable();
            let stop = async move { token.cancel() };
            world.catalog.before(CatalogVerb::Write, 1, stop);
            let stopped = process.backends().delete(letting_go(&backend), &interrupt);
            stopped.await.unwrap_err();
        } else {
            // After the mark and the fence of the default.
            let kind = CatalogErrorKind::Unavailable;
            world.fail_catalog(CatalogVerb::Write, 3, Landing::Before, kind);
            delete(&process, &backend).await.unwrap_err();
        }
        assert_eq!(place.objects().len(), 1, "{killed}: its marker");
        let late = world.process();
        let seen = late.backends().find(&slug("vault")).await.unwrap();
        assert!(seen.is_deleting, "{killed}");
        let refused = create(&late, "db", Some("vault")).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, OperationError::BackendDeleting { .. }),
            "{killed}: {refused:?}"
        );

        let interrupt = Interrupt::default();
        let taken_back = late.backends().update(change(&seen), &interrupt);
        let taken_back = taken_back.await.unwrap();
        assert_eq!(taken_back.uuid, backend.uuid);
        assert!(!taken_back.is_deleting, "{killed}");
        assert_eq!(place.objects().len(), 1, "{killed}: its marker");
        let fresh = world.process();
        create(&fresh, "db", Some("vault")).await.unwrap();
        assert_eq!(world.value("db").await.unwrap(), "hunter2");
    }
}
