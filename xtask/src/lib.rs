//! The project's own tasks, and the harness that its integration tests share:
//! real Terraforms, real OpenBAO servers, a fake of Azure Key Vault, planted values
//! and the search for them.
//!
//! Unix only: children live in process groups and end by signals.

pub mod azure;
pub mod canary;
pub mod openbao;
pub mod paths;
pub mod process;
pub mod terraform;
pub mod tools;
