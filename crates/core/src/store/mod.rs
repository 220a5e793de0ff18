//! Defines the trait of a store for sealed secret versions: the minimum of every secret
//! backend.
//!
//! A store receives envelopes, never plaintext. The catalog decides which versions may
//! be deleted and which one is current.

mod absence;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod connect;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faults;
mod foreign;
mod listing;
#[cfg(any(test, feature = "testing"))]
mod memory;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::marks::{ListedMarks, Mark, MarkQuery};
pub use absence::look_again;
pub use connect::{ConnectStore, StoreCredential, StoreSettings};
pub use error::{StoreError, StoreErrorKind};
#[cfg(any(test, feature = "testing"))]
pub(crate) use faults::Script;
#[cfg(test)]
pub(crate) use faults::TICK;
#[cfg(any(test, feature = "testing"))]
pub use faults::{Fault, Landing};
pub use foreign::{ForeignObjects, ForeignValue, foreign_text};
pub use listing::{ListObjects, ListedVersion};
#[cfg(any(test, feature = "testing"))]
pub use memory::{InMemoryStore, StoreVerb};

/// The name of an object in a store, as in the record of its secret.
///
/// One object contains all versions of one secret. Each version is immutable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteName(String);

impl RemoteName {
    /// Wraps a name that complies with the store's [`StoreCapability::name`].
    #[must_use]
    pub fn new(name: String) -> Self {
        Self(name)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A store's own identifier of one version: opaque and never empty.
///
/// It differs for every version that was ever put under a name. So an object that
/// others put in its place never has a version with this identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NativeVersionId(String);

impl NativeVersionId {
    /// Wraps the identifier that a store returned.
    #[must_use]
    pub fn new(id: String) -> Self {
        Self(id)
    }

    /// Returns the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NativeVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The stored form of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadEncoding {
    /// The bytes of the envelope.
    Binary,
    /// `pse1.` and unpadded base64url, for stores that accept text only.
    Text,
}

/// The rules for the names of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// Separator of the parts of a name: `/`, `_` or `--`.
    pub separator: &'static str,
    /// Maximum length of a name, in bytes.
    pub max_bytes: usize,
}

/// The capabilities of a store, checked before any write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCapability {
    /// Type of the store as configured: `platform`, `openbao`, ….
    pub kind: &'static str,
    /// Name of the vendor in messages: "OpenBAO", "AWS Secrets Manager".
    pub vendor: &'static str,
    /// Stored form of envelopes.
    pub encoding: PayloadEncoding,
    /// Maximum size of a payload, in bytes of its stored form.
    pub max_payload_bytes: usize,
    /// Rules for the names of objects.
    pub name: NameRules,
    /// Maximum number of versions of an object; `None` without a limit.
    pub max_versions: Option<u32>,
    /// Whether a single version can be deleted.
    pub deletes_versions: bool,
}

/// The arguments of [`SecretStore::put`] besides the name and the payload.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// Number of the version in the catalog, from 1.
    pub version: u64,
    /// Identifier of this attempt to write, equal for each try of one call. It
    /// identifies a put whose response was lost.
    pub attempt: Uuid,
    /// Versions that this put must keep: those of the record. If there are none, the
    /// put creates the object.
    pub keep: Vec<NativeVersionId>,
    /// Human-readable labels in the backend; never read back.
    pub labels: BTreeMap<String, String>,
}

/// The arguments of [`SecretStore::put_again`] besides the name and the payload.
#[derive(Clone, Debug)]
pub struct PutAgain {
    /// Those of a put. `keep` contains the envelope that this one replaces, which the record
    /// names until the new one is committed.
    pub options: PutOptions,
    /// Whether it is that of the newest version of the record.
    pub standing: Standing,
}

/// The standing of a version among those of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest one.
    Newest,
    /// It is an older one.
    Older,
}

/// The arguments of [`SecretStore::describe`] besides the name.
#[derive(Clone, Debug)]
pub struct DescribeOptions {
    /// Version to describe.
    pub version: NativeVersionId,
    /// Other versions of the record. A store without one object per secret reads them
    /// to distinguish a lost version from a lost object.
    pub others: Vec<NativeVersionId>,
    /// What the caller does with an absence.
    pub absence: Absence,
}

/// What the caller of [`SecretStore::describe`] does if a version or an object is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absence {
    /// Reports it, and changes nothing. One read is sufficient.
    #[default]
    Quick,
    /// Acts on it. The store first proves, in its vendor's own way, that the response
    /// is not a stale read. Earlier reads and writes of this process are no proof.
    Confirmed,
}

