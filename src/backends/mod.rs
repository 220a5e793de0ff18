//! Secret backends: where sealed secret versions are stored.

pub mod aws;
pub mod azure;
mod connector;
pub mod embedded;
pub mod gcp;
pub mod openbao;

pub use connector::Connector;
