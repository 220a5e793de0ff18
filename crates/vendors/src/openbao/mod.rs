//! OpenBAO and HashiCorp Vault, which speaks the same protocol.

mod catalog;
pub mod client;
mod credential;
mod errors;
mod kek;
mod registration;
mod settings;
mod store;

pub use catalog::OpenBaoCatalog;
pub use credential::AmbientTokens;
pub use kek::TransitKek;
pub(crate) use registration::{HASHICORP_VAULT, OPENBAO};
pub use settings::{VaultConfig, VaultKind};
pub use store::{ConnectOptions, OpenBaoStore};
