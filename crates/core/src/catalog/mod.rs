//! The catalog: an organization's records. Never a plaintext, never a payload.

mod backend_records;
mod compare_and_set;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod entries;
mod error;
mod identity;
#[cfg(test)]
mod memory;
mod organization_record;
mod ownership;
#[cfg(feature = "testing")]
mod round_trip;
mod secret_arguments;
mod secret_records;
mod signed_record;

use std::fmt::{self, Debug};

use async_trait::async_trait;

pub use backend_records::{BackendArguments, BackendOnDestroy};
pub(crate) use backend_records::{
    BackendDocument, BackendRecord, BackendState, DefaultBackendRecord, MarkerRecord,
    SealedCredential,
};
pub(crate) use compare_and_set::{Compared, Record};
pub(crate) use entries::{EntryKey, EntryRecord, PutId};
pub use error::{CatalogError, CatalogErrorKind};
pub use identity::record_key_of_name;
pub(crate) use identity::{distinguishing_digits, new_secret_uuid, record_key_of_uuid};
#[cfg(test)]
pub(crate) use memory::{CatalogVerb, InMemoryCatalog};
pub(crate) use organization_record::{OrganizationRecord, OrganizationState, WrappedMacKey};
pub use ownership::{FormerOwner, Origin, Owner, RunId, Stamp};
#[cfg(feature = "testing")]
pub use round_trip::expect_round_trip;
pub use secret_arguments::{CopyFrom, GenerateSpec, OnDestroy, SecretArguments, SecretMetadata};
pub(crate) use secret_records::{
    LostObject, SecretDocument, SecretRecord, SecretState, VersionRecord,
};
pub(crate) use signed_record::{Catalog, Loaded};

/// Where a record stands: `organization`, `default`, `backends/…`, `secrets/…`,
/// `entries/…`.
///
/// Segments are `[a-z0-9-]`, joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey(String);

impl RecordKey {
    /// Takes a key of the form above.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// Returns the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of the organization's own record, from which all else hangs.
pub const ORGANIZATION_RECORD: &str = "organization";

/// The revision of a stored record, as the catalog's storage counts it. It
/// never goes back, not even when a record is emptied and written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// What to expect where nothing was ever written.
    pub const ABSENT: Self = Self(0);
}

/// A record as it is stored: the exact bytes under the MAC, and the MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Canonical JSON.
    pub body: String,
    /// HMAC-SHA-512/256 bits of the organization over key and body, in hex.
    pub mac: String,
}

/// A catalog's storage: compare-and-set on single records.
#[async_trait]
pub trait CatalogStore: Send + Sync + Debug + 'static {
    /// Returns the record and its revision; `None` where nothing was ever
    /// written. Never a stale answer: before it believes that nothing is there,
    /// an implementation makes sure that it asked a node that would know.
    ///
    /// # Errors
    ///
    /// By meaning, see [`CatalogErrorKind`].
    async fn read(&self, key: &RecordKey)
    -> Result<Option<(StoredRecord, Revision)>, CatalogError>;

    /// Reads again, past whatever a stale node may have answered. Called before
    /// a reader believes that a record went back or changed under its hands.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError>;

    /// Reads what is no older than any write of this process: what another process
    /// had written before that write is seen. Called after a write of one's own that
    /// announces what is to come, to see what others have announced. One request where
    /// the write's answer proves it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    async fn read_since_own_writes(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.read_fenced(key).await
    }

    /// Makes sure that nothing stands under `key` because nothing was ever written
    /// there, and not because somebody deleted it. Never a stale answer. Called before
    /// what no record names is destroyed. A storage that keeps no trace of what is
    /// deleted can't tell, and lets everything pass.
    ///
    /// # Errors
    ///
    /// `Removed` where somebody deleted the record; otherwise as [`read`](Self::read).
    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let _ = key;
        Ok(())
    }

    /// Replaces the record if it still has the revision `expected`, and returns
    /// the new one.
    ///
    /// # Errors
    ///
    /// `Conflict` when it has not. A conflict may also follow a retry of a
    /// write that had landed: the caller reads again and looks for its own.
    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError>;

    /// Forgets what the record held before its present revision. Best effort:
    /// a storage that keeps no history, or denies this, does nothing.
    ///
    /// # Errors
    ///
    /// Outages only.
    async fn forget_history(&self, key: &RecordKey, present: Revision) -> Result<(), CatalogError>;

    /// Removes a record under a key that is never written again: an entry's. A
    /// record that is gone already counts as removed.
    ///
    /// # Errors
    ///
    /// By meaning, see [`CatalogErrorKind`].
    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError>;

    /// Returns the keys under `prefix` (as `secrets`; all keys for an empty one),
    /// in order. Never a stale answer: a listing shows each record whose write was
    /// answered before the listing began.
    ///
    /// # Errors
    ///
    /// By meaning, see [`CatalogErrorKind`].
    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError>;
}
