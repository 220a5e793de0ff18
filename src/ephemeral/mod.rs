//! Ephemeral resources, one file each.

mod secret;

pub use secret::EphemeralSecret;
