//! Ephemeral resources, one file each.

mod secret;

pub(crate) use secret::EphemeralSecret;
