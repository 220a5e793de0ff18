//! Clients that several modules share.
