//! All types of keys.

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{
    ConnectKek, KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek,
};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;

use crate::http::HttpSettings;
use crate::registration::KeyType;
use crate::{age, aws, azure, gcp, openbao};

/// All types of keys.
pub static KEY_TYPES: &[&KeyType] = &[
    &aws::KEY_TYPE,
    &gcp::KEY,
    &azure::KEY,
    &openbao::VAULT_TRANSIT,
    &age::KEY_TYPE,
];

impl KeyType {
    /// Returns the type of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        KEY_TYPES.iter().find(|known| known.name == name).copied()
    }
}

/// Opens keys of every type.
#[derive(Debug, Default)]
pub struct KekConnector {
    http: HttpSettings,
}

impl KekConnector {
    /// Uses these settings for all requests.
    #[must_use]
    pub fn new(http: HttpSettings) -> Self {
        Self { http }
    }
}

#[async_trait]
impl ConnectKek for KekConnector {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        type_of(settings)?.opener.check(settings, credential)
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<ResolvedKek, KekError> {
        let opener = type_of(settings)?.opener;
        opener
            .resolve(settings, credential, self.http.clone())
            .await
    }

    fn may_move(&self, settings: &KekSettings) -> bool {
        type_of(settings).is_ok_and(|of| of.opener.may_move(settings))
    }

    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        type_of(settings).is_ok_and(|of| of.opener.names(settings, id))
    }

    async fn is_still(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<bool, KekError> {
        let opener = type_of(settings)?.opener;
        let http = self.http.clone();
        opener.is_still(settings, credential, id, http).await
    }

    async fn newest_version(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let opener = type_of(settings)?.opener;
        let http = self.http.clone();
        opener.newest_version(settings, credential, http).await
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let opener = type_of(settings)?.opener;
        opener.open(settings, credential, id, self.http.clone())
    }
}

fn type_of(settings: &KekSettings) -> Result<&'static KeyType, KekError> {
    KeyType::of(&settings.kind).ok_or_else(|| {
        KekError::new(
            KekErrorKind::Misconfigured,
            "configure",
            settings.kind.as_str(),
        )
        .with_remedy("This release does not know this type of key. Upgrade the provider.")
    })
}
