//! Data sources, one file each.

mod secret;

pub use secret::SecretDataSource;
