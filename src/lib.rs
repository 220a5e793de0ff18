//! A Terraform and OpenTofu provider that manages secrets without a server of its own.
//!
//! The provider encrypts every secret version on the machine that runs Terraform, and stores
//! the ciphertext in the secret backend of the user's choice. `ARCHITECTURE.md` has a map of
//! the modules and their invariants.

pub mod cli;
mod data_sources;
mod diagnostics;
mod ephemeral;
mod fields;
mod functions;
mod key_argument;
mod metadata;
pub mod provider;
mod resources;
mod session;
mod setting;
mod timestamp;
