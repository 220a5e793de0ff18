//! The record of a conflict.

use std::fmt;

use crate::names::SecretName;

/// The record that another writer changed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedRecord {
    /// A secret; `None` if its document names no secret.
    Secret(Option<SecretName>),
    /// The default backend.
    DefaultBackend,
    /// The organization.
    Organization,
}

impl fmt::Display for ChangedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(Some(name)) => write!(f, "secret {name}"),
            Self::Secret(None) => f.write_str("the secret"),
            Self::DefaultBackend => f.write_str("the default backend"),
            Self::Organization => f.write_str("the organization"),
        }
    }
}
