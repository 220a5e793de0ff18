//! The use cases: create, rotate, edit, read and delete a secret; declare,
//! change and delete the backend that it goes to.
//!
//! The catalog's compare-and-set is the only commit point. What a secret
//! backend holds and the catalog does not name does not exist; what the catalog
//! names was put before. Nothing here mentions who calls.

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

// Names that callers use, whichever module defines them.
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
pub use error::{CommitUnclear, OperationError};
pub use interrupt::Interrupt;
pub use keys::Keys;
pub use organization::{Organization, Platform};
pub use ownership::MetRecord;
pub use planton_envelope::{SecretKind, SecretValue};
pub use rollback_guard::SeenBackend;
pub use run::{Resume, ResumeRefused, Run};
pub use secrets::{
    CreateSecret, DeleteSecret, DeletedSecret, ForgettableSecret, Found, InvalidGenerate,
    MAX_GENERATED_LENGTH, NAME_PREFIX, OpenedSecret, RefreshSecret, Refreshed, Replaces,
    SecretView, Secrets, SeenSecret, Selector, UpdateSecret, ValueSource, VersionView,
};

#[cfg(test)]
mod tests;
