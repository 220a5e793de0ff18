//! Data sources, one file each.

mod backend;
mod default_backend;
mod secret;

pub use backend::SecretBackendDataSource;
pub use default_backend::DefaultBackendDataSource;
pub use secret::SecretDataSource;
