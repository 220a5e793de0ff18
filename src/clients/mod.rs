//! Clients that several modules share.

pub mod openbao;
pub mod sqlite;
