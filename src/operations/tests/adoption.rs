//! A create that meets a record: adopts its own, completes an orphan, goes on
//! from a tombstone, refuses all else.

use super::*;
use crate::catalog::{CatalogErrorKind, CatalogVerb, SecretState};
use crate::store::{Landing, StoreErrorKind, StoreVerb};

/// Runs a create that is killed after its commit, before its answer.
async fn killed_after_commit(world: &World, create: CreateSecret) -> SecretView {
    let named = create.name.clone();
    let process = world.warm().await;
    let unavailable = CatalogErrorKind::Unavailable;
    world.fail_catalog(CatalogVerb::Write, 2, Landing::After, unavailable);
    process
        .create_secret(create, &Interrupt::default())
        .await
        .unwrap_err();
    world.process().find_secret(&named).await.unwrap()
}

async fn create(world: &World, create: CreateSecret) -> Result<SecretView, OperationError> {
    world
        .process()
        .create_secret(create, &Interrupt::default())
        .await
}

fn exists<T>(result: &Result<T, OperationError>) -> bool {
    matches!(result, Err(OperationError::AlreadyExists { .. }))
}

fn requests() -> [fn() -> CreateSecret; 3] {
    [
        || create_of("db", given("hunter2")),
        || create_of("db", ValueSource::Given(pairs(&[("a", "1"), ("b", "2")]))),
        || generate_of("db", world::spec()),
    ]
}

#[tokio::test]
async fn a_killed_create_is_adopted_as_it_was() {
    for request in requests() {
        let world = World::new();
        let killed = killed_after_commit(&world, request()).await;
        let before = world.value("db").await.unwrap();
        let puts = world.counts().put;
        let adopted = create(&world, request()).await.unwrap();
        assert!(adopted.generation > killed.generation);
        let generation = killed.generation;
        assert_eq!(
            SecretView {
                generation,
                ..adopted
            },
            killed
        );
        assert_eq!(world.counts().put, puts, "adoption writes no version");
        assert_eq!(world.value("db").await.unwrap(), before);
        assert_eq!(world.unreferenced(&["db"]).await, 0);
    }
}

#[tokio::test]
async fn a_deletion_of_what_was_adopted_since_it_was_seen_leaves_it() {
    let world = World::new();
    let process = world.process();
    let interrupt = Interrupt::default();
    let seen = create(&world, create_of("db", given("x"))).await.unwrap();
    // A replacement that is created first, by somebody who cannot tell so: it
    // meets what it replaces, which is deleted afterwards.
    let adopted = create(&world, create_of("db", given("x"))).await.unwrap();
    assert_eq!(adopted.uuid, seen.uuid);
    process
        .delete_secret_seen(&seen.name, seen.uuid, seen.generation, &interrupt)
        .await
        .unwrap();
    assert_eq!(process.find_secret(&name("db")).await.unwrap(), adopted);
    // Whoever has seen it since may delete it.
    process
        .delete_secret_seen(&seen.name, seen.uuid, adopted.generation, &interrupt)
        .await
        .unwrap();
    assert!(world.process().find_secret(&name("db")).await.is_err());
}

#[tokio::test]
async fn adoption_writes_the_arguments_that_differ() {
    let world = World::new();
    let killed = killed_after_commit(&world, create_of("db", given("x"))).await;
    let mut request = create_of("db", given("x"));
    request.arguments.deletion_protection = true;
    request.arguments.value_wo_version = Some("other".to_owned());
    let arguments = request.arguments.clone();
    let adopted = create(&world, request).await.unwrap();
    assert_eq!(adopted.uuid, killed.uuid);
    assert_eq!(adopted.arguments, arguments);
    let found = world.process().find_secret(&name("db")).await.unwrap();
    assert_eq!(found, adopted);
}

#[tokio::test]
async fn whatever_differs_from_a_met_record_exists_already() {
    type Change = fn(&mut CreateSecret);
    let changes: [(&str, Change); 7] = [
        ("value", |r| r.source = given("other")),
        ("empty value", |r| r.source = given("")),
        ("kind", |r| {
            r.source = ValueSource::Given(pairs(&[("x", "hunter2")]))
        }),
        ("description", |r| {
            r.metadata.description = Some("d".to_owned())
        }),
        ("labels", |r| {
            r.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        }),
        ("effective labels", |r| {
            r.metadata.labels_all = [("a".to_owned(), "b".to_owned())].into();
        }),
        ("generated", |r| *r = generate_of("db", world::spec())),
    ];
    for (what, change) in changes {
        let world = World::new();
        let killed = killed_after_commit(&world, create_of("db", given("hunter2"))).await;
        let mut request = create_of("db", given("hunter2"));
        change(&mut request);
        let refused = create(&world, request).await;
        assert!(exists(&refused), "{what}: {refused:?}");
        assert_eq!(
            refreshed(&world, &killed).await.unwrap(),
            Refreshed::Present(killed.clone())
        );
        assert_eq!(world.value("db").await.unwrap(), "hunter2", "{what}");
    }
    let world = World::new();
    killed_after_commit(&world, generate_of("db", world::spec())).await;
    let mut spec = world::spec();
    spec.length += 1;
    let refused = create(&world, generate_of("db", spec)).await;
    assert!(exists(&refused), "parameters: {refused:?}");
}

