//! The declaration of a backend: what is asked for, and what comes of it.

use super::{BackendArguments, BackendView};
use crate::catalog::{BackendRecord, Owner};
use crate::names::Slug;
use crate::operations::{MetRecord, OperationError};
use crate::store::{StoreCredential, StoreSettings};

/// What to declare.
#[derive(Debug)]
pub struct RegisterBackend {
    /// Its name.
    pub name: Slug,
    /// For people.
    pub description: Option<String>,
    /// Where it stores.
    pub settings: StoreSettings,
    /// The keys of the settings that cannot change in place.
    pub fixed: Vec<&'static str>,
    /// Its static credential; empty for the vendor's ambient chain.
    pub credential: StoreCredential,
    /// What only the provider acts on.
    pub arguments: BackendArguments,
}

/// A backend that was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredBackend {
    /// The backend.
    pub view: BackendView,
    /// Whose it was, where an interrupted run had declared it already.
    pub adopted_from: Option<Owner>,
}

/// Says that a backend of this name exists; `differs` names what keeps it from
/// being adopted.
pub(crate) fn exists(met: &BackendRecord, differs: Option<String>) -> OperationError {
    OperationError::BackendExists {
        backend: met.name.clone(),
        met: Box::new(MetRecord {
            differs,
            ..MetRecord::new(met.owner.clone(), met.is_untouched())
        }),
    }
}
