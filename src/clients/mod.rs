//! Clients that several modules share.

pub mod aws;
pub mod openbao;
pub mod sqlite;
