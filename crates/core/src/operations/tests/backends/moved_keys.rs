//! Aliases that name another key by now, and former keys.

use super::keys::{declared_with, kek, keys};
use super::{BackendView, change, create, slug};
use crate::catalog::{BackendDocument, RecordKey};
use crate::kek::{KekSettings, KeyEncryptionKey};
use crate::operations::key_resolution::MAX_FORMER_KEYS;
use crate::operations::tests::world::{KekVerb, World};
use crate::operations::{
    DeclaredKek, DeclaredKeys, Interrupt, KeyComparison, OperationError, Organization,
    UpdateBackend,
};
use planton_envelope::KekId;

/// Returns the keys of a backend as they are declared again, without a new credential.
fn again(keys: DeclaredKeys) -> DeclaredKeys {
    let kept = |key: DeclaredKek| DeclaredKek {
        credential: None,
        ..key
    };
    DeclaredKeys {
        encryption: keys.encryption.map(kept),
        escrow: keys.escrow.into_iter().map(kept).collect(),
        resolves_again: true,
    }
}

fn settings(alias: &str) -> Vec<KekSettings> {
    vec![kek(alias).settings]
}

fn id(world: &World, key: &str) -> KekId {
    world.kek_connector.key(key).id().clone()
}

async fn update(
    process: &Organization,
    backend: &BackendView,
    keys: DeclaredKeys,
) -> Result<BackendView, OperationError> {
    let update = UpdateBackend {
        keys,
        ..change(backend)
    };
    let interrupt = Interrupt::default();
    process.backends().update(update, &interrupt).await
}

async fn former(world: &World) -> Vec<KekId> {
    let key = RecordKey::new("backends/vault");
    let stored = world.stored(&key).await.unwrap();
    let document: BackendDocument = serde_json::from_str(&stored.body).unwrap();
    let former = document.backend.unwrap().keys.former.into_iter();
    former.map(|record| record.kek).collect()
}

#[tokio::test]
async fn a_moved_alias_is_found_by_one_question_and_saved_by_an_update() {
    let world = World::new();
    world.kek_connector.alias("alias", "one");
    let process = world.warm().await;
    let backend = declared_with(&process, keys(Some("alias"), &[])).await;
    assert_eq!(backend.key_ids, [id(&world, "one")]);
    create(&process, "db", Some("vault")).await.unwrap();

    let moved = async |known: &[KekSettings]| {
        let process = world.process();
        let moved = process.backends();
        moved
            .compare_keys(&slug("vault"), backend.uuid, known)
            .await
    };
    let unwraps = world.mac_kek.calls(KekVerb::Unwrap);
    assert_eq!(moved(&settings("alias")).await, KeyComparison::Same);
    assert_eq!(world.kek_connector.asked(), 1);
    world.kek_connector.alias("alias", "two");
    assert_eq!(moved(&settings("alias")).await, KeyComparison::Moved);
    assert_eq!(world.kek_connector.asked(), 2);
    // An ambient credential is asked for without any key of the organization.
    assert_eq!(world.mac_kek.calls(KekVerb::Unwrap), unwraps);
    // Only what the caller's own settings name is asked for.
    assert_eq!(moved(&settings("other")).await, KeyComparison::Same);
    assert_eq!(world.kek_connector.asked(), 2);
    world.kek_connector.set_unreachable(true);
    assert_eq!(moved(&settings("alias")).await, KeyComparison::Unknown);
    world.kek_connector.set_unreachable(false);

    // An update that does not ask again keeps the key, and one that does takes the new one.
    let process = world.process();
    let mut kept = again(keys(Some("alias"), &[]));
    kept.resolves_again = false;
    let backend = update(&process, &backend, kept).await.unwrap();
    assert_eq!(backend.key_ids, [id(&world, "one")]);
    let declared = again(keys(Some("alias"), &[]));
    let backend = update(&process, &backend, declared).await.unwrap();
    assert_eq!(backend.key_ids, [id(&world, "two")]);
    assert_eq!(former(&world).await, [id(&world, "one")]);
    assert_eq!(world.value("db").await.unwrap(), "hunter2");
    assert_eq!(moved(&settings("alias")).await, KeyComparison::Same);
}

