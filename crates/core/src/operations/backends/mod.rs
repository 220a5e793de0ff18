//! Declares, verifies, opens, changes and deletes registered backends.
//!
//! A registered backend has one record, under its name. A secret's record contains the
//! backend's name and uuid, which never change. A backend under deletion receives no
//! secret: a creation writes its entry and then reads the backend's record, and a deletion
//! marks that record and then lists the entries.

mod adopt;
mod candidate;
mod cleanup;
mod connect;
mod declaration;
mod delete;
mod forget;
mod moved_keys;
mod name_holder;
mod planned;
mod probe;
mod recheck;
mod record;
mod register;
mod update;
mod usage;
mod view;

pub use crate::catalog::{BackendArguments, BackendOnDestroy};
pub use declaration::{RegisterBackend, RegisteredBackend};
pub use delete::{DeleteBackend, DeletedBackend, Destroyed};
pub use forget::ForgettableBackend;
pub use moved_keys::KeyComparison;
pub use update::UpdateBackend;
pub use view::{BackendView, KekView, RefreshedBackend};

pub(crate) use connect::{Trust, unknown};
pub(crate) use recheck::{ByDefault, Rechecked};
pub(crate) use usage::holder_of;

use super::Organization;

/// The use cases of an organization's backends.
#[derive(Clone, Copy, Debug)]
pub struct Backends<'a> {
    organization: &'a Organization,
}

impl Organization {
    /// Returns the use cases of the organization's backends.
    #[must_use]
    pub fn backends(&self) -> Backends<'_> {
        Backends { organization: self }
    }
}
