//! Azure Key Vault.

pub mod client;
mod store;

pub use store::{AzureConfig, AzureKeyVaultStore, AzureSource};
