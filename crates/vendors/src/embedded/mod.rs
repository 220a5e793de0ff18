//! The embedded platform: a file for records and sealed versions, and a key file.

mod catalog;
mod kek;
pub mod sqlite;
mod store;

pub use catalog::EmbeddedCatalog;
pub use kek::LocalKeyFile;
pub use store::EmbeddedStore;
