//! The use cases: create, rotate, edit, read and delete a secret; declare,
//! change and delete the backend that it goes to.
//!
//! The catalog's compare-and-set is the only commit point. What a secret
//! backend holds and the catalog does not name does not exist; what the catalog
//! names was put before. Nothing here mentions who calls.

mod adopt;
mod backends;
mod copy;
mod create;
mod delete;
mod entries;
mod error;
mod forget;
mod generate;
mod heal;
mod held_document;
mod objects;
mod open;
mod organization;
mod ownership;
mod read;
mod remote_name;
mod run;
mod sealing;
mod size_limit;
mod steps;
mod update;
mod versions;
mod view;

// What callers say and see, so that they need not know who keeps it.
pub use crate::catalog::{
    CopyFrom, GenerateSpec, OnDestroy, Origin, Owner, RunId, SecretArguments, SecretMetadata, Stamp,
};
pub use crate::names::PLATFORM_BACKEND;
pub use crate::store::{ConnectStore, RemoteName, StoreCredential, StoreErrorKind, StoreSettings};
pub use backends::{
    BackendArguments, BackendOnDestroy, BackendView, DefaultBackendView, DefaultSet, DeleteBackend,
    DeletedBackend, Destroyed, ForgettableBackend, KnownDefault, MAX_NAMED_HOLDERS,
    RefreshedBackend, RegisterBackend, RegisteredBackend, SeenBackend, SetDefault, UpdateBackend,
};
pub use create::{CreateSecret, Replaces, ValueSource};
pub use delete::{DeleteSecret, DeletedSecret};
pub use error::{CommitUnclear, OperationError};
pub use forget::{ForgettableSecret, Found};
pub use generate::{InvalidGenerate, MAX_GENERATED_LENGTH};
pub use open::OpenedSecret;
pub use organization::{Backend, Organization, Platform};
pub use ownership::MetRecord;
pub use planton_envelope::{SecretKind, SecretValue};
pub use read::{RefreshSecret, Refreshed, Seen, Selector};
pub use remote_name::NAME_PREFIX;
pub use run::{Resume, ResumeRefused, Run};
pub use steps::Interrupt;
pub use update::UpdateSecret;
pub use view::{SecretView, VersionView};

#[cfg(test)]
mod tests;
