//! Reads, sets and unsets the default backend, which stores every secret that names no
//! backend.

mod choice;
mod record;

pub use choice::{DefaultSet, KnownDefault, SetDefault};
pub use record::DefaultBackendView;

use super::Organization;

/// The use cases of an organization's default backend.
#[derive(Clone, Copy, Debug)]
pub struct DefaultBackend<'a> {
    organization: &'a Organization,
}

impl Organization {
    /// Returns the use cases of the organization's default backend.
    #[must_use]
    pub fn default_backend(&self) -> DefaultBackend<'_> {
        DefaultBackend { organization: self }
    }
}
