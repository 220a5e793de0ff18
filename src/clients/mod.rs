//! Clients that several modules share.

pub mod gcp;
pub mod openbao;
pub mod sqlite;
