//! KEKs of a backend's own, and escrow keys.

use planton_envelope::Envelope;

use super::{change, create, declare, register};
use crate::catalog::{BackendDocument, RecordKey};
use crate::kek::{KekErrorKind, KekPins, KekSettings, KekSlot, KeyEncryptionKey, pin_of};
use crate::operations::tests::world::{KekVerb, World, acme, name, rotate};
use crate::operations::{
    DeclaredKek, DeclaredKeys, Interrupt, OperationError, Organization, RegisterBackend,
    StoreCredential, UpdateBackend,
};

pub(super) fn kek(key: &str) -> DeclaredKek {
    DeclaredKek {
        settings: KekSettings {
            kind: "test".to_owned(),
            configuration: [("key".to_owned(), key.into())].into(),
        },
        credential: Some(StoreCredential::new()),
    }
}

pub(in crate::operations::tests) fn keys(
    encryption: Option<&str>,
    escrow: &[&str],
) -> DeclaredKeys {
    DeclaredKeys {
        encryption: encryption.map(kek),
        escrow: escrow.iter().copied().map(kek).collect(),
        resolves_again: false,
    }
}

pub(in crate::operations::tests) async fn declared_with(
    process: &Organization,
    keys: DeclaredKeys,
) -> super::BackendView {
    let request = RegisterBackend {
        keys,
        ..declare("vault", "a")
    };
    register(process, request).await.unwrap()
}

async fn refused(world: &World, keys: DeclaredKeys) -> OperationError {
    let request = RegisterBackend {
        keys,
        ..declare("vault", "a")
    };
    let outcome = register(&world.warm().await, request).await;
    assert!(world.connector.place("a").objects().is_empty());
    outcome.unwrap_err()
}

/// Returns the envelope of a secret's only version, and the KEKs that its record names.
pub(super) async fn envelope(world: &World, named: &str) -> (Envelope, Vec<String>) {
    let document = world.document(&name(named)).await;
    let secret = document.current.unwrap();
    let version = secret.versions.last().unwrap();
    let store = world.connector.place("a");
    let stored =
        crate::store::SecretStore::get(store.as_ref(), &secret.remote_name, &version.native_id);
    let envelope = Envelope::parse_stored(&stored.await.unwrap()).unwrap();
    let named = version.keks.iter().map(|kek| kek.id.clone()).collect();
    (envelope, named)
}

fn wrapped_by(envelope: &Envelope) -> Vec<String> {
    let wraps = envelope.wrapped_keys().iter();
    wraps.map(|(kek, _)| kek.id.clone()).collect()
}

#[tokio::test]
async fn a_key_of_the_backends_own_and_its_escrow_keys_wrap_and_the_organizations_does_not() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("own"), &["safe", "vault"])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let ids = ["own", "safe", "vault"].map(|key| world.kek_connector.key(key).id().id.clone());
    let (envelope, named) = envelope(&world, "db").await;
    assert_eq!(wrapped_by(&envelope), ids);
    assert_eq!(named, ids);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn without_a_key_of_its_own_the_organizations_wraps_beside_the_escrow_keys() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(None, &["safe"])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let safe = world.kek_connector.key("safe").id().id.clone();
    let (envelope, _) = envelope(&world, "db").await;
    assert_eq!(wrapped_by(&envelope), [world.kek.id().id.clone(), safe]);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_backend_without_keys_of_its_own_has_no_field_for_them() {
    let world = World::new();
    let process = world.warm().await;
    register(&process, declare("plain", "a")).await.unwrap();
    declared_with(&process, keys(Some("one"), &[])).await;
    for (named, has_keys) in [("plain", false), ("vault", true)] {
        let key = RecordKey::new(format!("backends/{named}"));
        let body = world.stored(&key).await.unwrap().body;
        assert_eq!(body.contains("\"keys\""), has_keys, "{body}");
    }
}

#[tokio::test]
async fn a_revoked_main_key_revokes_reads_though_an_escrow_key_could_open() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(Some("own"), &["safe"])).await;
    create(&process, "db", Some("vault")).await.unwrap();
    let own = world.kek_connector.key("own");
    own.deny(KekVerb::Unwrap, KekErrorKind::Disabled);
    let error = world.value("db").await.unwrap_err();
    let disabled = matches!(&error, OperationError::Kek(e) if e.kind() == KekErrorKind::Disabled);
    assert!(disabled, "{error:?}");
    own.allow();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_changed_key_counts_for_new_versions_and_the_former_one_still_opens() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("one"), &[])).await;
    let view = create(&process, "db", Some("vault")).await.unwrap();
    let update = UpdateBackend {
        keys: keys(Some("two"), &["safe"]),
        ..change(&backend)
    };
    let interrupt = Interrupt::default();
    let backend = process.backends().update(update, &interrupt).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
    let process = world.warm().await;
    let rotated = rotate(&view, "next");
    process.secrets().update(rotated, &interrupt).await.unwrap();
    let (envelope, _) = envelope(&world, "db").await;
    let ids = ["two", "safe"].map(|key| world.kek_connector.key(key).id().id.clone());
    assert_eq!(wrapped_by(&envelope), ids);
    let first = process.secrets().open(&by(&view), Some(1)).await.unwrap();
    assert_eq!(first.version, 1);

    // And back: a key is not both current and former.
    let update = UpdateBackend {
        keys: keys(Some("one"), &[]),
        ..change(&backend)
    };
    process.backends().update(update, &interrupt).await.unwrap();
    let stored = world.stored(&RecordKey::new("backends/vault")).await;
    let document: BackendDocument = serde_json::from_str(&stored.unwrap().body).unwrap();
    let kept = document.backend.unwrap().keys;
    let former: Vec<String> = kept.former.iter().map(|key| key.kek.id.clone()).collect();
    assert_eq!(former, [world.kek_connector.key("two").id().id.clone()]);
    assert_eq!(world.value("db").await.unwrap(), "next");
}

