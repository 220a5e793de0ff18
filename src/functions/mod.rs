//! Provider-defined functions, one file each.

mod parse_secret_ref;
mod secret_ref;

pub use parse_secret_ref::ParseSecretRef;
pub use secret_ref::SecretRef;
