//! Clients that several modules share.

pub mod azure;
pub mod openbao;
pub mod sqlite;
