//! Parses bytes as each type of record, for the fuzz target.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BackendDocument, DefaultBackendRecord, OrganizationRecord, SecretDocument};

/// Parses `bytes` as each type of record, and checks that each parsed record survives a
/// round trip through JSON.
///
/// # Panics
///
/// Panics if a record does not survive the round trip.
pub fn expect_round_trip(bytes: &[u8]) {
    round_trip::<SecretDocument>(bytes);
    round_trip::<BackendDocument>(bytes);
    round_trip::<DefaultBackendRecord>(bytes);
    round_trip::<OrganizationRecord>(bytes);
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&record).expect("a record is written as JSON");
        let read: T = serde_json::from_slice(&written).expect("a written record is parsed");
        assert_eq!(read, record);
    }
}
