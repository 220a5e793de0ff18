//! A Terraform and OpenTofu provider that is a whole secrets manager on its own.
//!
//! Every secret version is sealed on the machine that runs Terraform, and only
//! then handed to the secret backend that the practitioner chose. See
//! `ARCHITECTURE.md` for the map of the modules and their invariants.

pub mod cli;
pub mod data_sources;
pub mod diagnostics;
pub mod ephemeral;
pub mod functions;
pub mod provider;
pub mod resources;
pub mod session;
pub mod setting;
