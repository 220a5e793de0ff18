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
mod declaration;
mod delete;
mod forget;
mod grant_delay;
mod marker;
mod probe;
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
pub use usage::MAX_NAMED_HOLDERS;
pub use view::{BackendView, RefreshedBackend};

pub(crate) use connect::{Connections, Trust, unknown};
pub(crate) use marker::Marker;
pub(crate) use usage::Patience;
