//! Provider-defined functions, one file each.

mod parse_secret_ref;
mod secret_ref;

pub(crate) use parse_secret_ref::ParseSecretRef;
pub(crate) use secret_ref::SecretRef;
