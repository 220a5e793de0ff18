//! Whether a record is one of the key that it was read under.
//!
//! The MAC of a record covers its key. A refresh verifies no MAC, so it would take a record under
//! another secret's key, such as by a restore that went wrong, for that secret's end.

use uuid::Uuid;

use super::identity::record_key_of_uuid;
use super::{
    BackendDocument, DefaultBackendRecord, EntryRecord, OrganizationRecord, RecordKey,
    SecretDocument,
};

/// A record that may say what it is the record of.
pub(crate) trait OfKey {
    /// Returns false if the record says that it is of another key.
    fn may_be_of(&self, key: &RecordKey) -> bool;
}

/// The uuid of a secret contains the digits of its key.
impl OfKey for SecretDocument {
    fn may_be_of(&self, key: &RecordKey) -> bool {
        let is_of = |uuid: Uuid| record_key_of_uuid(uuid).is_some_and(|found| found == *key);
        let secrets = self.current.iter().chain(&self.displaced);
        let mut uuids = secrets
            .map(|secret| secret.uuid)
            .chain(self.removed.uuids());
        uuids.all(is_of)
    }
}

impl OfKey for BackendDocument {
    fn may_be_of(&self, key: &RecordKey) -> bool {
        let backend = self.backend.as_ref();
        backend.is_none_or(|backend| Self::key_of(&backend.name) == *key)
    }
}

/// There is one, and it says nothing else.
impl OfKey for DefaultBackendRecord {
    fn may_be_of(&self, _: &RecordKey) -> bool {
        true
    }
}

/// There is one, and it says nothing else.
impl OfKey for OrganizationRecord {
    fn may_be_of(&self, _: &RecordKey) -> bool {
        true
    }
}

/// Whatever reads one verifies it.
impl OfKey for EntryRecord {
    fn may_be_of(&self, _: &RecordKey) -> bool {
        true
    }
}
