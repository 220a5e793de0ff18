//! A MAC key of the attacker's, in place of the organization's.

use planton_core::catalog::{RecordKey, record_key_of_name};
use planton_core::kek::{KekErrorKind, KekPins, KeyEncryptionKey as _, WrapNames};
use planton_core::operations::{OperationError, Organization};
use planton_envelope::{KekId, MacKey, WrapBinding, WrappedKey};
use serde_json::json;
use uuid::Uuid;

use super::Target;
use super::attacker::id_json;
use super::scene::{DB, Scene, name};

/// Whoever may encrypt with the key of the backend, and write the catalog, wraps a MAC key,
/// computes all MACs under it, and adds a recipient to the backend.
///
/// # Panics
///
/// If the attack succeeds.
pub async fn a_mac_key_that_an_encrypting_role_wraps_is_not_the_organizations(target: &Target) {
    let scene = Scene::new(target).await;
    let process = scene.process();
    let fingerprint = process.keys().fingerprint().await.unwrap();
    let payloads = scene.objects.payloads();
    let (main, mac_kek) = (scene.main.id(), target.platform.1.id());
    let forged = MacKey::generate().unwrap();
    let theirs = &scene.theirs;
    scene.add_recipient(theirs, Some(&forged)).await;
    let key = record_key_of_name(&name(DB));
    scene.write(&key, Some(&forged), |_| {}).await;

    let names = WrapNames::mac_key(&"acme".parse().unwrap());
    for named in [main, mac_kek, scene.escrow.id()] {
        let binding = WrapBinding::for_mac_key(uuid(&scene).await, named);
        let bound = names.bound(binding);
        let wrapped = match named == scene.escrow.id() {
            true => scene.escrow.wrap(forged.expose(), bound).await.unwrap(),
            false => target.encryptor.wrap(forged.expose(), bound).await,
        };
        replace(&scene, &forged, named, &wrapped).await;
        if main == mac_kek && named == main {
            // One key file wraps both. Its holder replaces the MAC key, and what the client
            // remembers or pins tells.
            let process = scene.process();
            let expected = process.keys().expect_fingerprint(fingerprint).await;
            let replaced = matches!(expected, Err(OperationError::MacKeyReplaced));
            assert!(replaced, "{expected:?}");
            let pinned = scene.process().with_pins(KekPins {
                organization: Some(fingerprint),
                allowed_key_ids: None,
            });
            let created = scene.create(&pinned, "next", "four").await;
            let another = matches!(created, Err(OperationError::AnotherFingerprint { .. }));
            assert!(another, "{created:?}");
            continue;
        }
        expect_no_mac_key(&scene, &scene.process()).await;
    }
    assert_eq!(scene.objects.payloads(), payloads, "nothing was put");
}

async fn uuid(scene: &Scene<'_>) -> Uuid {
    let record = scene.record(&RecordKey::new("organization")).await;
    let record: serde_json::Value = serde_json::from_str(&record.body).unwrap();
    record["uuid"].as_str().unwrap().parse().unwrap()
}

/// Writes the catalog: puts a wrap in place of those of the MAC key.
async fn replace(scene: &Scene<'_>, forged: &MacKey, named: &KekId, wrapped: &WrappedKey) {
    let wrap = json!({"kek": id_json(named), "wrapped": hex::encode(wrapped.as_bytes())});
    let key = RecordKey::new("organization");
    scene
        .write(&key, Some(forged), |record| {
            record["state"]["mac_key"] = json!([wrap]);
        })
        .await;
}

async fn expect_no_mac_key(scene: &Scene<'_>, process: &Organization) {
    for outcome in [
        scene.open(1).await.map(drop),
        scene.create(process, "next", "four").await.map(drop),
    ] {
        let refused = matches!(&outcome, Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::Refused);
        assert!(refused, "{outcome:?}");
    }
}
