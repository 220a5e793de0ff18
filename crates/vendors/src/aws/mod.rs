//! AWS Secrets Manager.

pub mod client;
mod credential;
mod errors;
mod registration;
mod settings;
mod store;

pub use credential::AwsCredential;
pub(crate) use registration::REGISTRATION;
pub use settings::{AwsConfig, Recovery};
pub use store::AwsSecretsManagerStore;
