//! Azure Key Vault.

pub mod client;
mod credential;
mod errors;
mod registration;
mod settings;
mod store;

pub(crate) use registration::REGISTRATION;
pub use settings::{AzureConfig, AzureSource};
pub use store::AzureKeyVaultStore;
