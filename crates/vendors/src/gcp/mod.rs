//! GCP Secret Manager, and keys in Cloud KMS.

pub mod client;
mod connection;
mod credential;
mod errors;
mod kms;
pub(crate) mod registration;
mod settings;
mod store;

pub(crate) use connection::GcpConnection;
pub use credential::read_credential;
pub(crate) use kms::KEY;
pub(crate) use registration::REGISTRATION;
pub use settings::GcpConfig;
pub use store::GcpSecretManagerStore;
