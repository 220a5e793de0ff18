//! Azure Key Vault: its secrets, and its keys.

pub mod client;
mod credential;
mod errors;
mod kms;
pub(crate) mod registration;
mod settings;
mod store;

pub(crate) use credential::read_credential;
pub(crate) use kms::KEY;
pub(crate) use registration::REGISTRATION;
pub use settings::{AzureConfig, AzureIdentity, AzureSource};
pub use store::AzureKeyVaultStore;
