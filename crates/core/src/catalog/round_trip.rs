//! Parses bytes as each type of record, for the fuzz targets.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    BackendDocument, DefaultBackendRecord, EntryKey, EntryRecord, Form, OrganizationRecord,
    RecordKey, SecretDocument,
};

/// A type of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// Of a secret's name.
    Secret,
    /// Of a backend.
    Backend,
    /// Of the default backend.
    Default,
    /// Of the organization.
    Organization,
    /// An entry of a backend's index. Its key precedes it on a line of its own.
    Entry,
}

/// Parses `bytes` as a record of this type, and checks that a parsed record survives a
/// round trip through JSON. Returns false if the bytes are no such record.
///
/// # Panics
///
/// Panics if a record does not survive the round trip.
#[must_use]
pub fn survives_round_trip(kind: RecordType, bytes: &[u8]) -> bool {
    match kind {
        // Either form: a migration may have replaced the document.
        RecordType::Secret => round_trip::<Form<SecretDocument>>(bytes),
        RecordType::Backend => round_trip::<Form<BackendDocument>>(bytes),
        RecordType::Default => round_trip::<Form<DefaultBackendRecord>>(bytes),
        RecordType::Organization => round_trip::<OrganizationRecord>(bytes),
        RecordType::Entry => {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let Some((key, record)) = end.and_then(|end| bytes.split_at_checked(end)) else {
                return false;
            };
            let key = std::str::from_utf8(key).map(RecordKey::new).ok();
            let entry = key.as_ref().and_then(EntryKey::parse);
            if let (Some(key), Some(entry)) = (key, &entry) {
                assert_eq!(entry.record_key(), key, "a key has one form");
            }
            round_trip::<EntryRecord>(record) && entry.is_some()
        }
    }
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let Ok(record) = serde_json::from_slice::<T>(bytes) else {
        return false;
    };
    let written = serde_json::to_vec(&record).expect("a record is written as JSON");
    let read: T = serde_json::from_slice(&written).expect("a written record is parsed");
    assert_eq!(read, record);
    let again = serde_json::to_vec(&read).expect("a record is written as JSON");
    // The MAC covers the bytes.
    assert_eq!(again, written, "a record has one encoding");
    true
}
