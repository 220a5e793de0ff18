//! The default backend: the one that stores a secret which names none.

mod choice;
mod record;

pub use choice::{DefaultSet, KnownDefault, SetDefault};
pub use record::DefaultBackendView;

pub(crate) use record::{ByDefault, Rechecked};
