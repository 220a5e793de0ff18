//! Files of others, to be taken over.

use std::io;

use async_trait::async_trait;

use super::store::{ToyStore, absent_is_removed, of_io};
use planton_core::store::{ForeignObjects, ForeignValue, RemoteName, StoreError, foreign_text};

#[async_trait]
impl ForeignObjects for ToyStore {
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError> {
        const OPERATION: &str = "read file";
        let path = self.path_of(name, OPERATION)?;
        let failed = |source: io::Error| {
            StoreError::new(of_io(&source), OPERATION, name.as_str()).with_source(source)
        };
        let payload = std::fs::read(path).map_err(failed)?;
        foreign_text(payload, OPERATION, name).map(ForeignValue::Text)
    }

    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError> {
        const OPERATION: &str = "delete file";
        let path = self.path_of(name, OPERATION)?;
        absent_is_removed(std::fs::remove_file(path)).map_err(|source| {
            StoreError::new(of_io(&source), OPERATION, name.as_str()).with_source(source)
        })
    }
}
