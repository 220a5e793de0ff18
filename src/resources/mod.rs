//! Managed resources, one file or folder each.

mod secret;

pub use secret::SecretResource;
