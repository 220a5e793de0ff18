//! Deletion of a backend while another process creates a secret on it, or changes it.

use super::deletion::{entries, with_short_waits};
use super::{DONE, change, create, declared, delete};
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::operations::tests::world::{World, any, name};
use crate::operations::{Interrupt, OperationError};
use crate::store::{Landing, StoreVerb};

/// A creation that is paused before its put may put its object after the cleanup. While the
/// backend exists, the entry refers to that object.
#[tokio::test]
async fn the_entries_of_what_was_cleaned_up_stay_until_the_backend_is_a_tombstone() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let place = world.connector.place("a");
    let (stays, goes) = tokio::sync::oneshot::channel::<()>();
    let (reached, is_reached) = tokio::sync::oneshot::channel::<()>();
    let held = async move {
        reached.send(()).unwrap();
        goes.await.unwrap();
    };
    place.before(StoreVerb::Put, 1, held);
    let late = world.process();
    let creation = tokio::spawn(async move { create(&late, "db", Some("vault")).await });
    is_reached.await.unwrap();

    // The deletion cleans up, and is killed before its tombstone: after the mark, the fence
    // of the default, and the raise.
    let kind = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::Write, 4, Landing::Before, kind);
    delete(&with_short_waits(&world), &vault).await.unwrap_err();
    assert_eq!(
        place.calls(StoreVerb::Delete),
        2,
        "the probe, and the cleanup"
    );
    assert_eq!(entries(&world).await, 1);
    assert_eq!(place.objects().len(), 1, "the marker");
    // The creation puts its object, and is killed before it can delete the object again.
    place.inject(crate::store::Fault {
        verb: StoreVerb::Delete,
        nth: 1,
        landing: Landing::Before,
        kind: crate::store::StoreErrorKind::Unavailable,
    });
    stays.send(()).unwrap();
    creation.await.unwrap().unwrap_err();
    assert_eq!(place.objects().len(), 2, "the marker, and what came late");

    assert_eq!(
        delete(&with_short_waits(&world), &vault).await.unwrap(),
        DONE
    );
    assert!(place.objects().is_empty(), "{:?}", place.objects());
    assert_eq!(entries(&world).await, 0);
}

/// An update may make the backend usable again at the last moment. The marker that it found
/// must still exist then.
#[tokio::test]
async fn a_deletion_that_is_overtaken_by_a_change_leaves_the_marker() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let (racing, view) = (world.clone(), vault.clone());
    // Before the tombstone: after the mark and the fence of the default.
    world.catalog.before(CatalogVerb::Write, 3, async move {
        let late = racing.process();
        let seen = late.backends().find(&view.name).await.unwrap();
        assert!(seen.is_deleting);
        let interrupt = Interrupt::default();
        late.backends()
            .update(change(&seen), &interrupt)
            .await
            .unwrap();
    });
    let overtaken = delete(&with_short_waits(&world), &vault).await;
    assert!(
        matches!(
            overtaken,
            Err(OperationError::BackendChangedConcurrently { .. })
        ),
        "{overtaken:?}"
    );
    assert_eq!(world.connector.place("a").objects().len(), 1, "its marker");
    create(&world.process(), "db", Some("vault")).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

/// After a stale read of the backend's record, a creation could put and commit an object that
/// the deletion has not listed.
#[tokio::test]
async fn a_creation_sees_the_mark_past_a_node_that_lags() {
    let world = World::new();
    let process = world.warm().await;
    let vault = declared(&process, "vault", "a").await;
    let key = crate::catalog::RecordKey::new("backends/vault");
    let place = world.connector.place("a");
    let late = world.process();
    // The process opens the backend before its deletion.
    create(&late, "first", Some("vault")).await.unwrap();
    let first = late.secrets().find(&name("first")).await.unwrap();
    let interrupt = Interrupt::default();
    let gone = any(&first.name, first.uuid);
    late.secrets().delete(&gone, &interrupt).await.unwrap();
    let (racing, view) = (world.clone(), vault.clone());
    world.catalog.before(CatalogVerb::Write, 1, async move {
        let before = racing.catalog.snapshot();
        assert_eq!(
            delete(&with_short_waits(&racing), &view).await.unwrap(),
            DONE
        );
        racing.catalog.serve_stale_from(&before, &key);
    });
    let refused = create(&late, "db", Some("vault")).await.unwrap_err();
    assert!(
        matches!(refused, OperationError::UnknownBackend { .. }),
        "{refused:?}"
    );
    assert!(place.objects().is_empty(), "{:?}", place.objects());
}
