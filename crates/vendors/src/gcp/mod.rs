//! GCP Secret Manager.

pub mod client;
mod store;

pub use store::{GcpConfig, GcpSecretManagerStore, read_credential};
