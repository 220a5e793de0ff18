//! The credential of a backend: sealed, bound to its settings, renewed. Also credentials that
//! lead to another place.

use planton_envelope::{Context, Envelope, Purpose};
use uuid::Uuid;

use super::{arguments, change, create, declare, declared, password};
use crate::catalog::{BackendDocument, CatalogErrorKind, RecordKey};
use crate::kek::{KekErrorKind, KeyEncryptionKey, KeyPurpose, WrapNames};
use crate::operations::tests::world::{KekVerb, World, exposed, name, rotate};
use crate::operations::tests::{number, refreshed, seen};
use crate::operations::{
    BackendView, Interrupt, OperationError, Organization, PlannedConnection, Refreshed,
    RegisterBackend, Selector, UpdateBackend,
};
use crate::store::SecretStore;

/// Declares the backend "vault" at the place "a", which demands the password "first".
async fn registered_under_first(world: &World, process: &Organization) -> BackendView {
    world.connector.demand("a", "first");
    let register = RegisterBackend {
        credential: password("first"),
        ..declare("vault", "a")
    };
    super::register(process, register).await.unwrap()
}

#[tokio::test]
async fn a_credential_is_sealed_opened_once_a_process_and_renewed_by_an_update() {
    let world = World::new();
    let process = world.warm().await;
    let view = registered_under_first(&world, &process).await;
    assert!(view.is_static);
    let stored = world.stored(&RecordKey::new("backends/vault")).await;
    let body = stored.unwrap().body;
    assert!(body.contains("pse1.") && !body.contains("first"), "{body}");

    let late = world.process();
    let opened = world.connector.opened();
    for named in ["one", "two", "three"] {
        create(&late, named, Some("vault")).await.unwrap();
    }
    assert_eq!(world.connector.opened() - opened, 1);

    // The password is changed at the place first, and in the backend's record afterwards.
    world.connector.demand("a", "second");
    let stale = create(&world.process(), "four", Some("vault")).await;
    assert!(matches!(stale, Err(OperationError::Store(_))), "{stale:?}");
    let update = UpdateBackend {
        credential: Some(password("second")),
        arguments: arguments("2"),
        ..change(&view)
    };
    let renewed = late
        .backends()
        .update(update, &Interrupt::default())
        .await
        .unwrap();
    assert!(renewed.is_static);
    create(&late, "four", Some("vault")).await.unwrap();
    create(&world.process(), "five", Some("vault"))
        .await
        .unwrap();
}

//= docs/format.md#8-configuration-of-a-credential
//= type=test
//# A writer MUST encode the plaintext of such a credential as a key-value document ([section
//# 22](#22-values)) whose keys are the names of the write-only arguments without `_wo`.
#[tokio::test]
async fn a_credential_is_a_key_value_document_for_its_settings() {
    let world = World::new();
    let process = world.warm().await;
    let register = RegisterBackend {
        credential: password("first"),
        ..declare("vault", "a")
    };
    super::register(&process, register).await.unwrap();
    let stored = world.stored(&RecordKey::new("backends/vault")).await;
    let document: BackendDocument = serde_json::from_str(&stored.unwrap().body).unwrap();
    let record = document.backend.unwrap();
    let sealed = record.credential.unwrap();
    let context = Context {
        purpose: Purpose::BackendCredential,
        organization: process.existing().await.unwrap().uuid,
        object: record.uuid,
        backend: record.uuid,
        version: sealed.version,
        extension: Some(record.settings.digest()),
    };
    let envelope = Envelope::parse_stored(sealed.envelope.as_bytes()).unwrap();
    let (id, wrapped) = &envelope.wrapped_keys()[0];
    let binding = envelope.binding_in(&context, id);
    let names = WrapNames::backend(process.slug(), &record.name, KeyPurpose::BackendCredential);
    let key = world
        .kek
        .unwrap(wrapped, names.bound(binding))
        .await
        .unwrap();
    let opened = envelope.open(&key, &context).unwrap();
    assert_eq!(opened.plaintext.expose(), b"\x01{\"password\":\"first\"}");
}

#[tokio::test]
async fn a_credential_opens_beside_its_own_settings_only() {
    let world = World::new();
    let process = world.warm().await;
    let register = RegisterBackend {
        credential: password("first"),
        ..declare("vault", "a")
    };
    super::register(&process, register).await.unwrap();
    // A process with the MAC key still cannot redirect the credential to another place.
    world
        .forge("backends/vault", |body| {
            body.replace("\"place\":\"a\"", "\"place\":\"b\"")
        })
        .await;
    let redirected = create(&world.process(), "db", Some("vault")).await;
    assert!(
        matches!(redirected, Err(OperationError::CredentialRefused { .. })),
        "{redirected:?}"
    );
    assert!(world.connector.place("b").objects().is_empty());
}

