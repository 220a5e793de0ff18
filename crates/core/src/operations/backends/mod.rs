//! Secret backends of a practitioner's own: declared, verified, made the
//! default, and let go of.
//!
//! A backend is one record under its name. A secret names it by name and uuid,
//! and never moves. No secret goes to a backend that is being deleted: a
//! creation writes its entry first and looks at the backend's record after
//! that, a deletion marks the record first and lists the entries after that.

mod adopt;
mod candidate;
mod cleanup;
mod connect;
mod credential;
mod declaration;
mod delete;
mod forget;
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
pub use update::UpdateBackend;
pub use view::{BackendView, RefreshedBackend};

pub(crate) use connect::{Trust, unknown};
pub(crate) use recheck::{ByDefault, Rechecked};

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
