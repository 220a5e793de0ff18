//! The project's tasks, and the harness of its integration tests.
//!
//! The harness runs real Terraforms, real OpenBAO servers, stand-ins for AWS, GCP and
//! Azure, and the vendors' own clients. It searches for planted values, runs random
//! sequences of Terraform commands, and runs the main scenes against a real account. The
//! feature `faults` adds a proxy with scripted faults.
//!
//! It supports Unix only, because it uses process groups and signals.

pub mod azure;
pub mod azurite;
#[cfg(feature = "faults")]
pub mod bucket;
pub mod canary;
#[cfg(feature = "faults")]
pub mod faults;
pub mod gcp;
#[cfg(feature = "faults")]
pub mod gcs;
pub mod latency;
pub mod model;
pub mod moto;
pub mod openbao;
pub mod paths;
pub mod process;
pub mod reader;
pub mod smoke;
pub mod terraform;
pub mod tools;