#[tokio::test]
async fn a_refresh_without_the_key_of_a_credential_takes_nothing_for_gone() {
    let world = World::new();
    let process = world.warm().await;
    let register = RegisterBackend {
        credential: password("x"),
        ..declare("vault", "a")
    };
    super::register(&process, register).await.unwrap();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let found = refreshed(&world, &view).await.unwrap();
    assert!(matches!(found, Refreshed::Unchecked(..)), "{found:?}");
    world.kek.allow();
    let found = refreshed(&world, &view).await.unwrap();
    assert!(matches!(found, Refreshed::Present(_)), "{found:?}");
}

#[tokio::test]
async fn credentials_of_another_account_lead_to_an_error_and_never_to_an_end() {
    let world = World::new();
    let process = world.warm().await;
    declared(&process, "vault", "a").await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let here = world.connector.place("a");
    // The same settings, with an account that has none of the backend's objects.
    world.connector.alias("a", "another account");
    let elsewhere = |outcome: Result<(), OperationError>| {
        let told = format!("{outcome:?}");
        assert!(
            matches!(outcome, Err(OperationError::BackendNotThere { .. })),
            "{told}"
        );
    };
    elsewhere(refreshed(&world, &view).await.map(drop));
    elsewhere(world.value("db").await.map(drop));
    let late = world.process();
    elsewhere(create(&late, "other", Some("vault")).await.map(drop));
    let interrupt = Interrupt::default();
    let rotated = late.secrets().update(rotate(&view, "next"), &interrupt);
    elsewhere(rotated.await.map(drop));
    let delete = crate::operations::tests::any(&view.name, view.uuid);
    elsewhere(late.secrets().delete(&delete, &interrupt).await.map(drop));
    assert!(world.connector.place("a").objects().is_empty());
    assert!(
        world.document(&name("other")).await.is_tombstone(),
        "the intent of what was refused is taken back"
    );

    assert_eq!(here.objects().len(), 2, "the marker and the secret");
    world.connector.places_back("a", here);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_stripped_credential_lets_no_ambient_identity_go_there() {
    let world = World::new();
    let process = world.warm().await;
    let register = RegisterBackend {
        credential: password("first"),
        ..declare("vault", "a")
    };
    super::register(&process, register).await.unwrap();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .alter_key("backends/vault", |body| {
            let mut json: serde_json::Value = serde_json::from_str(body).unwrap();
            json["backend"]
                .as_object_mut()
                .unwrap()
                .remove("credential");
            json.to_string()
        })
        .await;
    let before = world.connector.opened();
    let refused = refreshed(&world, &view).await;
    assert!(
        matches!(&refused, Err(OperationError::Catalog(error))
            if error.kind() == CatalogErrorKind::Altered),
        "{refused:?}"
    );
    assert_eq!(world.connector.opened(), before, "nothing was opened");
}

#[tokio::test]
async fn a_lost_marker_keeps_nobody_from_renewing_credentials() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    let secret = create(&process, "db", Some("vault")).await.unwrap();
    let place = world.connector.place("a");
    let marker = place
        .objects()
        .into_iter()
        .find(|name| name.as_str().contains("/backend/"))
        .unwrap();
    let versions = place.versions(&marker);
    place
        .delete(&marker, crate::store::Deletion::Object { versions })
        .await
        .unwrap();
    let refused = world
        .process()
        .secrets()
        .update(rotate(&secret, "next"), &Interrupt::default())
        .await;
    assert!(
        matches!(refused, Err(OperationError::BackendNotThere { .. })),
        "{refused:?}"
    );

    // At another place the secret is missing too, and that place is not accepted.
    let renew = |view: &BackendView| UpdateBackend {
        credential: Some(password("new")),
        arguments: arguments("2"),
        ..change(view)
    };
    world.connector.alias("a", "another account");
    let elsewhere = process
        .backends()
        .update(renew(&view), &Interrupt::default())
        .await;
    assert!(
        matches!(elsewhere, Err(OperationError::BackendNotThere { .. })),
        "{elsewhere:?}"
    );
    world.connector.places_back("a", place);
    let renewed = process
        .backends()
        .update(renew(&view), &Interrupt::default())
        .await;
    assert!(renewed.unwrap().is_marked);
    let rotated = world
        .process()
        .secrets()
        .update(rotate(&secret, "next"), &Interrupt::default())
        .await;
    assert_eq!(number(&rotated.unwrap()), Some(2));
}

