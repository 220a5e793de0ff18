//! Reads secrets of other writers, for `copy_from`.

use async_trait::async_trait;

use super::{GcpSecretManagerStore, check, gone_is_done};
use planton_core::store::{ForeignObjects, ForeignValue, RemoteName, StoreError, foreign_text};

#[async_trait]
impl ForeignObjects for GcpSecretManagerStore {
    /// Returns the version of the alias `latest`.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError> {
        const OPERATION: &str = "AccessSecretVersion";
        check(name, OPERATION)?;
        let payload = self.api.access_latest(name).await?;
        foreign_text(payload, OPERATION, name).map(ForeignValue::Text)
    }

    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError> {
        check(name, "DeleteSecret")?;
        gone_is_done(self.api.delete(name, None).await)
    }
}
