//! The use cases of secrets, of backends, of the default backend and of keys.
//!
//! The catalog's compare-and-set is the only commit point. An object in a backend belongs
//! to a secret only if a record names it, and a record names only objects that were put
//! before.

mod backend;
mod backends;
mod backup;
mod connections;
mod crash_hooks;
mod credential;
mod default_backend;
mod deletion_waits;
mod entries;
mod error;
mod evicted;
mod first_use;
mod gc;
mod grant_delay;
mod held_document;
mod housekeeping;
mod interrupt;
mod key_resolution;
mod key_versions;
mod keyrings;
mod keys;
mod marker;
mod migration;
mod open_once;
mod organization;
mod ownership;
mod raise;
mod refresh_listing;
mod rewrap;
mod rollback_guard;
mod run;
mod sealing;
mod secrets;
mod seen_digest;
mod stored_envelope;
mod verify;

// The public API, whichever module defines an item.
pub use crate::catalog::Place;
pub use crate::catalog::{
    CopyFrom, GenerateSpec, OnDestroy, Origin, Owner, RunId, SecretArguments, SecretMetadata, Stamp,
};
pub use crate::kek::{
    ConnectKek, KekError, KekErrorKind, KekPins, KekSettings, KekSlot, KeyDescription,
    KeyEncryptionKey, KeyPurpose, KeyRotation, LocalKek, OrganizationFingerprint, WrapNames,
    WrapObject, pin_of,
};
pub use crate::names::PLATFORM_BACKEND;
pub use crate::store::{ConnectStore, RemoteName, StoreCredential, StoreErrorKind, StoreSettings};
pub(crate) use backend::Backend;
pub use backends::{
    BackendArguments, BackendOnDestroy, BackendView, Backends, DeleteBackend, DeletedBackend,
    Destroyed, ForgettableBackend, KekView, KeyComparison, RefreshedBackend, RegisterBackend,
    RegisteredBackend, UpdateBackend,
};
pub use backup::{
    AcceptRollback, AcceptedRollback, AfterRestore, BackedUp, BackupFileError, BackupHeader,
    BackupReader, BackupSource, BackupTrailer, BackupWriter, DifferentRecord, Restore,
    RestoreProgress, Restored,
};
pub use connections::PlannedConnection;
pub use default_backend::{
    DefaultBackend, DefaultBackendView, DefaultSet, KnownDefault, SetDefault,
};
pub use error::{ChangedRecord, CommitUnclear, OperationError};
pub use gc::{Collect, Collection, Disposal, Leftover, Reason};
pub use housekeeping::Housekeeping;
pub use interrupt::Interrupt;
pub use key_resolution::{DeclaredKek, DeclaredKeys, KeyNotes, MAX_ESCROW_KEYS, MAX_FORMER_KEYS};
pub use keys::{EscrowChanged, Initialized, KeyStatus, Keys, OrganizationStatus, RewrappedRecords};
pub use migration::{Ends, Migrated, Migration, MigrationProgress, MigrationSurvey, Unmoved};
pub use organization::{Organization, Platform};
pub use ownership::{ExistingRecord, KeptUnderItsName, NameHolder};
pub use planton_envelope::{SecretKind, SecretValue};
pub use refresh_listing::SecretMarks;
pub use rewrap::{FailedRewrap, FormerKeys, KeptEnvelope, RewrapProgress};
pub use rollback_guard::{SeenBackend, SeenKeys};
pub use run::{Resume, ResumeRefused, Run};
pub use secrets::{
    CreateSecret, CurrentVersion, DeleteSecret, DeletedSecret, ForgettableSecret, InvalidGenerate,
    Lookup, MAX_GENERATED_LENGTH, NAME_PREFIX, OpenedSecret, RefreshSecret, Refreshed, Replaces,
    SecretView, Secrets, SeenSecret, Selector, UpdateSecret, ValueSource, VersionView, ViewMarks,
};
pub use seen_digest::SeenDigest;
pub use stored_envelope::StoredEnvelope;
pub use verify::{Finding, Problem, Verification, Verify};

#[cfg(test)]
mod tests;
