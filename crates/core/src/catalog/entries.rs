//! Defines the index of a registered backend: one entry for each object that may exist
//! there.
//!
//! A creation writes an entry before its object, and a deletion removes it after the
//! object. So the deletion of a backend finds every object without reading every
//! record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RecordKey;
use crate::names::SecretName;
use crate::store::RemoteName;

const PREFIX: &str = "entries";

/// The record that announces an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryRecord {
    /// Name and scope of the secret.
    pub name: SecretName,
    /// Name of the object in the backend.
    pub remote_name: RemoteName,
    /// Time of the write, by the clock of the machine that wrote it.
    pub written_at: Timestamp,
}

/// The key of an entry: `entries/<backend uuid>/<secret uuid>-<put id>`.
///
/// Put ids are random, so keys are never reused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryKey {
    /// UUID of the backend.
    pub backend: Uuid,
    /// UUID of the secret.
    pub secret: Uuid,
    /// Identifier of the put.
    pub put: PutId,
}

/// The identifier of a put under a new remote name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PutId(u64);

impl PutId {
    /// Wraps 64 random bits.
    #[must_use]
    pub(crate) fn new(random: u64) -> Self {
        Self(random)
    }
}

impl EntryKey {
    /// Returns the common prefix of all entry keys of a backend, for
    /// [`list`](super::CatalogStore::list).
    #[must_use]
    pub(crate) fn prefix(backend: Uuid) -> String {
        format!("{PREFIX}/{backend}")
    }

    /// Returns the key of the entry's record.
    #[must_use]
    pub(crate) fn record_key(&self) -> RecordKey {
        let Self {
            backend,
            secret,
            put,
        } = self;
        RecordKey::new(format!("{PREFIX}/{backend}/{secret}-{:016x}", put.0))
    }

    /// Parses a listed key; `None` if it is not the key of an entry.
    #[must_use]
    pub(crate) fn parse(key: &RecordKey) -> Option<Self> {
        let rest = key.as_str().strip_prefix(PREFIX)?.strip_prefix('/')?;
        let (backend, rest) = rest.split_once('/')?;
        let (secret, put) = rest.rsplit_once('-')?;
        let parsed = Self {
            backend: backend.parse().ok()?,
            secret: secret.parse().ok()?,
            put: PutId(u64::from_str_radix(put, 16).ok()?),
        };
        (parsed.record_key() == *key).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_key_is_read_back_as_it_was_written() {
        let entry = EntryKey {
            backend: Uuid::from_u128(1),
            secret: Uuid::from_u128(2),
            put: PutId::new(0xabc),
        };
        let key = entry.record_key();
        assert_eq!(
            key.as_str(),
            "entries/00000000-0000-0000-0000-000000000001/\
             00000000-0000-0000-0000-000000000002-0000000000000abc"
        );
        assert_eq!(EntryKey::parse(&key), Some(entry));
    }

    #[test]
    fn what_is_no_entry_is_not_taken_for_one() {
        for key in [
            "secrets/0123456789abcde",
            "entries/1/2-3",
            "entries/00000000-0000-0000-0000-000000000001/x-0000000000000abc",
            "entries/00000000-0000-0000-0000-000000000001/00000000-0000-0000-0000-000000000002-abc",
        ] {
            assert_eq!(EntryKey::parse(&RecordKey::new(key)), None, "{key}");
        }
    }
}
