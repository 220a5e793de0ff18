//! Errors of the use cases, by meaning.

mod changed_record;
mod reading;

use uuid::Uuid;

pub use changed_record::ChangedRecord;

use super::backup::BackupFileError;
use super::ownership::ExistingRecord;
use super::secrets::InvalidGenerate;
use crate::catalog::{CatalogError, Owner, RunId};
use crate::kek::{KekError, KekSlot, OrganizationFingerprint};
use crate::names::{PLATFORM_BACKEND, SecretName, Slug};
use crate::store::StoreError;
use planton_envelope::KekId;

/// A failed creation whose commit may have landed.
#[derive(Debug, thiserror::Error)]
#[error("the creation may or may not have been committed: {error}")]
pub struct CommitUnclear {
    /// The run of the creation. A run that resumes it adopts the committed record.
    pub run: RunId,
    /// The failure.
    #[source]
    pub error: OperationError,
}

/// Failure of a use case.
///
/// # Security
///
/// Contains names and numbers only: no variant has a value, a key or a payload.
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
    #[error("organization {organization} has no record on this platform")]
    OrganizationMissing {
        /// The organization.
        organization: Slug,
    },
    /// The target of a migration has an organization of this name already.
    #[error("the target of the migration has an organization {organization} already")]
    MigrationTargetTaken {
        /// The organization.
        organization: Slug,
    },
    /// The migration is not done, so there is nothing to sweep up after it.
    #[error("the migration of organization {organization} is not done")]
    MigrationNotDone {
        /// The organization.
        organization: Slug,
    },
    /// The catalog is not the one in which the caller's object was created.
    #[error("expected catalog {expected}, found {found:?}")]
    DifferentPlatform {
        /// The catalog's uuid that the caller remembers.
        expected: Uuid,
        /// The catalog's uuid on this platform; `None` if it has no catalog.
        found: Option<Uuid>,
    },
    /// A key is not among those that the client pins, so nothing is wrapped for it.
    #[error("the key {key} is not among the allowed keys")]
    KeyNotAllowed {
        /// The key.
        key: KekId,
    },
    /// A KEK cannot be used as it is declared.
    #[error("a declared key cannot be used")]
    KeyProbeFailed {
        /// Which one.
        slot: KekSlot,
        /// Why.
        #[source]
        error: KekError,
    },
    /// One key is declared twice.
    #[error("the key {key} is declared twice")]
    KeyDeclaredTwice {
        /// The key.
        key: KekId,
    },
    /// More keys are declared than an envelope holds.
    #[error("{keys} keys are declared, more than an envelope holds")]
    TooManyKeys {
        /// How many.
        keys: usize,
    },
    /// A change of key would leave more former keys than a backend's record holds.
    #[error("the backend would have {keys} former keys, more than its record holds")]
    TooManyFormerKeys {
        /// How many.
        keys: usize,
    },
    /// The greatest wraps of all keys exceed what an envelope holds.
    #[error("the wraps of all keys may take {bytes} bytes, more than an envelope holds")]
    WrapsTooLong {
        /// The bytes that they may take.
        bytes: usize,
    },
    /// The organization has another fingerprint than the client pins.
    #[error("organization {organization} has another fingerprint than the pinned one")]
    AnotherFingerprint {
        /// The organization.
        organization: Slug,
        /// The pinned fingerprint.
        expected: OrganizationFingerprint,
        /// The fingerprint here; absent if the organization has no record yet.
        found: Option<OrganizationFingerprint>,
    },
    /// A command that has no state to remember keys requires pins.
    #[error("the organization's fingerprint or its allowed keys are not pinned")]
    PinsMissing {
        /// Whether the fingerprint is missing.
        fingerprint: bool,
        /// Whether the allowed keys are missing.
        allowed_key_ids: bool,
    },
    /// The organization exists already, with other escrow keys.
    #[error("organization \"{organization}\" exists already, with other escrow keys")]
    AlreadyInitialized {
        /// The organization.
        organization: Slug,
    },
    /// The organization has no such escrow key.
    #[error("the organization has no escrow key {key}")]
    EscrowKeyNotFound {
        /// The key.
        key: KekId,
    },
    /// The organization's MAC key is not wrapped for the escrow identity that was given.
    #[error("the organization's MAC key is not wrapped for the given identity")]
    NoEscrowIdentity {
        /// The organization's escrow keys.
        escrow: Vec<KekId>,
    },
    /// The organization's MAC key is not the one that the caller remembers.
    #[error("the catalog's MAC key was replaced")]
    MacKeyReplaced,
    /// No secret has this name or uuid.
    #[error("secret {secret} does not exist")]
    SecretNotFound {
        /// Name or uuid.
        secret: String,
    },
    /// The secret has no version of this number.
    #[error("secret {secret} has no version {version}")]
    VersionNotFound {
        /// Name or uuid.
        secret: String,
        /// The requested version.
        version: u64,
    },
    /// The record names a version that is missing in the backend.
    #[error("version {version} of secret {secret} is missing in its backend")]
    VersionLost {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// A secret of this name exists.
    #[error("secret {name} already exists")]
    AlreadyExists {
        /// The name.
        name: SecretName,
        /// Its uuid.
        uuid: Uuid,
        /// The existing record.
        existing: Box<ExistingRecord>,
    },
    /// This run created a secret of this name before.
    #[error("secret {name} is declared twice")]
    DeclaredTwice {
        /// The name.
        name: SecretName,
        /// The uuid of the secret that this run created.
        uuid: Uuid,
    },
    /// A creation failed, and its commit may have landed.
    #[error(transparent)]
    CommitUnclear(Box<CommitUnclear>),
    /// The stamp of the secret differs from the caller's.
    #[error("secret {name} is owned by another state")]
    OwnedByAnotherState {
        /// The name.
        name: SecretName,
        /// Its uuid.
        uuid: Uuid,
        /// Its owner.
        owner: Box<Owner>,
    },
    /// Another secret has taken the name of this one.
    #[error("secret {name} is displaced")]
    Displaced {
        /// The name.
        name: SecretName,
        /// The uuid of the secret that has the name.
        uuid: Uuid,
        /// Record of the secret that has the name. If it is untouched, a run that resumes
        /// its owner returns the name.
        existing: Box<ExistingRecord>,
    },
    /// A secret's record is missing, although the caller saw it before.
    #[error("the record of secret {name} is missing")]
    RecordMissing {
        /// The name.
        name: SecretName,
    },
    /// The catalog contains records, but not the organization's own.
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
    /// The secret keeps its name, so no other one may take it over.
    #[error("secret {name} is to be retained")]
    Retained {
        /// The name.
        name: SecretName,
    },
    /// Another writer committed first. Its changes are kept.
    #[error("{record} was changed concurrently")]
    ChangedConcurrently {
        /// The record that was changed.
        record: ChangedRecord,
    },
    /// The record of a secret is older than the one that the caller saw.
    #[error("the record of secret {name} was rolled back")]
    RolledBack {
        /// The name.
        name: SecretName,
        /// The generation that the caller saw.
        seen: u64,
        /// The generation that was found.
        found: u64,
    },
    /// The record of a secret names another backend than the caller saw.
    #[error("the record of secret {name} names another backend")]
    SecretMoved {
        /// The name.
        name: SecretName,
        /// The backend that the record names now.
        backend: Slug,
    },
    /// No backend has this name.
    #[error("backend {backend} does not exist")]
    UnknownBackend {
        /// The name.
        backend: Slug,
    },
    /// A backend with this name exists.
    #[error("backend {backend} already exists")]
    BackendExists {
        /// The name.
        backend: Slug,
        /// The existing record.
        existing: Box<ExistingRecord>,
    },
    /// The name is reserved for the built-in backend.
    #[error("the name {PLATFORM_BACKEND:?} is reserved for the built-in backend")]
    BackendNameReserved,
    /// This run declared a backend of this name before.
    #[error("backend {backend} is declared twice")]
    BackendDeclaredTwice {
        /// The name.
        backend: Slug,
    },
    /// The stamp of the backend differs from the caller's.
    #[error("backend {backend} is owned by another state")]
    BackendOwnedByAnother {
        /// The name.
        backend: Slug,
        /// Its owner.
        owner: Box<Owner>,
    },
    /// Another writer changed the backend first. Its changes are kept.
    #[error("backend {backend} was changed concurrently")]
    BackendChangedConcurrently {
        /// The name.
        backend: Slug,
    },
    /// A backend's record is missing without a tombstone, although the caller saw it
    /// before.
    #[error("the record of backend {backend} is missing")]
    BackendRecordMissing {
        /// The name.
        backend: Slug,
    },
    /// The backend stores secrets, or is the default backend.
    #[error("backend {backend} is in use")]
    BackendInUse {
        /// The name.
        backend: Slug,
        /// The names of some of its secrets.
        secrets: Vec<String>,
        /// The number of its secrets.
        total: usize,
        /// Whether it is the default backend.
        is_default: bool,
    },
    /// The backend is being deleted and accepts no new secret.
    #[error("backend {backend} is being deleted")]
    BackendDeleting {
        /// The name.
        backend: Slug,
    },
    /// The backend's settings or credentials do not reach the place that has its marker.
    #[error("the marker of backend {backend} was not found")]
    BackendNotThere {
        /// The name.
        backend: Slug,
        /// The marker's name.
        marker: String,
    },
    /// The backend has no marker, so it cannot be verified that a new address leads to
    /// the same place.
    #[error("backend {backend} has no marker")]
    BackendNotMarked {
        /// The name.
        backend: Slug,
    },
    /// The record of a backend is older than the one that the caller saw.
    #[error("the record of backend {backend} was rolled back")]
    BackendRolledBack {
        /// The name.
        backend: Slug,
        /// The generation that the caller saw.
        seen: u64,
        /// The generation that was found.
        found: u64,
    },
    /// The record of the default backend is older than the one that the caller saw, and
    /// names another backend.
    #[error("the record of the default backend was rolled back")]
    DefaultBackendRolledBack {
        /// The generation that the caller saw.
        seen: u64,
        /// The generation that was found.
        found: u64,
    },
    /// The record of the organization is older than the one that the caller saw, and names
    /// other escrow keys.
    #[error("the record of organization {organization} was rolled back")]
    OrganizationRolledBack {
        /// The organization.
        organization: Slug,
        /// The generation that the caller saw.
        seen: u64,
        /// The generation that was found.
        found: u64,
    },
    /// A backup cannot be written, read or used.
    #[error("the backup cannot be used")]
    Backup(#[source] BackupFileError),
    /// The clock of this machine shows a time that generations cannot express.
    #[error("the clock shows {now}")]
    ClockOutOfRange {
        /// The time.
        now: jiff::Timestamp,
    },
    /// A restoration is writing the records of the organization, or was interrupted.
    #[error("the restoration of organization {organization} is unfinished")]
    RestoreUnfinished {
        /// The organization.
        organization: Slug,
        /// Time of the backup.
        backup_of: jiff::Timestamp,
    },
    /// The catalog was restored from a backup, and nobody has accepted yet that it is older than
    /// what states have seen. The absence of a record proves nothing until then.
    #[error("the restoration of organization {organization} is not accepted")]
    RestoreNotAccepted {
        /// The organization.
        organization: Slug,
        /// Time of the backup.
        backup_of: jiff::Timestamp,
    },
    /// The connection to a backend could not be verified.
    #[error("the probe of the backend could not {step} a temporary object")]
    ProbeFailed {
        /// The step that failed: `write`, `inspect`, `read` or `delete`.
        step: &'static str,
        /// The failure of the store.
        #[source]
        error: StoreError,
    },
    /// A backend's sealed credential does not open with the backend's settings.
    #[error("the sealed credential of a {kind} backend does not open with its settings")]
    CredentialRefused {
        /// The backend's type.
        kind: String,
    },
    /// The default backend was set before.
    #[error("backend {backend} is already the default backend")]
    DefaultBackendExists {
        /// The current default backend.
        backend: Slug,
        /// The existing choice.
        existing: Box<ExistingRecord>,
    },
    /// This run set the default backend before.
    #[error("the default backend is declared twice")]
    DefaultBackendDeclaredTwice,
    /// The stamp of the default backend differs from the caller's.
    #[error("the default backend is owned by another state")]
    DefaultBackendOwnedByAnother {
        /// The current default backend.
        backend: Slug,
        /// Owner of the choice.
        owner: Box<Owner>,
    },
    /// The record of the default backend is missing, although the caller saw it before.
    #[error("the record of the default backend is missing")]
    DefaultBackendRecordMissing,
    /// The object to copy does not exist, or its backend stores objects of this provider
    /// only.
    #[error("backend {backend} has no object {remote_name:?} to copy")]
    NothingToCopy {
        /// The backend's name.
        backend: Slug,
        /// The object's name in the backend.
        remote_name: String,
    },
    /// The object to copy is not text, or is an envelope of this provider.
    #[error("object {remote_name:?} of backend {backend} cannot be copied")]
    NotCopyable {
        /// The backend's name.
        backend: Slug,
        /// The object's name in the backend.
        remote_name: String,
        /// The reason.
        #[source]
        error: Box<StoreError>,
    },
    /// The value exceeds the size limit of its backend.
    #[error("the value has {bytes} bytes, which exceeds the limit of {vendor} ({limit} bytes)")]
    ValueTooLarge {
        /// The size of the value in bytes, in the encoding that is sealed.
        bytes: usize,
        /// The size limit in bytes.
        limit: usize,
        /// The backend's vendor.
        vendor: &'static str,
    },
    /// The backend returned something that is not an envelope.
    #[error("the envelope of version {version} of secret {secret} is malformed")]
    EnvelopeMalformed {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// The envelope is not the one in the record, or does not open.
    #[error("the envelope of version {version} of secret {secret} was rejected")]
    EnvelopeRefused {
        /// Name or uuid.
        secret: String,
        /// The version.
        version: u64,
    },
    /// The use case was cancelled, or its deadline expired. The next run continues it.
    #[error("interrupted before {step}")]
    Interrupted {
        /// The step that did not begin.
        step: &'static str,
        /// Whether the deadline expired; otherwise the use case was cancelled.
        timed_out: bool,
    },
    /// The specification of the value to generate is invalid.
    #[error(transparent)]
    InvalidGenerate(#[from] InvalidGenerate),
    /// The operating system's random number generator failed.
    #[error("the operating system's random number generator failed")]
    Randomness,
}
