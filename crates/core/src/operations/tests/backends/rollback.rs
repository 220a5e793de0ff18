//! A backend's record that is rolled back, with a valid MAC.

use super::keys::{declared_with, keys};
use super::{change, chosen, create, declare, declared, delete, password, settings, slug};
use crate::catalog::{RecordKey, StoredRecord};
use crate::operations::tests::world::{KekVerb, World, name, rotate, text};
use crate::operations::tests::{refreshed, seen};
use crate::operations::{
    Interrupt, OperationError, Refreshed, RegisterBackend, SecretView, StoreCredential,
    UpdateBackend,
};

/// Returns a secret on a backend whose address changed, as its state has both. Also returns
/// the backend's record from before the change.
async fn moved(world: &World, credential: StoreCredential) -> (SecretView, StoredRecord) {
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let register = RegisterBackend {
        credential,
        ..declare("vault", "a")
    };
    let backend = super::register(&process, register).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let before = world.stored(&record()).await.unwrap();
    world.connector.alias("a2", "a");
    let update = UpdateBackend {
        settings: settings("a2"),
        credential: None,
        ..change(&backend.unwrap())
    };
    process.backends().update(update, &interrupt).await.unwrap();
    let view = process.secrets().find(&name("db")).await.unwrap();
    let seen = match world.warm().await.secrets().refresh(&seen(&view)).await {
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
            process
                .backends()
                .remember(view.backend_seen.clone().unwrap());
            process
        };
        rolled_back(knowing().await.secrets().refresh(&seen(&view)).await);
        let rotated = rotate(&view, "next");
        rolled_back(knowing().await.secrets().update(rotated, &interrupt).await);
        let process = knowing().await;
        let next = text("next");
        rolled_back(process.secrets().is_current_value(view.uuid, &next).await);
        let delete = crate::operations::tests::any(&view.name, view.uuid);
        rolled_back(process.secrets().delete(&delete, &interrupt).await);
        rolled_back(create(&process, "other", Some("vault")).await);
        assert_eq!(world.connector.opened(), opened, "nothing was opened");
    }
}

#[tokio::test]
async fn a_former_main_key_is_not_brought_back_by_an_older_record() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    let before = world.stored(&record()).await.unwrap();
    let update = UpdateBackend {
        keys: keys(Some("two"), &[]),
        ..change(&backend)
    };
    process.backends().update(update, &interrupt).await.unwrap();
    let process = world.warm().await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let newer = world.stored(&record()).await.unwrap();
    world.catalog.overwrite(&record(), before);
    let one = world.kek_connector.key("one");
    let wraps = one.calls(KekVerb::Wrap);
    let knowing = async || {
        let process = world.warm().await;
        let seen = view.backend_seen.clone();
        process.backends().remember(seen.unwrap());
        process
    };
    rolled_back(create(&knowing().await, "other", Some("vault")).await);
    let rotated = rotate(&view, "next");
    rolled_back(knowing().await.secrets().update(rotated, &interrupt).await);
    let process = knowing().await;
    let rewrap = process.keys();
    let rewrap = rewrap.rewrap(&view.backend, &|_| {}, &interrupt).await;
    rolled_back(rewrap);
    assert_eq!(one.calls(KekVerb::Wrap), wraps);

    world.catalog.overwrite(&record(), newer);
    let process = knowing().await;
    create(&process, "other", Some("vault")).await.unwrap();
    assert_eq!(one.calls(KekVerb::Wrap), wraps);
}

#[tokio::test]
async fn what_was_opened_before_is_left_when_a_state_knows_better() {
    let world = World::new();
    let (view, before) = moved(&world, StoreCredential::new()).await;
    let now = world.stored(&record()).await.unwrap();
    world.catalog.overwrite(&record(), before);
    let process = world.warm().await;
    // Nothing was seen yet, and the MAC is valid.
    let found = process.secrets().refresh(&seen(&view)).await;
    assert!(matches!(found, Ok(Refreshed::Present(_))), "{found:?}");
    process
        .backends()
        .remember(view.backend_seen.clone().unwrap());
    rolled_back(process.secrets().refresh(&seen(&view)).await);
    world.catalog.overwrite(&record(), now);
    let found = process.secrets().refresh(&seen(&view)).await;
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
    process.backends().update(update, &interrupt).await.unwrap();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world.catalog.overwrite(&record(), before);
    // The newer record must stay remembered: otherwise a replay in two steps would succeed.
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

/// Makes the catalog return the record `before` until a fenced read.
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
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    chosen(&process, "one", "platform").await;
    let key = RecordKey::new("default");
    let before = world.stored(&key).await.unwrap();
    let set = chosen(&process, "two", "one").await;

    let knowing = async || {
        let process = world.warm().await;
        process
            .default_backend()
            .remember(&set.backend, set.generation);
        process
    };
    lag(&world, &key, before.clone()).await;
    let view = knowing().await.default_backend().view().await.unwrap();
    assert_eq!(view.backend, slug("two"));
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
    refused(knowing().await.default_backend().view().await.map(drop));
    refused(create(&knowing().await, "db", None).await.map(drop));
    let process = knowing().await;
    refused(super::set(&process, "two", "two").await.map(drop));
    for place in ["one", "two"] {
        let objects = world.connector.place(place).objects();
        assert_eq!(objects.len(), 1, "the marker alone: {objects:?}");
    }
}

