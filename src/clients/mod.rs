//! Clients that several modules share.

pub mod aws;
pub mod azure;
pub mod gcp;
pub mod openbao;
pub mod sqlite;