#[tokio::test]
async fn a_sealed_credential_of_a_moved_alias_is_opened_from_a_verified_record_only() {
    let world = World::new();
    world.kek_connector.alias("alias", "one");
    world.kek_connector.require("one", "hunter2");
    let process = world.warm().await;
    let mut alias = kek("alias");
    alias.credential = Some([("password".to_owned(), "hunter2".into())].into());
    let declared = DeclaredKeys {
        encryption: Some(alias),
        ..DeclaredKeys::default()
    };
    let backend = declared_with(&process, declared).await;
    let moved = async || {
        let process = world.process();
        let moved = process.backends();
        let known = settings("alias");
        moved
            .compare_keys(&slug("vault"), backend.uuid, &known)
            .await
    };
    assert_eq!(moved().await, KeyComparison::Same);
    assert_eq!(world.kek_connector.asked(), 1);
    let key = RecordKey::new("backends/vault");
    let stored = world.stored(&key).await.unwrap();
    let body = stored.body.replace("\"place\":\"a\"", "\"place\":\"b\"");
    assert_ne!(body, stored.body);
    let forged = crate::catalog::StoredRecord { body, ..stored };
    world.catalog.overwrite(&key, forged);
    assert_eq!(moved().await, KeyComparison::Unknown);
    assert_eq!(world.kek_connector.asked(), 1, "no credential is sent");
}

#[tokio::test]
async fn former_keys_are_bounded_and_a_present_key_is_none() {
    let world = World::new();
    let process = world.warm().await;
    let mut backend = declared_with(&process, keys(Some("0"), &[])).await;
    for at in 1..=MAX_FORMER_KEYS {
        let next = keys(Some(&at.to_string()), &[]);
        backend = update(&process, &backend, next).await.unwrap();
    }
    assert_eq!(former(&world).await.len(), MAX_FORMER_KEYS);
    let refused = update(&process, &backend, keys(Some("more"), &[])).await;
    let Err(OperationError::TooManyFormerKeys { keys: found }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, MAX_FORMER_KEYS + 1);
    // A former key becomes the present one again.
    let back = update(&process, &backend, keys(Some("0"), &[]))
        .await
        .unwrap();
    assert_eq!(back.key_ids, [id(&world, "0")]);
    assert_eq!(former(&world).await.len(), MAX_FORMER_KEYS);
    // Another change stays possible.
    let update_of = UpdateBackend {
        description: Some("other".to_owned()),
        keys: keys(Some("0"), &[]),
        ..change(&back)
    };
    let process = world.process();
    let interrupt = Interrupt::default();
    let updated = process.backends().update(update_of, &interrupt);
    updated.await.unwrap();
}

#[tokio::test]
async fn an_alias_that_moves_without_room_for_a_former_key_locks_nothing() {
    let world = World::new();
    let process = world.warm().await;
    let mut backend = declared_with(&process, keys(Some("0"), &[])).await;
    for at in 1..MAX_FORMER_KEYS {
        let next = keys(Some(&at.to_string()), &[]);
        backend = update(&process, &backend, next).await.unwrap();
    }
    world.kek_connector.alias("alias", "one");
    let alias = || keys(Some("alias"), &[]);
    backend = update(&process, &backend, alias()).await.unwrap();
    let one = id(&world, "one");
    assert_eq!(former(&world).await.len(), MAX_FORMER_KEYS);

    world.kek_connector.alias("alias", "two");
    let process = world.process();
    let (vault, known) = (slug("vault"), settings("alias"));
    let compared = process.backends();
    let compared = compared.compare_keys(&vault, backend.uuid, &known).await;
    assert_eq!(compared, KeyComparison::Kept(one.clone()));
    // Neither a further question nor a new credential locks the backend.
    for declared in [again(alias()), alias()] {
        backend = update(&process, &backend, declared).await.unwrap();
        assert_eq!(backend.key_ids, std::slice::from_ref(&one));
        assert_eq!(backend.key_notes.kept, Some(one.clone()));
        assert_eq!(former(&world).await.len(), MAX_FORMER_KEYS);
    }
    // Only a changed setting is refused.
    let refused = update(&process, &backend, keys(Some("more"), &[])).await;
    let is_refused = matches!(refused, Err(OperationError::TooManyFormerKeys { .. }));
    assert!(is_refused, "{refused:?}");
    // An alias that moves to a former key needs no room.
    world.kek_connector.alias("alias", "0");
    let back = update(&process, &backend, again(alias())).await.unwrap();
    assert_eq!(back.key_ids, [id(&world, "0")]);
    assert_eq!(back.key_notes.kept, None);
}