#[tokio::test]
async fn a_lost_marker_is_not_put_again_while_a_deleted_document_may_name_a_secret() {
    let world = World::new();
    let process = world.warm().await;
    let view = declared(&process, "vault", "a").await;
    let secret = create(&process, "db", Some("vault")).await.unwrap();
    let key = crate::catalog::record_key_of_name(&secret.name);
    world.catalog.delete_by_hand(&key);

    world.connector.alias("a", "another account");
    let renew = UpdateBackend {
        credential: Some(password("new")),
        arguments: arguments("2"),
        ..change(&view)
    };
    let elsewhere = process
        .backends()
        .update(renew, &Interrupt::default())
        .await;
    assert!(
        matches!(&elsewhere, Err(OperationError::Catalog(error))
            if error.kind() == CatalogErrorKind::Removed),
        "{elsewhere:?}"
    );
    let objects = world.connector.place("a").objects();
    assert!(objects.is_empty(), "{objects:?}");
}

#[tokio::test]
async fn a_planned_credential_is_used_before_it_is_saved() {
    let world = World::new();
    let process = world.warm().await;
    let view = registered_under_first(&world, &process).await;
    let secret = create(&process, "db", Some("vault")).await.unwrap();
    world.connector.demand("a", "second");

    let process = world.process();
    let open = async || {
        let selector = Selector::Name(name("db"));
        process.secrets().open(&selector, None).await
    };
    assert!(matches!(open().await, Err(OperationError::Store(_))));
    let planned = |uuid, place: &str| PlannedConnection {
        uuid,
        settings: declare("vault", place).settings,
        credential: password("second"),
    };
    let vault = "vault".parse().unwrap();
    let plan = |planned| process.backends().plan_connection(&vault, planned);
    // Another backend of the name.
    plan(Some(planned(Uuid::new_v4(), "a")));
    assert!(matches!(open().await, Err(OperationError::Store(_))));
    // Another place, which has no marker: the saved credential is used.
    plan(Some(planned(view.uuid, "b")));
    let elsewhere = process.secrets().refresh(&seen(&secret)).await;
    assert!(
        matches!(elsewhere, Err(OperationError::Store(_))),
        "{elsewhere:?}"
    );
    plan(Some(planned(view.uuid, "a")));
    assert_eq!(exposed(&open().await.unwrap().value), "hunter2");
    let seen = process.secrets().refresh(&seen(&secret)).await;
    assert!(matches!(seen, Ok(Refreshed::Present(_))), "{seen:?}");
    // A later plan without it, as in a process that serves several.
    plan(None);
    assert!(matches!(open().await, Err(OperationError::Store(_))));

    // One that is not valid yet, while the saved one still is.
    world.connector.demand("a", "first");
    plan(Some(planned(view.uuid, "a")));
    assert_eq!(exposed(&open().await.unwrap().value), "hunter2");
    // The update that saves it fails, and ends it.
    world.connector.demand("a", "second");
    plan(Some(planned(view.uuid, "a")));
    assert_eq!(exposed(&open().await.unwrap().value), "hunter2");
    let update = UpdateBackend {
        credential: Some(password("third")),
        arguments: arguments("2"),
        ..change(&view)
    };
    let interrupt = Interrupt::default();
    let updated = process.backends().update(update, &interrupt);
    updated.await.unwrap_err();
    assert!(matches!(open().await, Err(OperationError::Store(_))));
}

/// Nothing but its settings says where such a backend is.
#[tokio::test]
async fn an_unmarked_backend_stays_at_its_place_whatever_a_plan_says() {
    let world = World::new();
    let process = world.warm().await;
    let mut unverified = declare("vault", "a");
    unverified.arguments.verify_connection = false;
    unverified.credential = password("first");
    let view = super::register(&process, unverified).await.unwrap();
    let secret = create(&process, "db", Some("vault")).await.unwrap();
    let planned = |place: &str| PlannedConnection {
        uuid: view.uuid,
        settings: declare("vault", place).settings,
        credential: password("second"),
    };
    let vault = "vault".parse().unwrap();
    for place in ["b", "a"] {
        let process = world.process();
        process
            .backends()
            .plan_connection(&vault, Some(planned(place)));
        let found = process.secrets().refresh(&seen(&secret)).await;
        assert!(
            matches!(found, Ok(Refreshed::Present(_))),
            "{place}: {found:?}"
        );
    }
    let process = world.process();
    process
        .backends()
        .plan_connection(&vault, Some(planned("b")));
    create(&process, "other", Some("vault")).await.unwrap();
    assert!(world.connector.place("b").objects().is_empty());
}
