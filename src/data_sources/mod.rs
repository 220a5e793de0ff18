//! Data sources, one file each.

mod backend;
mod default_backend;
mod secret;

pub(crate) use backend::SecretBackendDataSource;
pub(crate) use default_backend::DefaultBackendDataSource;
pub(crate) use secret::SecretDataSource;
