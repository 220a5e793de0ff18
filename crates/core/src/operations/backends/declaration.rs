//! The declaration of a backend, and its result.

use super::{BackendArguments, BackendView};
use crate::catalog::{BackendRecord, Owner};
use crate::names::Slug;
use crate::operations::{DeclaredKeys, ExistingRecord, OperationError};
use crate::store::{StoreCredential, StoreSettings};

/// The backend to declare.
#[derive(Debug)]
pub struct RegisterBackend {
    /// Its name.
    pub name: Slug,
    /// Human-readable description.
    pub description: Option<String>,
    /// Type, name prefix and configuration.
    pub settings: StoreSettings,
    /// The keys of the settings that cannot change in place.
    pub fixed: Vec<&'static str>,
    /// Its static credential; empty for the vendor's ambient chain.
    pub credential: StoreCredential,
    /// The KEKs of its secrets.
    pub keys: DeclaredKeys,
    /// Arguments.
    pub arguments: BackendArguments,
}

/// A backend that was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredBackend {
    /// The backend.
    pub view: BackendView,
    /// Its former owner, if this run adopted it from an interrupted run.
    pub adopted_from: Option<Owner>,
}

/// Returns the error that a backend of this name exists. `differs` is the argument that
/// prevents its adoption.
pub(crate) fn exists(existing: &BackendRecord, differs: Option<String>) -> OperationError {
    OperationError::BackendExists {
        backend: existing.name.clone(),
        existing: Box::new(ExistingRecord {
            differs,
            ..ExistingRecord::new(existing.owner.clone(), existing.is_untouched())
        }),
    }
}
