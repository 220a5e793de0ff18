//! What everything on Azure shares: tokens, and the SDK's requests over our
//! own HTTP client.
//!
//! The SDK's retries are off, and it has no HTTP client of its own: see
//! docs/adr/0009-azure-key-vault.md.

mod ambient;
mod connection;
mod credential;
mod environment;
mod error;
mod github;
mod token;
mod transport;
mod vault;

pub use connection::AzureConnection;
pub use credential::AzureCredential;
pub use error::{AzureError, AzureErrorKind, AzurePlace};
pub use vault::{AuthorityHost, InvalidAddress, VaultUrl};
