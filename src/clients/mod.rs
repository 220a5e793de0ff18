//! Clients that several modules share.

pub mod aws;
pub mod azure;
pub mod gcp;
pub mod openbao;
mod regular_file;
pub mod sqlite;

pub use regular_file::open_regular_file;
