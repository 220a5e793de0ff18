//! Reads secrets of other writers, for `copy_from`.

use async_trait::async_trait;

use super::{AwsSecretsManagerStore, check};
use crate::aws::client::AwsErrorKind;
use planton_core::store::{
    ForeignObjects, ForeignValue, RemoteName, StoreError, StoreErrorKind, foreign_text,
};

#[async_trait]
impl ForeignObjects for AwsSecretsManagerStore {
    /// Returns the version with the label `AWSCURRENT`, text or binary.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError> {
        const OPERATION: &str = "GetSecretValue";
        check(name, OPERATION)?;
        let client = self.client().await?;
        match client.current(name).await {
            Ok(Some(payload)) => foreign_text(payload, OPERATION, name).map(ForeignValue::Text),
            Ok(None) => Err(StoreError::new(
                StoreErrorKind::NotFound,
                OPERATION,
                name.as_str(),
            )),
            Err(refused) => Err(client.explain(refused, OPERATION, name)),
        }
    }

    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError> {
        const OPERATION: &str = "DeleteSecret";
        check(name, OPERATION)?;
        let client = self.client().await?;
        match client.delete_named(name, self.config.recovery).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == AwsErrorKind::NotFound || error.concerns_deletion() => {
                Ok(())
            }
            Err(error) => Err(client.explain(error, OPERATION, name)),
        }
    }
}
