//! OpenBAO and HashiCorp Vault, which speaks the same protocol.

mod catalog;
pub mod client;
mod kek;
mod store;

pub use catalog::OpenBaoCatalog;
pub use kek::TransitKek;
pub use store::{AmbientTokens, ConnectOptions, OpenBaoStore, VaultConfig, VaultKind};
