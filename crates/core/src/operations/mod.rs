//! The use cases of secrets, of backends, of the default backend and of keys.
//!
//! The catalog's compare-and-set is the only commit point. An object in a backend belongs
//! to a secret only if a record names it, and a record names only objects that were put
//! before.

mod backend;
mod backends;
mod connections;
mod crash_hooks;
mod default_backend;
mod deletion_waits;
mod entries;
mod error;
mod first_use;
mod grant_delay;
mod held_document;
mod interrupt;
mod keys;
mod marker;
mod organization;
mod ownership;
mod rollback_guard;
mod run;
mod sealing;
mod secrets;

// The public API, whichever module defines an item.
pub use crate::catalog::{
    CopyFrom, GenerateSpec, OnDestroy, Origin, Owner, RunId, SecretArguments, SecretMetadata, Stamp,
};
pub use crate::names::PLATFORM_BACKEND;
pub use crate::store::{ConnectStore, RemoteName, StoreCredential, StoreErrorKind, StoreSettings};
pub(crate) use backend::Backend;
pub use backends::{
    BackendArguments, BackendOnDestroy, BackendView, Backends, DeleteBackend, DeletedBackend,
    Destroyed, ForgettableBackend, RefreshedBackend, RegisterBackend, RegisteredBackend,
    UpdateBackend,
};
pub use default_backend::{
    DefaultBackend, DefaultBackendView, DefaultSet, KnownDefault, SetDefault,
};
pub use error::{ChangedRecord, CommitUnclear, OperationError};
pub use interrupt::Interrupt;
pub use keys::Keys;
pub use organization::{Organization, Platform};
pub use ownership::ExistingRecord;
pub use planton_envelope::{SecretKind, SecretValue};
pub use rollback_guard::SeenBackend;
pub use run::{Resume, ResumeRefused, Run};
pub use secrets::{
    CreateSecret, DeleteSecret, DeletedSecret, ForgettableSecret, InvalidGenerate, Lookup,
    MAX_GENERATED_LENGTH, NAME_PREFIX, OpenedSecret, RefreshSecret, Refreshed, Replaces,
    SecretView, Secrets, SeenSecret, Selector, UpdateSecret, ValueSource, VersionView,
};

#[cfg(test)]
mod tests;
