//! AWS Secrets Manager.

pub mod client;
mod store;

pub use store::{AwsConfig, AwsCredential, AwsSecretsManagerStore, Recovery};
