//! The embedded platform: a file for records and sealed versions, and a key file.

mod catalog;
mod key_file;
pub mod sqlite;
mod store;

pub use catalog::EmbeddedCatalog;
pub use key_file::LocalKeyFile;
pub use store::EmbeddedStore;
