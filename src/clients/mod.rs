//! Clients that several modules share.

pub mod openbao;
