//! The project's own tasks, and the harness that its integration tests share:
//! real Terraforms, real OpenBAO servers, what stands for AWS, GCP and Azure, the
//! vendors' own clients, planted values and the search for them, random sequences
//! of Terraform commands, the main scenes against a real account, and a proxy that carries out faults (the feature `faults`).
//!
//! Unix only: children live in process groups and end by signals.

pub mod azure;
pub mod canary;
#[cfg(feature = "faults")]
pub mod faults;
pub mod gcp;
pub mod model;
pub mod moto;
pub mod openbao;
pub mod paths;
pub mod process;
pub mod reader;
pub mod smoke;
pub mod terraform;
pub mod tools;
