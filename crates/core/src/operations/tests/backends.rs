//! Registered backends: declared, changed, made the default, deleted.

mod concurrent_deletion;
mod credentials;
mod default_ownership;
mod deletion;
mod escrow_credentials;
pub(super) mod keys;
mod moved_keys;
mod ownership;
mod pairs;
mod rollback;
mod scale;
mod verification;

use crate::catalog::CatalogErrorKind;
use crate::kek::KekErrorKind;
use crate::names::Slug;
use crate::operations::tests::world::{self, KekVerb, World, create_of, given, name, rotate};
use crate::operations::tests::{number, refreshed};
use crate::operations::{
    BackendArguments, BackendOnDestroy, BackendView, CreateSecret, DeclaredKeys,
    DefaultBackendView, DeleteBackend, DeletedBackend, Destroyed, Interrupt, KnownDefault,
    OnDestroy, OperationError, Organization, Refreshed, RefreshedBackend, RegisterBackend,
    Replaces, SecretView, SetDefault, StoreCredential, StoreSettings, UpdateBackend, ValueSource,
};
use crate::store::{Landing, StoreErrorKind, StoreVerb};
use planton_envelope::{SecretKind, SecretValue};
use planton_secret::SecretString;

/// Result of a complete deletion of a backend.
pub(super) const DONE: DeletedBackend = DeletedBackend {
    destroyed: Destroyed::Done,
    left_behind: Vec::new(),
};

pub(super) fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn settings(place: &str) -> StoreSettings {
    StoreSettings {
        kind: "memory".to_owned(),
        name_prefix: "planton".to_owned(),
        configuration: [("place".to_owned(), place.into())].into(),
    }
}

pub(super) fn password(text: &str) -> StoreCredential {
    [("password".to_owned(), SecretString::from(text))].into()
}

fn arguments(trigger: &str) -> BackendArguments {
    BackendArguments {
        credentials_wo_version: Some(trigger.to_owned()),
        verify_connection: true,
        on_destroy: BackendOnDestroy::Delete,
    }
}

pub(super) fn declare(named: &str, place: &str) -> RegisterBackend {
    RegisterBackend {
        name: slug(named),
        description: None,
        settings: settings(place),
        fixed: Vec::new(),
        credential: StoreCredential::new(),
        keys: DeclaredKeys::default(),
        arguments: arguments("1"),
    }
}

pub(super) fn change(view: &BackendView) -> UpdateBackend {
    UpdateBackend {
        name: view.name.clone(),
        uuid: view.uuid,
        seen: Some(view.generation),
        stamp: Some(view.owner.stamp),
        description: view.description.clone(),
        settings: view.settings.clone(),
        credential: None,
        keys: DeclaredKeys::default(),
        arguments: view.arguments.clone(),
    }
}

pub(super) async fn declared(process: &Organization, named: &str, place: &str) -> BackendView {
    register(process, declare(named, place)).await.unwrap()
}

async fn register(
    process: &Organization,
    request: RegisterBackend,
) -> Result<BackendView, OperationError> {
    let interrupt = Interrupt::default();
    let registered = process.backends().register(request, &interrupt).await;
    registered.map(|registered| registered.view)
}

/// Declares a backend at a place of the same name, with a static credential.
pub(super) async fn register_with_password(
    process: &Organization,
    place: &str,
) -> Result<BackendView, OperationError> {
    let request = RegisterBackend {
        credential: password("hunter2"),
        ..declare(place, place)
    };
    register(process, request).await
}

/// Sets the default if it is unset, and changes it as its owner otherwise.
pub(super) async fn chosen(
    process: &Organization,
    named: &str,
    expected: &str,
) -> DefaultBackendView {
    set(process, named, expected).await.unwrap()
}

async fn set(
    process: &Organization,
    named: &str,
    expected: &str,
) -> Result<DefaultBackendView, OperationError> {
    let owner = process.default_backend().view().await?.owner;
    let request = SetDefault {
        backend: slug(named),
        before: owner.map(|_| KnownDefault {
            backend: slug(expected),
            stamp: None,
        }),
        replaces: None,
    };
    let interrupt = Interrupt::default();
    let set = process.default_backend().set(request, &interrupt).await;
    set.map(|set| set.view)
}

