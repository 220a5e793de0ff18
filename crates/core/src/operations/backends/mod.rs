//! Secret backends of a practitioner's own: declared, verified, made the
//! default, and let go of.
//!
//! A backend is one record under its name. A secret names it by name and uuid,
//! and never moves. No secret goes to a backend that is being deleted: a
//! creation writes its entry first and looks at the backend's record after
//! that, a deletion marks the record first and lists the entries after that.

mod adopt;
mod cleanup;
mod connect;
mod credential;
mod default;
mod default_choice;
mod delete;
mod forget;
mod probe;
mod record;
mod register;
mod seen;
mod update;
mod usage;
mod view;

pub use crate::catalog::{BackendArguments, BackendOnDestroy};
pub use default::DefaultBackendView;
pub use default_choice::{DefaultSet, KnownDefault, SetDefault};
pub use delete::{DeleteBackend, DeletedBackend, Destroyed};
pub use forget::ForgettableBackend;
pub use register::{RegisterBackend, RegisteredBackend};
pub use seen::SeenBackend;
pub use update::UpdateBackend;
pub use usage::MAX_NAMED_HOLDERS;
pub use view::{BackendView, RefreshedBackend};

pub(super) use connect::{Connections, Trust};
pub(super) use default::{ByDefault, Rechecked};
pub(super) use probe::Place;
pub(super) use usage::Patience;
