//! Records of the catalog: what parses is equal after it was written and parsed again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use planton_core::catalog::{
    BackendDocument, DefaultBackendRecord, OrganizationRecord, SecretDocument,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&record).expect("a record is written as JSON");
        let read: T = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!(read, record);
    }
}

fuzz_target!(|bytes: &[u8]| {
    round_trip::<SecretDocument>(bytes);
    round_trip::<BackendDocument>(bytes);
    round_trip::<DefaultBackendRecord>(bytes);
    round_trip::<OrganizationRecord>(bytes);
});