fn by(view: &crate::operations::SecretView) -> crate::operations::Selector {
    crate::operations::Selector::Uuid(view.uuid)
}

#[tokio::test]
async fn a_credential_of_a_key_is_sealed_and_kept_until_another_is_given() {
    let world = World::new();
    let process = world.warm().await;
    world.kek_connector.require("own", "hunter3");
    let password = |text: &str| Some([("password".to_owned(), text.into())].into());
    let declared = |credential| DeclaredKeys {
        encryption: Some(DeclaredKek {
            credential,
            ..kek("own")
        }),
        ..DeclaredKeys::default()
    };
    let backend = declared_with(&process, declared(password("hunter3"))).await;
    let stored = world.stored(&RecordKey::new("backends/vault")).await;
    let body = stored.unwrap().body;
    assert!(
        body.contains("pse1.") && !body.contains("hunter3"),
        "{body}"
    );
    create(&process, "db", Some("vault")).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");

    let wraps = world.kek_connector.key("own").calls(KekVerb::Wrap);
    let update = UpdateBackend {
        description: Some("another".to_owned()),
        keys: declared(None),
        ..change(&backend)
    };
    let interrupt = Interrupt::default();
    let backend = process.backends().update(update, &interrupt).await.unwrap();
    let own = world.kek_connector.key("own");
    assert_eq!(
        own.calls(KekVerb::Wrap),
        wraps,
        "an unchanged key is not asked"
    );
    world.kek_connector.require("own", "hunter4");
    let update = UpdateBackend {
        keys: declared(password("hunter4")),
        ..change(&backend)
    };
    process.backends().update(update, &interrupt).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_not_saved_and_named_by_its_place() {
    let world = World::new();
    let denied = world.kek_connector.key("denied");
    denied.deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    let error = refused(&world, keys(Some("denied"), &[])).await;
    let OperationError::KeyProbeFailed { slot, error } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (slot, error.kind()),
        (KekSlot::Encryption, KekErrorKind::PermissionDenied)
    );
    // An escrow key only wraps.
    declared_with(&world.warm().await, keys(None, &["safe", "denied"])).await;

    let world = World::new();
    let denied = world.kek_connector.key("denied");
    denied.deny(KekVerb::Wrap, KekErrorKind::Disabled);
    let error = refused(&world, keys(Some("own"), &["safe", "denied"])).await;
    let at = matches!(
        error,
        OperationError::KeyProbeFailed {
            slot: KekSlot::Escrow(1),
            ..
        }
    );
    assert!(at, "{error:?}");
}

