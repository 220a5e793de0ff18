//! Defines an organization's records, without plaintext or payload, and the trait of
//! their storage.

mod backend_records;
mod compare_and_set;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod entries;
mod epoch;
mod error;
mod generation;
mod identity;
mod kek_records;
mod last_look;
#[cfg(any(test, feature = "testing"))]
mod memory;
mod moved;
mod of_key;
mod organization_record;
mod ownership;
mod removals;
#[cfg(feature = "testing")]
mod round_trip;
mod secret_arguments;
mod secret_records;
mod signed_record;

use std::fmt::{self, Debug};

use async_trait::async_trait;

use crate::marks::{ListedMarks, Mark, MarkQuery};

pub use backend_records::{BackendArguments, BackendOnDestroy};
pub(crate) use backend_records::{
    BackendDocument, BackendRecord, BackendState, DefaultBackendRecord, MarkerRecord,
    SealedCredential,
};
pub(crate) use compare_and_set::{Compared, Record};
pub(crate) use entries::{EntryKey, EntryRecord, PutId};
pub(crate) use epoch::Epoch;
pub use error::{CatalogError, CatalogErrorKind};
pub(crate) use generation::{GenerationFloor, Generations};
pub use identity::record_key_of_name;
pub(crate) use identity::{distinguishing_digits, new_secret_uuid, record_key_of_uuid};
pub(crate) use kek_records::{BackendKeys, KekRecord};
#[cfg(any(test, feature = "testing"))]
pub use memory::{CatalogSnapshot, CatalogVerb, InMemoryCatalog};
pub use moved::{Elsewhere, MoveProgress, Place};
pub(crate) use moved::{Form, Move, MovedRecord};
pub(crate) use of_key::OfKey;
pub(crate) use organization_record::{
    OrganizationRecord, OrganizationState, Restoration, RestorationState, WrappedMacKey,
};
pub use ownership::{FormerOwner, Origin, Owner, RunId, Stamp};
pub(crate) use removals::Removals;
#[cfg(feature = "testing")]
pub use round_trip::{RecordType, survives_round_trip};
pub use secret_arguments::{CopyFrom, GenerateSpec, OnDestroy, SecretArguments, SecretMetadata};
pub(crate) use secret_records::{
    LostObject, MAX_SUPERSEDED, SecretDocument, SecretRecord, SecretState, VersionRecord,
};
pub(crate) use signed_record::{Catalog, Loaded};

/// The key of a record: `organization`, `default`, `backends/…`, `secrets/…`,
/// `entries/…`.
///
/// Its segments are `[a-z0-9-]`, joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey(String);

impl RecordKey {
    /// Wraps a key of that form.
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

/// Key of the organization's record, which contains the built-in backend's uuid and the
/// wrapped MAC key.
pub const ORGANIZATION_RECORD: &str = "organization";

/// The revision of a stored record, as counted by the catalog's storage.
///
/// It never decreases, even if a record is emptied and written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// Expected revision of a record that was never written.
    pub const ABSENT: Self = Self(0);
}

/// A record in its stored form: the exact bytes under the MAC, and the MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Canonical JSON.
    pub body: String,
    /// First 256 bits of the organization's HMAC-SHA-512 over key and body, in
    /// hexadecimal; empty without a MAC key.
    pub mac: String,
}

/// The storage of a catalog, with compare-and-set on single records.
#[async_trait]
pub trait CatalogStore: Send + Sync + Debug + 'static {
    /// Returns the record and its revision; `None` if it was never written.
    ///
    /// An absent record is never a stale read: an implementation verifies it at a node
    /// that is up to date.
    ///
    /// # Errors
    ///
    /// See [`CatalogErrorKind`].
    async fn read(&self, key: &RecordKey)
    -> Result<Option<(StoredRecord, Revision)>, CatalogError>;

    /// Reads a record behind a fence, so the result is not a stale read.
    ///
    /// A reader calls it before it concludes that a record was rolled back or modified
    /// by another writer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError>;

    /// Reads a record at least as new as every write of this process.
    ///
    /// The result includes the writes of other processes that came before that write. A
    /// process calls it after a write that announces its next step, to read the
    /// announcements of others. It takes one request if the response to the write
    /// proves freshness.
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

    /// Checks that the storage keeps the promises of this trait, as far as that depends on its
    /// product or its settings. Called once in the life of an organization, before its record
    /// is created.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a storage that loses a compare-and-set; otherwise as
    /// [`write`](Self::write).
    async fn expect_usable(&self) -> Result<(), CatalogError> {
        Ok(())
    }

    /// Checks that an absent record was never written, rather than deleted.
    ///
    /// The result is never a stale read. A caller checks it before it destroys an object
    /// that no record names. A storage that keeps no trace of deletions always succeeds.
    ///
    /// # Errors
    ///
    /// `Removed` if the record was deleted; otherwise as [`read`](Self::read).
    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let _ = key;
        Ok(())
    }

    /// Replaces the record if its revision is still `expected`, and returns the new
    /// revision.
    ///
    /// # Errors
    ///
    /// `Conflict` if the revision differs. A conflict may also follow a retry of a
    /// write that succeeded, so the caller reads again and looks for its own write.
    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError>;

    /// Deletes the history of the record before its `present` revision.
    ///
    /// Best effort: a storage without a history, or without permission, does nothing.
    ///
    /// # Errors
    ///
    /// Outages only.
    async fn forget_history(&self, key: &RecordKey, present: Revision) -> Result<(), CatalogError>;

    /// Removes a record whose key is never written again: that of an entry.
    ///
    /// Idempotent: an absent record counts as removed.
    ///
    /// # Errors
    ///
    /// See [`CatalogErrorKind`].
    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError>;

    /// Returns the mark of a revision that this process has read or written, as
    /// [`list_marks`](Self::list_marks) lists it. `None` if it is unknown, or if there were
    /// several writes of this revision.
    fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        let _ = (key, revision);
        None
    }

    /// Returns a page of the marks of all records in the folder.
    ///
    /// A page may be as stale as a [`read`](Self::read). A caller takes a mark that it knows
    /// for a proof that the record is unchanged, and any other result for none.
    ///
    /// # Errors
    ///
    /// Outages. Never for a missing permission, or for a storage without a listing.
    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, CatalogError> {
        let _ = query;
        Ok(ListedMarks::Unavailable)
    }

    /// Returns the keys under `prefix` in order, such as `secrets`; all keys for an
    /// empty prefix.
    ///
    /// Never a stale read: a listing contains every record whose write returned before
    /// the listing began.
    ///
    /// # Errors
    ///
    /// See [`CatalogErrorKind`].
    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError>;
}
