//! Where sealed secret versions are stored: one small trait, the minimum that
//! every secret backend can do.
//!
//! A store sees envelopes, never plaintext, and never decides what may be
//! deleted or which version is current: the catalog does.

mod absence;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod connect;
mod error;
#[cfg(any(test, feature = "testing"))]
mod faults;
mod foreign;
#[cfg(any(test, feature = "testing"))]
mod memory;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use absence::look_again;
pub use connect::{ConnectStore, StoreCredential, StoreSettings};
pub use error::{StoreError, StoreErrorKind};
#[cfg(test)]
pub(crate) use faults::Script;
#[cfg(any(test, feature = "testing"))]
pub use faults::{Fault, Landing};
pub use foreign::{ForeignObjects, ForeignValue, foreign_text};
#[cfg(any(test, feature = "testing"))]
pub use memory::{InMemoryStore, StoreVerb};

/// The name of an object in a store, as the record of its secret holds it.
///
/// One object holds all versions of one secret, each immutable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteName(String);

impl RemoteName {
    /// Takes a name that the store's [`StoreCapability::name`] rules allow.
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

/// A store's own identifier of one version: opaque, never empty, and different
/// for every version that was ever put under a name, so that an object which
/// was replaced behind our back never answers to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NativeVersionId(String);

impl NativeVersionId {
    /// Takes the identifier that a store gave out.
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

/// How a store holds an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadEncoding {
    /// The envelope's bytes.
    Binary,
    /// `pse1.` and unpadded base64url: for stores that hold text only.
    Text,
}

/// The rules for an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// What joins the parts of a name: `/`, `_` or `--`.
    pub separator: &'static str,
    /// The longest name, in bytes.
    pub max_bytes: usize,
}

/// What a store can do; asked before anything is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreCapability {
    /// The type as a practitioner names it: `platform`, `openbao`, ….
    pub kind: &'static str,
    /// The vendor's name in messages: "OpenBAO", "AWS Secrets Manager".
    pub vendor: &'static str,
    /// How envelopes are held.
    pub encoding: PayloadEncoding,
    /// The largest stored payload, in bytes of its stored form.
    pub max_payload_bytes: usize,
    /// Rules for names.
    pub name: NameRules,
    /// The most versions that one object can keep; `None` for no limit.
    pub max_versions: Option<u32>,
    /// Whether one version can be deleted by itself.
    pub deletes_versions: bool,
}

/// What [`SecretStore::put`] is told besides the payload.
#[derive(Clone, Debug)]
pub struct PutOptions {
    /// The version's number in the catalog, from 1.
    pub version: u64,
    /// Identifies this attempt to write; the same for each try of one call, so
    /// that a put whose answer was lost is recognized.
    pub attempt: Uuid,
    /// Versions that must outlive this put: those of the record. Without any, the
    /// put makes the object.
    pub keep: Vec<NativeVersionId>,
    /// Labels for people who look at the backend; never read back.
    pub labels: BTreeMap<String, String>,
}

/// What [`SecretStore::describe`] is told besides the name.
#[derive(Clone, Debug)]
pub struct DescribeOptions {
    /// The version that is asked about.
    pub version: NativeVersionId,
    /// The other versions of the record. A store without one object per secret
    /// looks at them to tell a lost version from a lost object.
    pub others: Vec<NativeVersionId>,
    /// What the caller does with the answer that something is gone.
    pub absence: Absence,
}

/// What the caller of [`SecretStore::describe`] does where it finds a version or
/// an object gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absence {
    /// Reports it, and changes nothing: one look is enough.
    #[default]
    Quick,
    /// Acts on it: the store first proves that the answer is not stale, in its
    /// vendor's own way, whatever this process read or wrote before.
    Confirmed,
}

/// What a store knows of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStatus {
    /// It is there, and it is the one that was put.
    Present,
    /// The object is there, this version of it is not.
    Missing,
    /// Something else stands in its place.
    Replaced,
}

/// What [`SecretStore::delete`] removes.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// These versions only.
    Versions(Vec<NativeVersionId>),
    /// The whole object; the versions are those that the record names.
    ///
    /// Without any, nobody knows what is there, if anything (a creation that was
    /// given up): a store removes it only where it can tell that it is ours.
    Object {
        /// The versions of the record.
        versions: Vec<NativeVersionId>,
    },
    /// As `Object`, and past any time in which the vendor would keep what was
    /// deleted, as far as the credentials allow: for throw-away objects.
    Purge {
        /// The versions that were put.
        versions: Vec<NativeVersionId>,
    },
}

/// A place that stores sealed secret versions.
///
/// Every error is a [`StoreError`] by meaning. Implementations retry what is
/// safe to retry and bound the time; callers don't. No method sees a plaintext.
#[async_trait]
pub trait SecretStore: Send + Sync + Debug + 'static {
    /// Returns what this store can do; no I/O.
    fn capability(&self) -> &StoreCapability;

    /// Returns access to what others keep in the same place; `None` where nobody
    /// else keeps anything.
    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        None
    }

    /// Returns for how long after a grant `error` may still be returned, where it is
    /// one that a grant would mend: a vendor may take its time. `None` where the
    /// answer is final.
    fn may_settle(&self, _error: &StoreError) -> Option<Duration> {
        None
    }

    /// Adds a version to the object `name`, which comes into being with its
    /// first version. Never changes a version that exists, and never makes an object
    /// anew that should be there.
    ///
    /// # Errors
    ///
    /// `NotFound` for a further version of an object that is gone, where the store
    /// keeps versions in objects;
    /// `TooLarge` and `InvalidName` before anything is written; `AlreadyExists`
    /// when an object that is not ours stands there.
    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError>;

    /// Returns the payload of one version in its stored form.
    ///
    /// # Errors
    ///
    /// `NotFound` for a version or an object that is gone or deleted, never an
    /// empty payload; `Corrupt` when what is there is not of our form, or was
    /// replaced.
    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError>;

    /// Tells whether a version is still there, without reading its payload.
    ///
    /// # Errors
    ///
    /// `NotFound` when the whole object is gone or deleted, also where another
    /// that is not ours has its name by now.
    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError>;

    /// Removes versions or the whole object. What is gone already counts as
    /// removed.
    ///
    /// # Errors
    ///
    /// Never `NotFound`.
    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError>;
}