#[tokio::test]
async fn a_record_of_another_backend_exists_already() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let mut document = world.document(&view.name).await;
    document.current.as_mut().unwrap().backend = uuid::Uuid::new_v4();
    world.write_document(&view.name, &document).await;
    let refused = create(&world, create_of("db", given("x"))).await;
    assert!(exists(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_secret_that_was_ever_changed_is_never_adopted() {
    let interrupt = Interrupt::default();
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let view = process
        .update_secret(rotate(&view, "v2"), &interrupt)
        .await
        .unwrap();
    let refused = create(&world, create_of("db", given("v2"))).await;
    assert!(exists(&refused), "rotated: {refused:?}");
    let mut update = rotate(&view, "v3");
    update.arguments.keep_versions = 1;
    let view = process.update_secret(update, &interrupt).await.unwrap();
    let mut request = create_of("db", given("v3"));
    request.arguments.keep_versions = 1;
    let refused = create(&world, request).await;
    assert!(exists(&refused), "one version, rotated: {refused:?}");
    assert_eq!(
        refreshed(&world, &view).await.unwrap(),
        Refreshed::Present(view)
    );

    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let mut update = edit(&view);
    update.metadata.description = Some("d".to_owned());
    let process = world.warm().await;
    process.update_secret(update, &interrupt).await.unwrap();
    let mut request = create_of("db", given("v1"));
    request.metadata.description = Some("d".to_owned());
    let refused = create(&world, request).await;
    assert!(exists(&refused), "edited: {refused:?}");
}

#[tokio::test]
async fn a_killed_intent_is_taken_over_with_its_uuid_and_whatever_is_asked_now() {
    for landing in [Landing::Before, Landing::After] {
        let world = World::new();
        let process = world.warm().await;
        world.fail_store(StoreVerb::Put, 1, landing, StoreErrorKind::Unavailable);
        let killed = create_of("db", given("killed"));
        process
            .create_secret(killed, &Interrupt::default())
            .await
            .unwrap_err();
        let intent = world.document(&name("db")).await.current.unwrap();
        assert_eq!(intent.state, SecretState::Creating);
        let missing = world.process().find_secret(&name("db")).await;
        assert!(matches!(
            missing,
            Err(OperationError::SecretNotFound { .. })
        ));

        let mut request = create_of("db", ValueSource::Given(pairs(&[("a", "1")])));
        request.metadata.description = Some("new".to_owned());
        let view = create(&world, request).await.unwrap();
        assert_eq!((view.uuid, number(&view)), (intent.uuid, Some(1)));
        assert_eq!(view.metadata.description.as_deref(), Some("new"));
        assert_eq!(world.value("db").await.unwrap(), "a=1");
        let left = usize::from(landing == Landing::After);
        assert_eq!(world.unreferenced(&["db"]).await, left);
    }
}

#[tokio::test]
async fn an_intent_for_another_backend_is_taken_over() {
    let world = World::new();
    let process = world.warm().await;
    world.fail_store(
        StoreVerb::Put,
        1,
        Landing::Before,
        StoreErrorKind::Unavailable,
    );
    let killed = create_of("db", given("killed"));
    process
        .create_secret(killed, &Interrupt::default())
        .await
        .unwrap_err();
    let mut document = world.document(&name("db")).await;
    let intent = document.current.as_mut().unwrap();
    intent.backend = uuid::Uuid::new_v4();
    intent.backend_name = "elsewhere".parse().unwrap();
    intent.remote_name = crate::store::RemoteName::new("elsewhere/db".to_owned());
    world.write_document(&name("db"), &document).await;
    let view = created(&world, "db", "x").await;
    assert_eq!(view.backend.as_str(), "platform");
    assert_eq!(Some(view.uuid), document.current.map(|secret| secret.uuid));
    assert_eq!(world.value("db").await.unwrap(), "x");
    let objects = world.store.objects();
    assert!(
        objects[0].as_str().starts_with("planton/acme/org/db-"),
        "{objects:?}"
    );
}

#[tokio::test]
async fn a_record_whose_object_is_gone_is_completed() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let process = world.warm().await;
    let rotated = process
        .update_secret(rotate(&view, "v2"), &Interrupt::default())
        .await
        .unwrap();
    let object = world.store.objects().remove(0);
    world.store.remove_object(&object);
    assert_eq!(refreshed(&world, &rotated).await.unwrap(), Refreshed::Gone);

    let mut request = create_of("db", ValueSource::Given(pairs(&[("a", "3")])));
    request.metadata.description = Some("again".to_owned());
    let completed = create(&world, request).await.unwrap();
    assert_eq!((completed.uuid, number(&completed)), (view.uuid, Some(3)));
    assert_eq!(completed.kind, crate::envelope::SecretKind::KeyValue);
    assert_eq!(completed.metadata.description.as_deref(), Some("again"));
    assert!(completed.generation > rotated.generation);
    assert_eq!(world.value("db").await.unwrap(), "a=3");
    let document = world.document(&view.name).await;
    assert_eq!(document.current.unwrap().versions.len(), 1);
    assert_eq!(world.unreferenced(&["db"]).await, 0);
}

#[tokio::test]
async fn a_completion_converges_after_each_failure() {
    use CatalogErrorKind::{Conflict, Unavailable};
    for nth in 1..=2 {
        for landing in [Landing::Before, Landing::After] {
            for fault in [Some(Conflict), Some(Unavailable), None] {
                let world = World::new();
                let view = created(&world, "db", "v1").await;
                let object = world.store.objects().remove(0);
                world.store.remove_object(&object);
                let process = world.warm().await;
                match fault {
                    Some(kind) => world.fail_catalog(CatalogVerb::Write, nth, landing, kind),
                    None => {
                        world.fail_store(StoreVerb::Put, 1, landing, StoreErrorKind::Unavailable);
                    }
                }
                let request = || create_of("db", given("v2"));
                let first = process
                    .create_secret(request(), &Interrupt::default())
                    .await;
                let what = format!("{nth} {landing:?} {fault:?}: {first:?}");
                let second = create(&world, request()).await;
                let second = second.unwrap_or_else(|error| panic!("{what}: {error:?}"));
                assert_eq!(
                    (second.uuid, number(&second)),
                    (view.uuid, Some(2)),
                    "{what}"
                );
                assert_eq!(world.value("db").await.unwrap(), "v2", "{what}");
                assert!(world.unreferenced(&["db"]).await <= 1, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_completion_that_is_denied_leaves_the_record_as_it_was() {
    let world = World::new();
    let view = created(&world, "db", "v1").await;
    let object = world.store.objects().remove(0);
    world.store.remove_object(&object);
    let before = world.document(&view.name).await.current;
    world
        .kek
        .deny(KekVerb::Wrap, crate::kek::KekErrorKind::Disabled);
    create(&world, create_of("db", given("v2")))
        .await
        .unwrap_err();
    let after = world.document(&view.name).await.current.unwrap();
    assert_eq!(after.versions, before.unwrap().versions);
    world.kek.allow();
    let completed = create(&world, create_of("db", given("v2"))).await.unwrap();
    assert_eq!((completed.uuid, number(&completed)), (view.uuid, Some(2)));
}

#[tokio::test]
async fn a_namesake_whose_version_is_lost_exists_already() {
    let world = World::new();
    created(&world, "db", "v1").await;
    let object = world.store.objects().remove(0);
    let version = world.store.versions(&object).remove(0);
    world.store.remove_version(&object, &version);
    let refused = create(&world, create_of("db", given("v1"))).await;
    assert!(exists(&refused), "{refused:?}");
}

#[tokio::test]
async fn a_recreation_goes_on_from_the_tombstone() {
    let world = World::new();
    let old = created(&world, "db", "old").await;
    let process = world.warm().await;
    process
        .delete_secret(&old.name, old.uuid, &Interrupt::default())
        .await
        .unwrap();
    let tombstone = world.document(&old.name).await;
    assert!(tombstone.is_tombstone());
    let new = created(&world, "db", "new").await;
    assert_ne!(new.uuid, old.uuid);
    assert_eq!(number(&new), Some(1));
    assert!(new.generation > tombstone.generation);
    assert_eq!(refreshed(&world, &old).await.unwrap(), Refreshed::Gone);
    let selector = Selector::Uuid(old.uuid);
    let gone = world.process().open_secret(&selector, None).await;
    assert!(matches!(gone, Err(OperationError::SecretNotFound { .. })));
}