/// Returns the request to delete the backend that `view` shows.
pub(super) fn letting_go(view: &BackendView) -> DeleteBackend {
    DeleteBackend {
        name: view.name.clone(),
        uuid: view.uuid,
        seen: Some(view.generation),
        stamp: Some(view.owner.stamp),
    }
}

pub(super) async fn create(
    process: &Organization,
    named: &str,
    backend: Option<&str>,
) -> Result<SecretView, OperationError> {
    let create = CreateSecret {
        backend: backend.map(slug),
        ..create_of(named, given("hunter2"))
    };
    process
        .secrets()
        .create(create, &Interrupt::default())
        .await
}

pub(super) async fn delete(
    process: &Organization,
    view: &BackendView,
) -> Result<DeletedBackend, OperationError> {
    let interrupt = Interrupt::default();
    process
        .backends()
        .delete(letting_go(view), &interrupt)
        .await
}

#[tokio::test]
async fn a_secret_goes_to_the_backend_it_names_and_comes_back_from_there() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    assert_eq!(view.backend, slug("vault"));
    assert!(
        world.store.objects().is_empty(),
        "the built-in backend is left alone"
    );
    // The secret and the backend's marker.
    assert_eq!(world.connector.place("a").objects().len(), 2);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");

    let rotated = process
        .secrets()
        .update(rotate(&view, "next"), &Interrupt::default())
        .await
        .unwrap();
    assert_eq!(number(&rotated), Some(2));
    assert_eq!(world.value("db").await.unwrap(), "next");
    process
        .secrets()
        .delete(
            &crate::operations::tests::any(&view.name, view.uuid),
            &Interrupt::default(),
        )
        .await
        .unwrap();
    assert_eq!(world.connector.place("a").objects().len(), 1);
}

#[tokio::test]
async fn a_refused_backend_leaves_nothing_and_says_which_step_failed() {
    for (verb, step) in [
        (StoreVerb::Put, "write"),
        (StoreVerb::Get, "read"),
        (StoreVerb::Describe, "inspect"),
        (StoreVerb::Delete, "delete"),
    ] {
        let world = World::new();
        let process = world.warm().await;
        let place = world.connector.place("a");
        place.inject(crate::store::Fault {
            verb,
            nth: 1,
            landing: Landing::Before,
            kind: StoreErrorKind::PermissionDenied,
        });
        let refused = register(&process, declare("vault", "a")).await;
        match refused {
            Err(OperationError::ProbeFailed { step: told, .. }) => assert_eq!(told, step),
            other => panic!("{verb:?}: {other:?}"),
        }
        if verb != StoreVerb::Delete {
            assert!(place.objects().is_empty(), "{verb:?}");
        }
        let unknown = create(&process, "db", Some("vault")).await;
        assert!(matches!(
            unknown,
            Err(OperationError::UnknownBackend { .. })
        ));
    }
}

#[tokio::test]
async fn a_record_that_somebody_altered_leads_nowhere() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .alter_key("backends/vault", |body| {
            body.replace("\"place\":\"a\"", "\"place\":\"b\"")
        })
        .await;
    let before = world.connector.opened();
    for outcome in [
        create(&world.process(), "other", Some("vault"))
            .await
            .map(drop),
        world.value("db").await.map(drop),
        refreshed(&world, &view).await.map(drop),
    ] {
        match outcome {
            Err(OperationError::Catalog(error)) => {
                assert_eq!(error.kind(), CatalogErrorKind::Altered);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.connector.opened(), before, "nothing was opened");
}

#[tokio::test]
async fn a_refresh_needs_no_key_where_the_backend_needs_no_credential() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let found = refreshed(&world, &view).await.unwrap();
    assert!(matches!(found, Refreshed::Present(_)), "{found:?}");
    // Without the record seen before, only the MAC key could verify the place.
    let unseen = SecretView {
        backend_seen: None,
        ..view
    };
    let found = refreshed(&world, &unseen).await.unwrap();
    assert!(matches!(found, Refreshed::Unchecked(..)), "{found:?}");
}

