//! Managed resources, one file or folder each.

mod backend;
mod default_backend;
mod private_state;
mod secret;

pub use backend::SecretBackendResource;
pub use default_backend::DefaultBackendResource;
pub use secret::SecretResource;
