//! Attacks on the keys of an organization, by means that its attacker has.

use std::collections::BTreeSet;

use super::*;
use crate::catalog::{CatalogErrorKind, RecordKey, StoredRecord};
use crate::kek::{KekErrorKind, KekPins, KeyEncryptionKey, pin_of};
use crate::operations::tests::backends::create;
use crate::operations::tests::backends::keys::{declared_with, keys};
use planton_envelope::KekId;

fn key() -> RecordKey {
    RecordKey::new("organization")
}

/// Adds an escrow key to the organization's record, whose MAC the attacker cannot compute.
async fn add_escrow_key(world: &World, named: &str) {
    let theirs = world.kek_connector.key(named);
    let added = serde_json::json!({
        "kek": {"provider": theirs.id().provider, "id": theirs.id().id},
        "settings": {"kind": "test", "configuration": {"key": named}},
    });
    let StoredRecord { body, mac } = world.stored(&key()).await.unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&body).unwrap();
    record["escrow"] = serde_json::json!([added]);
    let body = record.to_string();
    world.catalog.overwrite(&key(), StoredRecord { body, mac });
}

fn is_altered<T: std::fmt::Debug>(outcome: &Result<T, OperationError>) -> bool {
    matches!(outcome, Err(OperationError::Catalog(e)) if e.kind() == CatalogErrorKind::Altered)
}

#[tokio::test]
async fn an_escrow_recipient_that_a_catalog_writer_adds_gets_no_secret_and_no_credential() {
    let world = World::new();
    let process = world.warm().await;
    declared_with(&process, keys(None, &[])).await;
    let markers = world.connector.place("a").payloads().len();
    add_escrow_key(&world, "theirs").await;
    for backend in [None, Some("vault")] {
        let created = create(&world.process(), "db", backend).await;
        assert!(is_altered(&created), "{created:?}");
    }
    let theirs = world.kek_connector.key("theirs");
    assert_eq!(theirs.calls(KekVerb::Wrap), 0);
    assert_eq!(world.store.payloads(), [[0; 0]; 0], "nothing was put");
    assert_eq!(world.connector.place("a").payloads().len(), markers);
    let registered = super::backends::register_with_password(&world.process(), "b").await;
    assert!(is_altered(&registered), "{registered:?}");
    assert_eq!(theirs.calls(KekVerb::Wrap), 0);
    assert_eq!(world.connector.place("b").payloads(), [[0; 0]; 0]);
}

#[tokio::test]
async fn a_refresh_of_an_organization_with_escrow_keys_needs_no_key() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let declared = keys(None, &["safe"]).escrow;
    let process = world.process();
    process
        .keys()
        .initialize(&declared, &interrupt)
        .await
        .unwrap();
    declared_with(&process, keys(None, &[])).await;
    let views = [
        create(&process, "db", None).await.unwrap(),
        create(&process, "api", Some("vault")).await.unwrap(),
    ];
    world
        .kek
        .deny(KekVerb::Unwrap, KekErrorKind::PermissionDenied);
    for view in views {
        let seen = refreshed(&world, &view).await.unwrap();
        assert!(matches!(seen, Refreshed::Present(_)), "{seen:?}");
    }
}

#[tokio::test]
async fn an_organization_that_a_catalog_writer_begins_again_gets_no_second_mac_key() {
    let world = World::new();
    created(&world, "db", "x").await;
    let genuine = world.stored(&key()).await.unwrap();
    let mut begun: serde_json::Value = serde_json::from_str(&genuine.body).unwrap();
    begun["generation"] = 1.into();
    begun["state"] = serde_json::json!({"state": "initializing"});
    world.catalog.delete_by_hand(&key());
    let forged = StoredRecord {
        body: begun.to_string(),
        mac: String::new(),
    };
    world.catalog.overwrite(&key(), forged.clone());
    let outcome = create(&world.process(), "api", None).await;
    assert!(is_altered(&outcome), "{outcome:?}");
    assert_eq!(world.stored(&key()).await.unwrap(), forged);
    world.catalog.overwrite(&key(), genuine);
    assert_eq!(world.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn a_removed_escrow_key_of_the_organization_gets_nothing_where_keys_are_pinned() {
    let world = World::new();
    let interrupt = Interrupt::default();
    let declared = keys(None, &["safe"]).escrow;
    let process = world.process();
    let initialized = process.keys().initialize(&declared, &interrupt).await;
    initialized.unwrap();
    create(&process, "db", None).await.unwrap();
    let fingerprint = process.keys().fingerprint().await.unwrap();
    let safe = world.kek_connector.key("safe").id().clone();
    let pinned = |others: &[&KekId]| {
        let mut allowed: BTreeSet<_> = others.iter().map(|id| pin_of(id)).collect();
        allowed.insert(pin_of(world.kek.id()));
        world.process().with_pins(KekPins {
            organization: Some(fingerprint),
            allowed_key_ids: Some(allowed),
        })
    };
    let older = world.stored(&key()).await.unwrap();
    let removed = pinned(&[&safe]);
    let removed = removed.keys().remove_escrow(&safe, &interrupt).await;
    removed.unwrap();
    // The record from before the removal, with its valid MAC.
    world.catalog.overwrite(&key(), older);
    let payloads = world.store.payloads();
    let platform = backends::slug("platform");
    let process = pinned(&[]);
    let rewrapped = process.keys().rewrap(&platform, &|_| {}, &interrupt).await;
    for outcome in [
        create(&pinned(&[]), "next", None).await.map(drop),
        backends::register_with_password(&pinned(&[]), "b")
            .await
            .map(drop),
        rewrapped.map(drop),
    ] {
        let refused =
            matches!(&outcome, Err(OperationError::KeyNotAllowed { key }) if *key == safe);
        assert!(refused, "{outcome:?}");
    }
    assert_eq!(world.store.payloads(), payloads, "nothing was put");
    assert_eq!(world.connector.place("b").payloads(), [[0; 0]; 0]);
}
