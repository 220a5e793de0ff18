//! Secret backends: where sealed secret versions are stored.

pub mod azure;
pub mod embedded;
pub mod openbao;
