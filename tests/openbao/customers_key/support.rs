//! A customer's key on the shared server, as a backend's record describes it.

use std::sync::Arc;

use planton_core::kek::{
    ConnectKek, KekError, KekSettings, KeyEncryptionKey, ResolvedKek, WrapContext,
};
use planton_core::store::StoreCredential;
use planton_envelope::{DataKey, KekId, WrappedKey};
use planton_vendors::KekConnector;
use serde_json::{Value, json};

use crate::support::{Place, bound};

#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) settings: KekSettings,
    pub(crate) credential: StoreCredential,
}

impl Customer {
    /// Describes the key `key_name` of a place, with its root token.
    pub(crate) fn of(place: &Place, key_name: &str) -> Self {
        let configuration = json!({
            "address": place.admin.address,
            "mount_path": place.config.transit_mount_path.as_str(),
            "key_name": key_name,
        });
        let none = Self {
            settings: KekSettings {
                kind: "vault_transit".to_owned(),
                configuration: serde_json::from_value(configuration).unwrap(),
            },
            credential: StoreCredential::new(),
        };
        none.given("token", place.root_token())
    }

    /// Creates a derived key `key_name`, and describes it.
    pub(crate) async fn created(place: &Place, key_name: &str) -> Self {
        let body = r#"{"derived":true}"#;
        place.admin.ok("POST", &path(place, key_name), body).await;
        Self::of(place, key_name)
    }

    /// Sets a setting.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let configuration = &mut self.settings.configuration;
        configuration.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a field of the credential.
    pub(crate) fn given(mut self, name: &str, secret: &str) -> Self {
        self.credential.insert(name.to_owned(), secret.into());
        self
    }

    pub(crate) fn check(&self) -> Result<(), KekError> {
        KekConnector::default().check(&self.settings, Some(&self.credential))
    }

    pub(crate) async fn resolve(&self) -> Result<ResolvedKek, KekError> {
        let connector = KekConnector::default();
        connector.resolve(&self.settings, &self.credential).await
    }

    /// Resolves the key, which can be used.
    pub(crate) async fn resolved(&self) -> ResolvedKek {
        self.resolve().await.unwrap()
    }

    /// Opens the key as a new process does.
    pub(crate) fn open(&self, id: &KekId) -> Arc<dyn KeyEncryptionKey> {
        let connector = KekConnector::default();
        connector
            .open(&self.settings, &self.credential, id)
            .unwrap()
    }
}

/// Returns the path of a key.
pub(crate) fn path(place: &Place, key_name: &str) -> String {
    format!("{}/keys/{key_name}", place.config.transit_mount_path)
}

pub(crate) fn dek() -> DataKey {
    DataKey::copy_of(&[7; 32])
}

pub(crate) fn context(kek: &dyn KeyEncryptionKey) -> WrapContext<'static> {
    bound(kek.id(), 1)
}

pub(crate) async fn wrap(kek: &dyn KeyEncryptionKey) -> Result<WrappedKey, KekError> {
    kek.wrap(&dek(), context(kek)).await
}

pub(crate) async fn unwrap(
    kek: &dyn KeyEncryptionKey,
    wrapped: &WrappedKey,
) -> Result<DataKey, KekError> {
    kek.unwrap(wrapped, context(kek)).await
}
