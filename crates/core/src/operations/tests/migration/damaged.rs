//! Versions that are damaged on the target before the migration ends.

use super::*;
use crate::catalog::{SecretDocument, StoredRecord, record_key_of_name};
use crate::operations::Unmoved;
use crate::store::{Landing, StoreErrorKind, StoreVerb};

/// Damage of the first version of a secret on the target.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    Lost,
    /// Something else has written its content.
    Replaced,
    /// The record names the object of the other version.
    Exchanged,
    /// The record names other keys than those that wrap its data key.
    Keys,
}

const ALL: [Damage; 4] = [
    Damage::Lost,
    Damage::Replaced,
    Damage::Exchanged,
    Damage::Keys,
];

/// Damages the target, whose documents get valid authentication codes of `early`.
async fn inflict(pair: &Pair, early: &Organization, damage: Damage) {
    let mut document = pair.target.document(&name("db")).await;
    let secret = document.current.as_mut().unwrap();
    let [first, second] = &mut secret.versions[..] else {
        panic!("{secret:?}");
    };
    let store = &pair.target.store;
    let object = &secret.remote_name;
    match damage {
        Damage::Lost => assert!(store.remove_version(object, &first.native_id)),
        Damage::Replaced => assert!(store.replace_version(object, &first.native_id, b"theirs")),
        Damage::Exchanged => std::mem::swap(&mut first.native_id, &mut second.native_id),
        Damage::Keys => drop(first.keks.pop().unwrap()),
    }
    let key = record_key_of_name(&name("db"));
    let stored = signed(early, &key, &document).await;
    pair.target.catalog.overwrite(&key, stored);
}

async fn signed(by: &Organization, key: &RecordKey, document: &SecretDocument) -> StoredRecord {
    let body = serde_json::to_string(document).unwrap();
    let mac_key = by.keys().mac_key().await.unwrap();
    let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
    StoredRecord { body, mac }
}

/// Migrates. Checks that exactly the first version of the secret keeps the migration from
/// ending, that the organization is in use on neither platform, and that the source has lost
/// nothing.
async fn expect_stopped(pair: &Pair, damage: Damage, payloads: &[Vec<u8>]) {
    let done = pair.migrate().await.unwrap();
    assert!(!done.is_complete, "{damage:?}: {done:?}");
    let failed: Vec<(&str, Option<u64>)> = done
        .failed
        .iter()
        .map(
            |Unmoved {
                 subject, version, ..
             }| (&**subject, *version),
        )
        .collect();
    let expected = match damage {
        // Each of the two is in the place of the other.
        Damage::Exchanged => vec![("db", Some(1)), ("db", Some(2))],
        Damage::Lost | Damage::Replaced | Damage::Keys => vec![("db", Some(1))],
    };
    assert_eq!(failed, expected, "{damage:?}: {done:?}");
    let reason = match damage {
        Damage::Lost => "version 1 of secret db is missing",
        Damage::Replaced => "content that this provider did not write",
        Damage::Exchanged => "version 1 of secret db",
        Damage::Keys => "it is wrapped for other keys than its record says",
    };
    let given = &done.failed[0].reason;
    assert!(given.contains(reason), "{damage:?}: {given}");
    let key = record_key_of_name(&name("db"));
    let remedy = format!("Remove the record {key} from the target");
    assert!(given.contains(&remedy), "{damage:?}: {given}");

    let source = pair.source.process().keys().status().await.unwrap_err();
    assert_eq!(elsewhere(&source).unwrap().progress, MoveProgress::Moving);
    pair.target.value("db").await.unwrap_err();
    assert_eq!(pair.source.store.payloads(), payloads);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_damaged_on_the_target_keeps_a_migration_from_ending() {
    for damage in ALL {
        let pair = Pair::new();
        filled(&pair).await;
        let early = pair.source.warm().await;
        let payloads = pair.source.store.payloads();
        // Everything is copied when the verification reads the first version.
        let unavailable = StoreErrorKind::Unavailable;
        let target = &pair.target;
        target.fail_store(StoreVerb::Get, 1, Landing::Before, unavailable);
        let stopped = pair.migrate().await;
        assert!(!stopped.is_ok_and(|done| done.is_complete));
        inflict(&pair, &early, damage).await;
        for _ in 0..2 {
            expect_stopped(&pair, damage, &payloads).await;
        }

        // Without the copy of its document, the secret is copied again.
        let key = record_key_of_name(&name("db"));
        pair.target.catalog.delete_by_hand(&key);
        pair.migrated().await;
        let process = pair.target.process();
        let db = Selector::Name(name("db"));
        let first = process.secrets().open(&db, Some(1)).await.unwrap();
        assert_eq!(world::exposed(&first.value), "hunter2");
        assert_eq!(pair.target.value("db").await.unwrap(), "next");
    }
}
