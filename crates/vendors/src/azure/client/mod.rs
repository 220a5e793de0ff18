//! Credentials for Azure, and Microsoft's SDK over the HTTP client of this project.
//!
//! The SDK's retries are disabled, and it has no HTTP client of its own: see
//! docs/adr/0009-azure-key-vault.md.

mod ambient;
mod connection;
mod credential;
mod environment;
mod error;
mod github;
mod rest;
mod storage;
mod token;
mod transport;
mod vault;

pub use connection::AzureConnection;
pub use credential::AzureCredential;
pub use error::{AzureError, AzureErrorKind, AzurePlace};
pub use rest::VaultCall;
pub(crate) use storage::StorageTokens;
pub use vault::{AuthorityHost, InvalidAddress, VaultUrl};
