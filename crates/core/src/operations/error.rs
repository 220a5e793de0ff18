//! What a use case can fail with.

use uuid::Uuid;

use super::ownership::MetRecord;
use super::secrets::InvalidGenerate;
use crate::catalog::{CatalogError, CatalogErrorKind, Owner, RunId};
use crate::kek::KekError;
use crate::names::{PLATFORM_BACKEND, SecretName, Slug};
use crate::store::StoreError;

/// A failure that leaves open whether a creation was committed.
#[derive(Debug, thiserror::Error)]
#[error("whether the creation was committed is not known: {error}")]
pub struct CommitUnclear {
    /// The run whose creation it is: naming it adopts what was committed.
    pub run: RunId,
    /// The failure.
    #[source]
    pub error: OperationError,
}

/// A use case's failure, by meaning.
///
/// # Security
///
/// Names and numbers only: no variant carries a value, a key or a payload.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The secret backend failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The KEK failed.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The organization has no record on this platform.
    #[error("organization \"{organization}\" has no record on this platform")]
    OrganizationMissing {
        /// The organization.
        organization: Slug,
    },
    /// The catalog is not the one that a resource was made in.
    #[error("expected catalog {expected}, found {found:?}")]
    DifferentPlatform {
        /// The catalog's uuid in the resource's state.
        expected: Uuid,
        /// The catalog's uuid here; absent when there is none.
        found: Option<Uuid>,
    },
    /// The catalog's records stand under another MAC key than before.
    #[error("the catalog's records stand under another key than before")]
    MacKeyReplaced,
    /// The secret is of another name, or is not there.
    #[error("secret {secret} does not exist")]
    SecretNotFound {
        /// Name or uuid.
        secret: String,
    },
    /// The secret has no such version.
    #[error("secret {secret} has no version {version}")]
    VersionNotFound {
        /// Name or uuid.
        secret: String,
        /// What was asked for.
        version: u64,
    },
    /// The catalog names the version, and the backend does not have it.
    #[error("version {version} of secret {secret} is missing in its backend")]
    VersionLost {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// Another secret has this name.
    #[error("secret {name} exists")]
    AlreadyExists {
        /// The name.
        name: SecretName,
        /// Its identity.
        uuid: Uuid,
        /// Whose it is.
        met: Box<MetRecord>,
    },
    /// This very run has created a secret of this name.
    #[error("secret {name} is declared twice")]
    DeclaredTwice {
        /// The name.
        name: SecretName,
        /// The identity of the one that was created.
        uuid: Uuid,
    },
    /// A creation failed in a way that leaves open whether it was committed.
    #[error(transparent)]
    CommitUnclear(Box<CommitUnclear>),
    /// The secret bears another stamp than the caller's state knows.
    #[error("secret {name} is owned by another state")]
    OwnedByAnotherState {
        /// The name.
        name: SecretName,
        /// Its identity.
        uuid: Uuid,
        /// Whose it is.
        owner: Box<Owner>,
    },
    /// Another secret has taken the place of this one.
    #[error("secret {name} is displaced")]
    Displaced {
        /// The name.
        name: SecretName,
        /// The identity of the secret that has the name.
        uuid: Uuid,
        /// Whose that is, and whether it gives way where its run is resumed.
        met: Box<MetRecord>,
    },
    /// A record that was seen before is not there.
    #[error("the record of secret {name} is missing")]
    RecordMissing {
        /// The name.
        name: SecretName,
    },
    /// The catalog holds documents, and its organization has no record.
    #[error("the record of organization {organization} is missing")]
    OrganizationRecordMissing {
        /// The organization.
        organization: Slug,
    },
    /// The secret is protected from deletion.
    #[error("secret {name} is protected from deletion")]
    DeletionProtected {
        /// The name.
        name: SecretName,
    },
    /// Another writer came first. Nothing that it wrote was touched.
    #[error("{subject} was changed concurrently")]
    ChangedConcurrently {
        /// What was changed.
        subject: String,
    },
    /// The catalog is older than what was seen before.
    #[error("the record of secret {name} went back")]
    RolledBack {
        /// The name.
        name: SecretName,
        /// The generation that was seen before.
        seen: u64,
        /// The generation now.
        found: u64,
    },
    /// The catalog's record puts a secret elsewhere than it was seen.
    #[error("the record of secret {name} names another backend")]
    SecretMoved {
        /// The name.
        name: SecretName,
        /// The backend that the record names now.
        backend: Slug,
    },
    /// No backend has this name.
    #[error("backend {backend:?} does not exist")]
    UnknownBackend {
        /// The name.
        backend: Slug,
    },
    /// A backend with this name exists.
    #[error("backend {backend} exists")]
    BackendExists {
        /// The name.
        backend: Slug,
        /// Whose it is.
        met: Box<MetRecord>,
    },
    /// The name is the built-in backend's.
    #[error("{PLATFORM_BACKEND:?} is the built-in backend's name")]
    BackendNameReserved,
    /// This run has declared a backend of this name already.
    #[error("backend {backend} is declared twice")]
    BackendDeclaredTwice {
        /// The name.
        backend: Slug,
    },
    /// The backend bears another stamp than the caller knows.
    #[error("backend {backend} belongs to another state")]
    BackendOwnedByAnother {
        /// The name.
        backend: Slug,
        /// Whose it is.
        owner: Box<Owner>,
    },
    /// Another writer changed the backend first. Nothing that it wrote was touched.
    #[error("backend {backend} was changed concurrently")]
    BackendChangedConcurrently {
        /// The name.
        backend: Slug,
    },
    /// The catalog has no record of a backend that was seen, and no tombstone.
    #[error("the record of backend {backend} is missing")]
    BackendRecordMissing {
        /// The name.
        backend: Slug,
    },
    /// The backend holds secrets, or is the default.
    #[error("backend {backend} is in use")]
    BackendInUse {
        /// The name.
        backend: Slug,
        /// Some of the secrets on it, by name.
        secrets: Vec<String>,
        /// How many there are.
        total: usize,
        /// Whether it is the default.
        is_default: bool,
    },
    /// The backend is being deleted: nothing new may go there.
    #[error("backend {backend} is being deleted")]
    BackendDeleting {
        /// The name.
        backend: Slug,
    },
    /// What is reached at the new address is not the place where the backend has
    /// stored so far.
    #[error("backend {backend} is not at its new address")]
    BackendNotThere {
        /// The name.
        backend: Slug,
        /// The object that was looked for.
        marker: String,
    },
    /// The backend never put a marker, so nothing tells whether a new address
    /// leads to the same place.
    #[error("backend {backend} has no marker")]
    BackendNotMarked {
        /// The name.
        backend: Slug,
    },
    /// The catalog's record of a backend is older than what was seen before.
    #[error("the record of backend {backend} went back")]
    BackendRolledBack {
        /// The name.
        backend: Slug,
        /// The generation that was seen before.
        seen: u64,
        /// The generation now.
        found: u64,
    },
    /// The catalog's record of the default backend is older than what was seen
    /// before, and names another one.
    #[error("the record of the default backend went back")]
    DefaultBackendRolledBack {
        /// The generation that was seen before.
        seen: u64,
        /// The generation now.
        found: u64,
    },
    /// A backend could not be verified.
    #[error("the backend failed to {step} a throw-away object")]
    ProbeFailed {
        /// What failed: `write`, `look at`, `read` or `delete`.
        step: &'static str,
        /// How.
        #[source]
        error: StoreError,
    },
    /// A sealed credential does not open for the settings that it stands beside.
    #[error("the sealed credential of a {kind} backend was refused")]
    CredentialRefused {
        /// The backend's type.
        kind: String,
    },
    /// The default was set already.
    #[error("backend {backend} is the default")]
    DefaultBackendExists {
        /// The default in force.
        backend: Slug,
        /// Whose choice it is.
        met: Box<MetRecord>,
    },
    /// This run has set the default already.
    #[error("the default backend is declared twice")]
    DefaultBackendDeclaredTwice,
    /// The default bears another stamp than the caller knows.
    #[error("the default backend belongs to another state")]
    DefaultBackendOwnedByAnother {
        /// The default in force.
        backend: Slug,
        /// Whose choice it is.
        owner: Box<Owner>,
    },
    /// The catalog has no record of a default that was seen.
    #[error("the record of the default backend is missing")]
    DefaultBackendRecordMissing,
    /// There is nothing to copy: no such object, or a backend that holds nobody
    /// else's.
    #[error("backend {backend} has no {remote_name:?} to copy")]
    NothingToCopy {
        /// The backend's name.
        backend: Slug,
        /// The object's name there.
        remote_name: String,
    },
    /// What was to be copied is no text, or sealed by this provider already.
    #[error("{remote_name:?} on backend {backend} cannot be copied")]
    NotCopyable {
        /// The backend's name.
        backend: Slug,
        /// The object's name there.
        remote_name: String,
        /// Why.
        #[source]
        error: Box<StoreError>,
    },
    /// The value exceeds what its backend can hold.
    #[error("the value has {bytes} bytes, {vendor} holds at most {limit}")]
    ValueTooLarge {
        /// The value's length in bytes, as it would be sealed.
        bytes: usize,
        /// The longest value in bytes.
        limit: usize,
        /// The backend's vendor.
        vendor: &'static str,
    },
    /// The envelope in the backend is not one of ours.
    #[error("what the backend holds for version {version} of secret {secret} is malformed")]
    EnvelopeMalformed {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// The envelope is not the one that the catalog names, or does not open.
    #[error("the envelope of version {version} of secret {secret} was refused")]
    EnvelopeRefused {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// Cancelled, or out of time. Nothing is half-written: the next run goes on.
    #[error("interrupted before {step}")]
    Interrupted {
        /// The step that was not begun.
        step: &'static str,
        /// Whether time ran out, rather than somebody asked to stop.
        timed_out: bool,
    },
    /// No value can be generated as asked.
    #[error(transparent)]
    InvalidGenerate(#[from] InvalidGenerate),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

impl OperationError {
    /// Turns the failure of a commit into `CommitUnclear`, if the commit may have
    /// landed: `run` is the one that commits.
    pub(crate) fn unclear_in(self, run: RunId) -> Self {
        use CatalogErrorKind as K;
        match self {
            Self::Catalog(ref failure)
                if matches!(
                    failure.kind(),
                    K::Unavailable | K::RateLimited | K::Corrupt | K::Conflict
                ) =>
            {
                Self::CommitUnclear(Box::new(CommitUnclear { run, error: self }))
            }
            error => error,
        }
    }

    /// Says whether this comes of a backend that is not there, or not to be reached.
    pub(crate) fn is_of_the_backend(&self) -> bool {
        matches!(
            self,
            Self::Store(_)
                | Self::UnknownBackend { .. }
                | Self::BackendNotThere { .. }
                | Self::BackendDeleting { .. }
                | Self::CredentialRefused { .. }
        )
    }

    /// Returns the message with those of all sources.
    pub(crate) fn with_sources(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
