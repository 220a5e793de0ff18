//! GCP Secret Manager.

pub mod client;
mod credential;
mod errors;
mod registration;
mod settings;
mod store;

pub use credential::read_credential;
pub(crate) use registration::REGISTRATION;
pub use settings::GcpConfig;
pub use store::GcpSecretManagerStore;
