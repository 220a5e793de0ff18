//! Clients that several modules share.

pub mod sqlite;
pub mod openbao;
