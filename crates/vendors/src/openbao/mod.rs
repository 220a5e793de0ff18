//! OpenBAO and HashiCorp Vault, which has the same API.

mod catalog;
pub mod client;
pub mod connection;
mod credential;
mod errors;
mod kek;
mod kind;
mod registration;
mod settings;
mod store;
mod vault_transit;

pub use catalog::OpenBaoCatalog;
pub use credential::AmbientTokens;
pub use kek::{DEFAULT_ROTATION_PERIOD, TransitKek};
pub use kind::VaultKind;
pub(crate) use registration::{HASHICORP_VAULT, OPENBAO};
pub use settings::VaultConfig;
pub use store::{ConnectOptions, OpenBaoStore};
pub(crate) use vault_transit::VAULT_TRANSIT;