/// The status of a version in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStatus {
    /// The version exists and is the one that was put.
    Present,
    /// The object exists, but this version does not.
    Missing,
    /// Other content is in the place of the version.
    Replaced,
}

/// The scope of [`SecretStore::delete`].
#[derive(Clone, Debug)]
pub enum Deletion {
    /// These versions only.
    Versions(Vec<NativeVersionId>),
    /// The whole object.
    ///
    /// Without versions, the content of the object is unknown, and it may not exist, as
    /// after an interrupted creation. A store then deletes it only if it can verify that
    /// this program created it.
    Object {
        /// Versions of the record.
        versions: Vec<NativeVersionId>,
    },
    /// The whole object, without the vendor's retention of deleted objects, if the
    /// credentials allow that. It is for temporary objects.
    Purge {
        /// Versions that were put.
        versions: Vec<NativeVersionId>,
    },
}

/// A place that stores sealed secret versions.
///
/// Every error is a [`StoreError`] with the kind of the failure. Implementations retry
/// requests that are safe to retry, within a time limit. Callers do not retry. No
/// method receives a plaintext.
#[async_trait]
pub trait SecretStore: Send + Sync + Debug + 'static {
    /// Returns the capability of this store, without I/O.
    fn capability(&self) -> &StoreCapability;

    /// Returns access to the objects of others in the same place; `None` if there can
    /// be none.
    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        None
    }

    /// Returns the listing of a built-in backend; `None` for any other.
    fn listing(&self) -> Option<&dyn ListObjects> {
        None
    }

    /// Returns the mark of a version that a put returned, as [`list_marks`](Self::list_marks)
    /// lists it; `None` if it is unknown.
    fn mark(&self, name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        let _ = (name, version);
        None
    }

    /// Returns a page of the marks of all versions of the objects whose names begin with the
    /// folder and a slash.
    ///
    /// A page may be as stale as a [`describe`](Self::describe) with [`Absence::Quick`]. It
    /// contains no version that a describe would report as missing or replaced.
    ///
    /// # Errors
    ///
    /// Outages. Never for a missing permission, or for a store without a listing.
    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, StoreError> {
        let _ = query;
        Ok(ListedMarks::Unavailable)
    }

    /// Returns how long `error` may still be returned after its missing permission was
    /// granted.
    ///
    /// A vendor may apply a grant with a delay. `None` if the error is final.
    fn may_settle(&self, _error: &StoreError) -> Option<Duration> {
        None
    }

    /// Adds a version to the object `name`.
    ///
    /// The first version creates the object. A put never changes an existing version,
    /// and never recreates an object that should exist.
    ///
    /// # Errors
    ///
    /// `NotFound` for a further version of an object that is gone, if the store keeps
    /// versions in objects; `TooLarge` and `InvalidName` before any write;
    /// `AlreadyExists` if the name belongs to an object of another program.
    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError>;

    /// Adds the envelope of an existing version again, with other wraps.
    ///
    /// A vendor's own label of the current version moves only with the newest one.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    async fn put_again(
        &self,
        name: &RemoteName,
        payload: &[u8],
        again: PutAgain,
    ) -> Result<NativeVersionId, StoreError> {
        self.put(name, payload, again.options).await
    }

    /// Returns whether the put of `later` may have taken from `earlier` what makes the vendor
    /// keep it.
    ///
    /// A put chooses by the versions that its caller knows. A version that another writer has
    /// put meanwhile may have made the same choice.
    fn evicts(&self, _later: &NativeVersionId, _earlier: &NativeVersionId) -> bool {
        false
    }

    /// Returns the payload of one version in its stored form.
    ///
    /// # Errors
    ///
    /// `NotFound` if the version or the object is absent or deleted; never an empty
    /// payload. `Corrupt` if the content does not have the form of an envelope, or was
    /// replaced.
    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError>;

    /// Returns the status of a version, without reading its payload.
    ///
    /// # Errors
    ///
    /// `NotFound` if the whole object is absent or deleted, or if its name now belongs
    /// to an object of another program.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError>;

    /// Deletes versions or the whole object.
    ///
    /// Idempotent: an absent version or object counts as deleted.
    ///
    /// # Errors
    ///
    /// Never `NotFound`.
    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError>;
}
