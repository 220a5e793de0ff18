//! Secret backends: where sealed secret versions are stored.

pub mod embedded;
pub mod gcp;
pub mod openbao;