#[tokio::test]
async fn the_default_is_told_without_any_key_and_followed_only_under_a_good_mac() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "one", "a").await;
    declared(&process, "two", "b").await;
    chosen(&process, "one", "platform").await;

    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let plans = world.process();
    let view = plans.default_backend().view().await.unwrap();
    assert_eq!((view.backend, view.owner.is_some()), (slug("one"), true));
    let large = SecretValue::Text("x".repeat(20_000).as_str().into());
    plans.secrets().check_size(None, &large).await.unwrap();
    world.kek.allow();

    world
        .alter_key("default", |body| body.replace("\"one\"", "\"two\""))
        .await;
    let led_astray = create(&world.process(), "db", None).await;
    match led_astray {
        Err(OperationError::Catalog(error)) => {
            assert_eq!(error.kind(), CatalogErrorKind::Altered);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_address_of_the_same_place_is_taken_and_another_place_is_not() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    create(&process, "db", Some("vault")).await.unwrap();
    let elsewhere = UpdateBackend {
        settings: settings("b"),
        ..change(&view)
    };
    let refused = process
        .backends()
        .update(elsewhere, &Interrupt::default())
        .await;
    assert!(
        matches!(refused, Err(OperationError::BackendNotThere { .. })),
        "{refused:?}"
    );
    assert!(world.connector.place("b").objects().is_empty());

    world.connector.alias("a2", "a");
    let moved = UpdateBackend {
        settings: settings("a2"),
        ..change(&view)
    };
    let moved = process
        .backends()
        .update(moved, &Interrupt::default())
        .await;
    assert_eq!(moved.unwrap().settings, settings("a2"));
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_backend_in_use_stays_and_says_who_needs_it() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    chosen(&process, "vault", "platform").await;
    for number in 0..12 {
        create(&process, &format!("db-{number:02}"), None)
            .await
            .unwrap();
    }
    match delete(&process, &view).await {
        Err(OperationError::BackendInUse {
            secrets,
            total,
            is_default,
            ..
        }) => {
            assert_eq!((secrets.len(), total, is_default), (10, 12, true));
            assert_eq!(secrets[0], "db-00");
        }
        other => panic!("{other:?}"),
    }
    create(&process, "still", Some("vault")).await.unwrap();
    chosen(&process, "platform", "vault").await;
    for number in 0..12 {
        let name = name(&format!("db-{number:02}"));
        let found = process.secrets().find(&name).await.unwrap();
        process
            .secrets()
            .delete(
                &crate::operations::tests::any(&name, found.uuid),
                &Interrupt::default(),
            )
            .await
            .unwrap();
    }
    let still = process.secrets().find(&name("still")).await.unwrap();
    process
        .secrets()
        .delete(
            &crate::operations::tests::any(&still.name, still.uuid),
            &Interrupt::default(),
        )
        .await
        .unwrap();
    assert_eq!(delete(&process, &view).await.unwrap(), DONE);
    assert!(world.connector.place("a").objects().is_empty());
    let gone = process
        .backends()
        .refresh(&view.name, view.uuid, None)
        .await;
    assert_eq!(gone.unwrap(), RefreshedBackend::Gone);
}

#[tokio::test]
async fn the_default_in_force_at_creation_is_taken_and_later_changes_move_nothing() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "one", "a").await;
    declared(&process, "two", "b").await;
    let on = async |named: &str| create(&process, named, None).await.unwrap().backend;
    assert_eq!(on("s0").await, slug("platform"));
    chosen(&process, "one", "platform").await;
    assert_eq!(on("s1").await, slug("one"));
    // Another process changes the default. This process has the former one cached.
    chosen(&world.process(), "two", "one").await;
    assert_eq!(on("s2").await, slug("two"));
    chosen(&world.process(), "platform", "two").await;
    assert_eq!(on("s3").await, slug("platform"));
    assert_eq!(world.value("s1").await.unwrap(), "hunter2");
    let refused = set(&world.process(), "one", "two").await;
    assert!(
        matches!(refused, Err(OperationError::ChangedConcurrently { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_abandoned_intent_does_not_keep_a_backend_alive() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    let place = world.connector.place("a");
    place.inject(crate::store::Fault {
        verb: StoreVerb::Put,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::PermissionDenied,
    });
    create(&process, "db", Some("vault")).await.unwrap_err();
    delete(&process, &view).await.unwrap();
    assert!(place.objects().is_empty());
    create(&process, "db", None).await.unwrap();
}

#[tokio::test]
async fn what_a_refresh_goes_by_outlives_a_rotation_and_an_edit() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let rotated = process
        .secrets()
        .update(rotate(&view, "next"), &Interrupt::default())
        .await
        .unwrap();
    assert!(rotated.backend_seen.is_some());
    assert_eq!(rotated.backend_seen, view.backend_seen);
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let found = refreshed(&world, &rotated).await.unwrap();
    assert!(matches!(found, Refreshed::Present(_)), "{found:?}");
}

#[tokio::test]
async fn a_replacement_of_ones_own_takes_the_name_to_another_backend_and_another_kind() {
    let world = World::new();
    let process = world.warm().await;
    let interrupt = Interrupt::default();
    let corp = declared(&process, "corp", "corp").await;
    let old = create(&process, "db", Some("corp")).await.unwrap();
    let pairs = world::pairs(&[("user", "app")]);
    let successor = CreateSecret {
        replaces: vec![Replaces::Owned(old.uuid, old.owner.stamp)],
        ..create_of("db", ValueSource::Given(pairs))
    };
    let new = process
        .secrets()
        .create(successor, &interrupt)
        .await
        .unwrap();
    assert_eq!(new.backend.as_str(), "platform");
    assert_eq!(new.kind, SecretKind::KeyValue);
    // The old secret keeps its backend in use until it is deleted, and not afterwards.
    let used = process
        .backends()
        .delete(letting_go(&corp), &interrupt)
        .await;
    assert!(
        matches!(used, Err(OperationError::BackendInUse { .. })),
        "{used:?}"
    );
    let delete = world::own(&old);
    process.secrets().delete(&delete, &interrupt).await.unwrap();
    let deleted = process
        .backends()
        .delete(letting_go(&corp), &interrupt)
        .await;
    assert_eq!(deleted.unwrap(), DONE);
    let found = process.secrets().find(&name("db")).await.unwrap();
    assert_eq!(found.uuid, new.uuid);
}

#[tokio::test]
async fn a_protected_or_retained_secret_gives_its_name_to_nobody() {
    let world = World::new();
    let process = world.warm().await;
    let mut retained = create_of("kept", given("x"));
    retained.arguments.on_destroy = OnDestroy::Retain;
    let retained = process
        .secrets()
        .create(retained, &Interrupt::default())
        .await
        .unwrap();
    for replaces in [
        Replaces::Named(retained.uuid),
        Replaces::Owned(retained.uuid, retained.owner.stamp),
    ] {
        let taker = CreateSecret {
            replaces: vec![replaces],
            ..create_of("kept", given("y"))
        };
        let refused = process.secrets().create(taker, &Interrupt::default()).await;
        assert!(
            matches!(refused, Err(OperationError::Retained { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(world.value("kept").await.unwrap(), "x");

    let mut protected = create_of("db", given("x"));
    protected.arguments.deletion_protection = true;
    let interrupt = Interrupt::default();
    let view = process
        .secrets()
        .create(protected, &interrupt)
        .await
        .unwrap();
    let taker = CreateSecret {
        replaces: vec![Replaces::Named(view.uuid)],
        ..create_of("db", given("y"))
    };
    let refused = process.secrets().create(taker, &interrupt).await;
    assert!(
        matches!(refused, Err(OperationError::DeletionProtected { .. })),
        "{refused:?}"
    );
    assert_eq!(world.value("db").await.unwrap(), "x");
}
