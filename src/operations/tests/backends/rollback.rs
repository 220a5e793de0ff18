//! A backend's record that goes back to what it was, with a good MAC.

use super::{change, chosen, create, declare, declared, password, settings, slug};
use crate::catalog::{RecordKey, StoredRecord};
use crate::operations::tests::world::{World, name, rotate, text};
use crate::operations::tests::{refreshed, seen};
use crate::operations::{
    Interrupt, OperationError, Refreshed, RegisterBackend, SecretView, StoreCredential,
    UpdateBackend,
};

/// A secret on a backend that has moved since, as its state knows both; and the
/// backend's record from before.
async fn moved(world: &World, credential: StoreCredential) -> (SecretView, StoredRecord) {
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let register = RegisterBackend {
        credential,
        ..declare("vault", "a")
    };
    let backend = process.register_backend(register, &interrupt).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let before = world.stored(&record()).await.unwrap();
    world.connector.alias("a2", "a");
    let update = UpdateBackend {
        settings: settings("a2"),
        credential: None,
        ..change(&backend.unwrap())
    };
    process.update_backend(update, &interrupt).await.unwrap();
    let view = process.find_secret(&name("db")).await.unwrap();
    let seen = match world.warm().await.refresh_secret(&seen(&view)).await {
        Ok(Refreshed::Present(view)) => view,
        other => panic!("{other:?}"),
    };
    assert!(seen.backend_seen.is_some());
    (seen, before)
}

fn record() -> RecordKey {
    RecordKey::new("backends/vault")
}

fn rolled_back<T: std::fmt::Debug>(outcome: Result<T, OperationError>) {
    assert!(
        matches!(outcome, Err(OperationError::BackendRolledBack { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_replayed_backend_record_leads_nowhere_where_a_state_knows_better() {
    for credential in [StoreCredential::new(), password("x")] {
        let world = World::new();
        let (view, before) = moved(&world, credential).await;
        world.catalog.overwrite(&record(), before);
        let opened = world.connector.opened();
        let interrupt = Interrupt::default();
        let knowing = async || {
            let process = world.warm().await;
            process.remember_backend(view.backend_seen.clone().unwrap());
            process
        };
        rolled_back(knowing().await.refresh_secret(&seen(&view)).await);
        let rotated = rotate(&view, "next");
        rolled_back(knowing().await.update_secret(rotated, &interrupt).await);
        let process = knowing().await;
        let next = text("next");
        rolled_back(process.is_current_value(view.uuid, &next).await);
        let deleted = process.delete_secret(&view.name, view.uuid, &interrupt);
        rolled_back(deleted.await);
        rolled_back(create(&process, "other", Some("vault")).await);
        assert_eq!(world.connector.opened(), opened, "nothing was opened");
    }
}

#[tokio::test]
async fn what_was_opened_before_is_left_when_a_state_knows_better() {
    let world = World::new();
    let (view, before) = moved(&world, StoreCredential::new()).await;
    let now = world.stored(&record()).await.unwrap();
    world.catalog.overwrite(&record(), before);
    let process = world.warm().await;
    // Nothing is known yet, and the MAC is good.
    let found = process.refresh_secret(&seen(&view)).await;
    assert!(matches!(found, Ok(Refreshed::Present(_))), "{found:?}");
    process.remember_backend(view.backend_seen.clone().unwrap());
    rolled_back(process.refresh_secret(&seen(&view)).await);
    world.catalog.overwrite(&record(), now);
    let found = process.refresh_secret(&seen(&view)).await;
    assert_eq!(found.unwrap(), Refreshed::Present(view));
}

#[tokio::test]
async fn a_restored_record_of_the_same_place_is_taken_and_what_was_seen_is_kept() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let backend = declared(&process, "vault", "a").await;
    let before = world.stored(&record()).await.unwrap();
    let update = UpdateBackend {
        description: Some("another".to_owned()),
        ..change(&backend)
    };
    process.update_backend(update, &interrupt).await.unwrap();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world.catalog.overwrite(&record(), before);
    // Else a replay in two steps would be as good as one.
    let found = refreshed(&world, &view).await;
    assert_eq!(found.unwrap(), Refreshed::Present(view));
}

#[tokio::test]
async fn a_lagging_node_is_not_a_rollback_of_a_backend() {
    let world = World::new();
    let (view, before) = moved(&world, StoreCredential::new()).await;
    lag(&world, &record(), before).await;
    let found = refreshed(&world, &view).await;
    assert_eq!(found.unwrap(), Refreshed::Present(view));
}

/// Has the catalog answer with `before` until it is asked past a node that lags.
async fn lag(world: &World, key: &RecordKey, before: StoredRecord) {
    let now = world.stored(key).await.unwrap();
    world.catalog.overwrite(key, before);
    world.catalog.serve_stale(key);
    world.catalog.overwrite(key, now);
}

#[tokio::test]
async fn a_replayed_default_sends_no_secret_back_to_where_it_went() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    chosen(&process, "one", "platform").await;
    let key = RecordKey::new("default");
    let before = world.stored(&key).await.unwrap();
    let (one, two) = (slug("one"), slug("two"));
    let set = process.set_default_backend(&two, &one, &interrupt).await;
    let set = set.unwrap();

    let knowing = async || {
        let process = world.warm().await;
        process.remember_default_backend(&set.backend, set.generation);
        process
    };
    lag(&world, &key, before.clone()).await;
    let view = knowing().await.default_backend_view().await.unwrap();
    assert_eq!(view.backend, two);
    world.catalog.overwrite(&key, before);
    let refused = |outcome: Result<(), OperationError>| {
        assert!(
            matches!(
                outcome,
                Err(OperationError::DefaultBackendRolledBack { .. })
            ),
            "{outcome:?}"
        );
    };
    refused(knowing().await.default_backend_view().await.map(drop));
    refused(create(&knowing().await, "db", None).await.map(drop));
    let process = knowing().await;
    let set = process.set_default_backend(&two, &two, &interrupt).await;
    refused(set.map(drop));
    for place in ["one", "two"] {
        let objects = world.connector.place(place).objects();
        assert_eq!(objects.len(), 1, "the marker alone: {objects:?}");
    }
}