#[tokio::test]
async fn a_namesake_from_before_is_not_taken_for_the_backend_that_a_state_knows() {
    let world = World::new();
    let process = world.warm().await;
    let first = declared(&process, "vault", "a").await;
    let before = world.stored(&record()).await.unwrap();
    delete(&process, &first).await.unwrap();
    declared(&process, "vault", "b").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world.catalog.overwrite(&record(), before);
    let late = world.warm().await;
    late.backends().remember(view.backend_seen.unwrap());
    rolled_back(create(&late, "other", Some("vault")).await);
    assert!(world.connector.place("a").objects().is_empty());
}

#[tokio::test]
async fn who_knows_nothing_does_not_make_an_old_record_good() {
    let world = World::new();
    let (view, before) = moved(&world, StoreCredential::new()).await;
    // The record is one generation older, and is then raised to the generation in the state.
    world.catalog.overwrite(&record(), before);
    chosen(&world.warm().await, "vault", "platform").await;
    rolled_back(refreshed(&world, &view).await);
    // A process that remembers the newer record does not write it.
    let knowing = world.warm().await;
    knowing.backends().remember(view.backend_seen.unwrap());
    rolled_back(super::set(&knowing, "platform", "vault").await);
}

#[tokio::test]
async fn what_a_process_wrote_itself_it_knows() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let backend = declared(&process, "vault", "a").await;
    let before = world.stored(&record()).await.unwrap();
    world.connector.alias("a2", "a");
    let update = UpdateBackend {
        settings: settings("a2"),
        ..change(&backend)
    };
    process.backends().update(update, &interrupt).await.unwrap();
    world.catalog.overwrite(&record(), before);
    rolled_back(create(&process, "db", Some("vault")).await);
}

#[tokio::test]
async fn a_restored_backend_is_accepted_by_an_import_and_an_apply_of_it_alone() {
    let world = World::new();
    let (view, before) = moved(&world, password("x")).await;
    world.catalog.overwrite(&record(), before);
    rolled_back(refreshed(&world, &view).await);
    let process = world.warm().await;
    let imported = process.backends().find(&slug("vault")).await.unwrap();
    let update = UpdateBackend {
        seen: None,
        settings: settings("a2"),
        ..change(&imported)
    };
    let interrupt = Interrupt::default();
    process.backends().update(update, &interrupt).await.unwrap();
    let found = refreshed(&world, &view).await;
    assert!(matches!(found, Ok(Refreshed::Present(_))), "{found:?}");
}

#[tokio::test]
async fn a_default_that_is_taken_away_or_learned_from_an_old_record_is_not_followed() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["one", "two"] {
        declared(&process, named, named).await;
    }
    let nobody_chose = world.catalog.snapshot();
    chosen(&process, "one", "platform").await;
    let key = RecordKey::new("default");
    let before = world.stored(&key).await.unwrap();
    let set = chosen(&process, "two", "one").await;

    // The default is cached before the newer record is remembered.
    world.catalog.overwrite(&key, before);
    let process = world.warm().await;
    create(&process, "db", None).await.unwrap();
    process
        .default_backend()
        .remember(&set.backend, set.generation);
    let refused = create(&process, "other", None).await;
    assert!(
        matches!(
            refused,
            Err(OperationError::DefaultBackendRolledBack { .. })
        ),
        "{refused:?}"
    );

    world.catalog.restore(nobody_chose);
    let process = world.warm().await;
    process
        .default_backend()
        .remember(&set.backend, set.generation);
    let refused = process.default_backend().view().await;
    assert!(
        matches!(
            refused,
            Err(OperationError::DefaultBackendRolledBack { found: 0, .. })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_generation_of_a_default_is_that_of_its_own_commit() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "one", "one").await;
    // A choice of the built-in backend also has a record.
    for (backend, expected, generation) in [
        ("platform", "platform", 1),
        ("one", "platform", 2),
        ("one", "one", 2),
        ("platform", "one", 3),
    ] {
        let set = chosen(&process, backend, expected).await;
        assert_eq!((&set.backend, set.generation), (&slug(backend), generation));
        let stamp = set.owner.as_ref().map(|owner| owner.stamp.generation);
        assert_eq!(stamp, Some(1));
        assert_eq!(process.default_backend().view().await.unwrap(), set);
    }
}

#[tokio::test]
async fn a_forged_record_leads_no_refresh_to_another_backend() {
    let world = World::new();
    let process = world.warm().await;
    for named in ["vault", "other"] {
        declared(&process, named, named).await;
    }
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let opened = world.connector.opened();
    world
        .alter(&name("db"), |body| {
            body.replace("\"backend_name\":\"vault\"", "\"backend_name\":\"other\"")
        })
        .await;
    let refused = refreshed(&world, &view).await;
    assert!(
        matches!(refused, Err(OperationError::SecretMoved { .. })),
        "{refused:?}"
    );
    assert_eq!(world.connector.opened(), opened, "nothing was opened");
}
