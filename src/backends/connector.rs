//! The one place that knows all types of backends.

use std::sync::Arc;

use async_trait::async_trait;

use crate::store::{
    ConnectStore, SecretStore, StoreCapability, StoreCredential, StoreError, StoreErrorKind,
    StoreSettings,
};

/// Opens backends of every type.
#[derive(Debug, Default)]
pub struct Connector {}

#[async_trait]
impl ConnectStore for Connector {
    fn capability(&self, _kind: &str) -> Option<StoreCapability> {
        None
    }

    fn check(&self, settings: &StoreSettings) -> Result<(), StoreError> {
        Err(unknown(settings))
    }

    async fn connect(
        &self,
        settings: &StoreSettings,
        _credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        Err(unknown(settings))
    }
}

fn unknown(settings: &StoreSettings) -> StoreError {
    StoreError::new(
        StoreErrorKind::Misconfigured,
        "configure",
        settings.kind.as_str(),
    )
    .with_remedy("This release does not know this type of backend. Upgrade the provider.")
}
