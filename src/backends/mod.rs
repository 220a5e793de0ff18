//! Secret backends: where sealed secret versions are stored.

pub mod aws;
pub mod embedded;
pub mod openbao;
