//! Secret backends: where sealed secret versions are stored.

mod connector;
pub mod embedded;
pub mod openbao;

pub use connector::Connector;
