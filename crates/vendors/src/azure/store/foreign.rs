//! Reads secrets of other writers, for `copy_from`.

use async_trait::async_trait;

use super::{AzureErrorKind, AzureKeyVaultStore, Operation, check};
use planton_core::store::{
    ForeignObjects, ForeignValue, RemoteName, StoreError, StoreErrorKind, foreign_text,
};

#[async_trait]
impl ForeignObjects for AzureKeyVaultStore {
    /// Returns the current version.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError> {
        check(name, Operation::Get)?;
        let get = async { self.vault().await?.current(name).await };
        let value = get.await;
        let value = value.map_err(|error| self.explain(Operation::Get, name, error))?;
        let operation = Operation::Get.name();
        let value = value
            .ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, operation, name.as_str()))?;
        foreign_text(value.into_bytes(), operation, name).map(ForeignValue::Text)
    }

    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError> {
        check(name, Operation::Delete)?;
        let delete = async { self.vault().await?.delete(name).await };
        match delete.await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == AzureErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.explain(Operation::Delete, name, error)),
        }
    }
}
