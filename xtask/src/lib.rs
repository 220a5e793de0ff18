//! The project's own tasks, and the harness that its integration tests share:
//! real Terraforms, real OpenBAO servers, planted values and the search for
//! them, and a proxy that carries out faults (the feature `faults`).
//!
//! Unix only: children live in process groups and end by signals.

pub mod canary;
#[cfg(feature = "faults")]
pub mod faults;
pub mod moto;
pub mod gcp;
pub mod openbao;
pub mod paths;
pub mod process;
pub mod terraform;
pub mod tools;
