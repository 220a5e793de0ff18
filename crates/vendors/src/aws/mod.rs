//! AWS Secrets Manager, and keys in AWS KMS.

mod caller;
pub mod client;
mod connection;
mod credential;
mod errors;
pub(crate) mod fields;
mod kms;
mod registration;
mod settings;
mod store;

pub(crate) use connection::{AwsConnection, is_region};
pub use credential::AwsCredential;
pub(crate) use kms::KEY_TYPE;
pub use kms::{AwsKmsConfig, AwsKmsKek};
pub(crate) use registration::REGISTRATION;
pub use settings::{AwsConfig, Recovery};
pub use store::AwsSecretsManagerStore;
