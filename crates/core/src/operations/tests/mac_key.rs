//! An attacker who may encrypt under the KEK and write the catalog replaces the
//! organization's MAC key.

use super::*;
use crate::catalog::{
    Catalog, OrganizationRecord, OrganizationState, RecordKey, SecretDocument, WrappedMacKey,
    record_key_of_name,
};
use crate::kek::{KeyEncryptionKey, WrapNames};
use planton_envelope::{MacKey, WrapBinding};

/// Computes the MACs of the organization and of the secret again, under a forged key.
async fn forge(world: &World, view: &SecretView) {
    let catalog = Catalog::new(world.catalog.clone());
    let forged = MacKey::generate().unwrap();
    let key = RecordKey::new("organization");
    let loaded = catalog
        .load::<OrganizationRecord>(&key)
        .await
        .unwrap()
        .unwrap();
    let mut record = loaded.record;
    let kek = world.kek.id().clone();
    let names = WrapNames::mac_key(&record.organization);
    let binding = WrapBinding::for_mac_key(record.uuid, &kek);
    let wrapped = world
        .kek
        .wrap(forged.expose(), names.bound(binding))
        .await
        .unwrap();
    record.state = OrganizationState::Ready {
        mac_key: vec![WrappedMacKey {
            kek,
            wrapped: hex::encode(wrapped.as_bytes()),
        }],
    };
    catalog
        .save(&key, &record, Some(&forged), loaded.revision)
        .await
        .unwrap();

    let key = record_key_of_name(&view.name);
    let loaded = catalog.load::<SecretDocument>(&key).await.unwrap().unwrap();
    let mut document = loaded.record;
    document.current.as_mut().unwrap().metadata.description = Some("forged".to_owned());
    catalog
        .save(&key, &document, Some(&forged), loaded.revision)
        .await
        .unwrap();
}

//= docs/format.md#18-commitment-of-a-mac-key
//= type=test
//# A reader that remembers a commitment, or its first 16 bytes, MUST refuse a catalog whose MAC
//# key has another one.
#[tokio::test]
async fn a_mac_key_that_was_replaced_is_not_the_one_seen_before() {
    let world = World::new();
    let view = created(&world, "db", "x").await;
    let before = world.process().keys().fingerprint().await.unwrap();
    assert!(
        world
            .process()
            .keys()
            .expect_fingerprint(before)
            .await
            .is_ok()
    );

    forge(&world, &view).await;

    // The forged catalog is consistent in itself. Only the remembered fingerprint differs.
    let process = world.process();
    let found = process.secrets().find(&view.name).await.unwrap();
    assert_eq!(found.metadata.description.as_deref(), Some("forged"));
    let expected = process.keys().expect_fingerprint(before).await;
    assert!(
        matches!(expected, Err(OperationError::MacKeyReplaced)),
        "{expected:?}"
    );
}
