//! The embedded platform: a file for records and sealed versions, and a key file.

mod catalog;
mod kek;
mod marks;
mod retire;
pub mod sqlite;
mod store;

pub use catalog::EmbeddedCatalog;
pub use kek::LocalKeyFile;
pub use retire::{
    NeededRootKey, Retire, RetireError, RetiredRootKeys, derived_key_prefix, retire_root_keys,
};
pub use store::EmbeddedStore;
