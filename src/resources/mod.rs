//! Managed resources, one folder each.

mod backend;
mod default_backend;
mod private_state;
mod secret;

pub(crate) use backend::SecretBackendResource;
pub(crate) use default_backend::DefaultBackendResource;
pub(crate) use secret::SecretResource;