#[tokio::test]
async fn one_key_twice_is_refused() {
    let world = World::new();
    for twice in [keys(Some("own"), &["own"]), keys(None, &["a", "a"])] {
        let error = refused(&world, twice).await;
        assert!(
            matches!(error, OperationError::KeyDeclaredTwice { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_wrapped_for_a_key_that_is_not_pinned() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(None, &["safe"])).await;
    let safe = world.kek_connector.key("safe").id().clone();
    let pinned = |ids: &[&planton_envelope::KekId]| {
        let allowed = ids.iter().map(|id| pin_of(id)).collect();
        world.process().with_pins(KekPins {
            allowed_key_ids: Some(allowed),
            ..KekPins::default()
        })
    };
    // Whoever writes the catalog added an escrow key.
    let process = pinned(&[world.kek.id()]);
    let error = create(&process, "db", Some("vault")).await.unwrap_err();
    let OperationError::KeyNotAllowed { key } = error else {
        panic!("{error:?}")
    };
    assert_eq!(key, safe);
    let process = pinned(&[world.kek.id(), &safe]);
    create(&process, "db", Some("vault")).await.unwrap();
    // A pin that is added later concerns what is wrapped, not what is read.
    let process = pinned(&[world.kek.id()]);
    let view = process.secrets().find(&name("db")).await.unwrap();
    process.secrets().open(&by(&view), None).await.unwrap();
}

#[tokio::test]
async fn a_removed_escrow_key_is_not_brought_back_by_an_older_record() {
    let world = World::new();
    let process = world.warm().await;
    let backend = declared_with(&process, keys(None, &["lost"])).await;
    let older = world
        .stored(&RecordKey::new("backends/vault"))
        .await
        .unwrap();
    let update = UpdateBackend {
        keys: keys(None, &[]),
        ..change(&backend)
    };
    let interrupt = Interrupt::default();
    process.backends().update(update, &interrupt).await.unwrap();
    let view = create(&process, "db", Some("vault")).await.unwrap();
    world
        .catalog
        .overwrite(&RecordKey::new("backends/vault"), older);
    let process = world.warm().await;
    process
        .backends()
        .remember(view.backend_seen.clone().unwrap());
    let outcome = create(&process, "other", Some("vault")).await;
    let refused = matches!(outcome, Err(OperationError::BackendRolledBack { .. }));
    assert!(refused, "{outcome:?}");
}

#[tokio::test]
async fn a_pinned_fingerprint_refuses_another_organization_and_a_first_use() {
    let world = World::new();
    let fingerprint = world.warm().await.keys().fingerprint().await.unwrap();
    let pinned = |world: &World, fingerprint| {
        world.process().with_pins(KekPins {
            organization: Some(fingerprint),
            ..KekPins::default()
        })
    };
    let process = pinned(&world, fingerprint);
    create(&process, "db", None).await.unwrap();

    let other = World::new();
    let outcome = create(&pinned(&other, fingerprint), "db", None).await;
    let none = matches!(
        &outcome,
        Err(OperationError::AnotherFingerprint { found: None, .. })
    );
    assert!(none, "{outcome:?}");
    other.warm().await;
    let outcome = create(&pinned(&other, fingerprint), "db", None).await;
    let Err(OperationError::AnotherFingerprint {
        expected,
        found: Some(found),
        organization,
    }) = outcome
    else {
        panic!("{outcome:?}")
    };
    assert_eq!((expected, organization), (fingerprint, acme()));
    assert_ne!(found, fingerprint);
}

#[tokio::test]
async fn escrow_keys_are_at_most_three_by_their_greatest_wraps() {
    let world = World::new();
    let four = keys(Some("own"), &["a", "b", "c", "d"]);
    let error = refused(&world, four).await;
    assert!(
        matches!(error, OperationError::TooManyKeys { .. }),
        "{error:?}"
    );
    for long in ["own", "a", "b", "c"] {
        world.kek_connector.key(long).claim_long_wraps();
    }
    let error = refused(&world, keys(Some("own"), &["a", "b", "c"])).await;
    assert!(
        matches!(error, OperationError::WrapsTooLong { .. }),
        "{error:?}"
    );
    declared_with(&world.warm().await, keys(Some("own"), &["a"])).await;
}

#[tokio::test]
async fn an_adopted_backend_has_the_keys_that_are_declared_now() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(None, &["safe"])).await;
    let next = world.resuming(&process);
    let request = RegisterBackend {
        keys: keys(Some("two"), &[]),
        ..declare("vault", "a")
    };
    let adopted = register(&next, request).await.unwrap();
    assert_eq!(adopted.escrow, []);
    let two = world.kek_connector.key("two").id().clone();
    assert_eq!(adopted.key_ids, std::slice::from_ref(&two));
    create(&next, "db", Some("vault")).await.unwrap();
    let (_, named) = envelope(&world, "db").await;
    assert_eq!(named, [two.id]);
}

#[tokio::test]
async fn a_sealed_credential_of_a_key_goes_to_no_other_key() {
    let world = World::new();
    world.kek_connector.require("one", "hunter2");
    let process = world.warm().await;
    let mut one = kek("one");
    one.credential = Some([("password".to_owned(), "hunter2".into())].into());
    let declared = DeclaredKeys {
        encryption: Some(one),
        ..DeclaredKeys::default()
    };
    let backend = declared_with(&process, declared).await;
    let other = DeclaredKek {
        credential: None,
        ..kek("two")
    };
    let update = UpdateBackend {
        keys: DeclaredKeys {
            encryption: Some(other),
            ..DeclaredKeys::default()
        },
        ..change(&backend)
    };
    let updated = process
        .backends()
        .update(update, &Interrupt::default())
        .await;
    let OperationError::KeyProbeFailed { slot, error } = updated.unwrap_err() else {
        panic!("the key has no credential");
    };
    assert_eq!(slot, KekSlot::Encryption);
    assert_eq!(error.kind(), KekErrorKind::Unauthenticated);
    assert!(error.remedy().unwrap().contains("Set the credential again"));
}

#[tokio::test]
async fn an_adopted_backend_takes_the_new_credential_of_the_same_key() {
    let world = World::new();
    let process = world.warm().await;
    let with = |password: &str| {
        let mut one = kek("one");
        one.credential = Some([("password".to_owned(), password.into())].into());
        let declared = DeclaredKeys {
            encryption: Some(one),
            ..DeclaredKeys::default()
        };
        RegisterBackend {
            keys: declared,
            ..declare("vault", "a")
        }
    };
    world.kek_connector.require("one", "first");
    register(&process, with("first")).await.unwrap();
    world.kek_connector.require("one", "second");
    let next = world.resuming(&process);
    register(&next, with("second")).await.unwrap();
    // A later process opens the key with what the record has.
    let later = world.warm().await;
    create(&later, "db", Some("vault")).await.unwrap();
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
}
