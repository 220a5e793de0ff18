//! All types of backends.

use std::sync::Arc;

use async_trait::async_trait;

use crate::http::HttpSettings;
use crate::registration::BackendType;
use crate::{aws, azure, gcp, openbao};
use planton_core::store::{
    ConnectStore, SecretStore, StoreCapability, StoreCredential, StoreError, StoreErrorKind,
    StoreSettings,
};

/// All types of backends.
pub static BACKEND_TYPES: &[&BackendType] = &[
    &aws::REGISTRATION,
    &gcp::REGISTRATION,
    &azure::REGISTRATION,
    &openbao::HASHICORP_VAULT,
    &openbao::OPENBAO,
    #[cfg(any(test, feature = "testing"))]
    &crate::toy::REGISTRATION,
];

impl BackendType {
    /// Returns the type of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        let mut types = BACKEND_TYPES.iter();
        types.find(|known| known.name() == name).copied()
    }
}

/// Opens backends of every type.
#[derive(Debug, Default)]
pub struct Connector {
    http: HttpSettings,
}

#[async_trait]
impl ConnectStore for Connector {
    fn capabilities(&self) -> Vec<StoreCapability> {
        let types = BACKEND_TYPES.iter();
        types.map(|known| known.capability.clone()).collect()
    }

    fn check(
        &self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError> {
        match credential {
            // Opening does no I/O either.
            Some(credential) => self.open(settings, credential).map(drop),
            None => (type_of(settings)?.check)(settings),
        }
    }

    async fn connect(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        self.open(settings, credential)
    }
}

impl Connector {
    fn open(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        (type_of(settings)?.open)(settings, credential, self.http.clone())
    }
}

fn type_of(settings: &StoreSettings) -> Result<&'static BackendType, StoreError> {
    BackendType::of(&settings.kind).ok_or_else(|| {
        StoreError::new(
            StoreErrorKind::Misconfigured,
            "configure",
            settings.kind.as_str(),
        )
        .with_remedy("This release does not know this type of backend. Upgrade the provider.")
    })
}

#[cfg(test)]
mod tests;
