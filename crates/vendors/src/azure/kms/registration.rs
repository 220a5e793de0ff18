//! The key type `azure_key_vault_key`.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::key_url::{KeyUrl, KeyVersionUrl};
use super::{AZURE_KEY_VAULT_KEY, AzureKek, Connection};
use crate::azure::credential::read_credential;
use crate::azure::registration::{
    AUTHORITY_HOST, CLIENT_ID, CLIENT_SECRET, TENANT_ID, USE_CLI, USE_MSI, USE_OIDC,
};
use crate::azure::settings::{AzureIdentity, misconfigured};
use crate::http::HttpSettings;
use crate::registration::{Field, KeyType, KeyUsage, MacKeyGuard, OpenKek, of_setting};
use planton_core::kek::{KekError, KekErrorKind, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::{StoreCredential, StoreError};
use planton_envelope::KekId;

pub(crate) static KEY: KeyType = KeyType {
    name: AZURE_KEY_VAULT_KEY,
    title: "Azure Key Vault",
    description: "RSA key in Azure Key Vault, of 2,048 bits or more.",
    fields: &FIELDS,
    usage: KeyUsage::Any,
    mac_key: MacKeyGuard::Nothing,
    opener: &Opener,
};

const FIELDS: [Field; 8] = [
    Field::text(
        "key_url",
        "URL of the key, without a version: `https://example.vault.azure.net/keys/example`.",
    )
    .example("https://example.vault.azure.net/keys/example")
    .required(),
    TENANT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    USE_MSI,
    USE_CLI,
    USE_OIDC,
    AUTHORITY_HOST,
];

#[derive(Debug)]
struct Opener;

fn read(settings: &KekSettings) -> Result<(KeyUrl, AzureIdentity), StoreError> {
    let key = settings.text("key_url").and_then(KeyUrl::parse);
    let key = key.ok_or_else(|| {
        misconfigured(
            "key_url",
            "key_url must be the URL of a key, without a version: \
             https://example.vault.azure.net/keys/example.",
        )
    })?;
    Ok((key, AzureIdentity::read(&settings.configuration)?))
}

fn connection(
    settings: &KekSettings,
    credential: &StoreCredential,
    http: HttpSettings,
) -> Result<Connection, KekError> {
    let (key, identity) = read(settings).map_err(misconfigured_key)?;
    let credential = read_credential(&identity, credential);
    let credential =
        credential.map_err(|error| of_setting(KekErrorKind::Unauthenticated, error))?;
    Ok(Connection {
        key,
        identity,
        credential,
        http,
        opened: OnceCell::new(),
    })
}

fn misconfigured_key(error: StoreError) -> KekError {
    of_setting(KekErrorKind::Misconfigured, error)
}

#[async_trait]
impl OpenKek for Opener {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        match credential {
            Some(credential) => connection(settings, credential, HttpSettings::default()).map(drop),
            None => read(settings).map(drop).map_err(misconfigured_key),
        }
    }

    /// Returns true for each version of the key that the settings name.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        let version = KeyVersionUrl::parse(&id.id);
        read(settings).is_ok_and(|(key, _)| version.is_some_and(|it| it.key.is_same(&key)))
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let connection = connection(settings, credential, http)?;
        let kek = AzureKek::newest(connection).await?;
        let description = kek.described().await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description,
            kek: Arc::new(kek),
        })
    }

    /// Returns true: `key_url` names the newest version.
    fn may_move(&self, _: &KekSettings) -> bool {
        true
    }

    async fn is_still(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<bool, KekError> {
        let connection = connection(settings, credential, http)?;
        AzureKek::is_newest_version(connection, id).await
    }

    async fn newest_version(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let connection = connection(settings, credential, http)?;
        let newest = AzureKek::newest(connection).await?;
        Ok(Some(Arc::new(newest)))
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let connection = connection(settings, credential, http)?;
        // The settings say where the credential may be sent.
        let version = KeyVersionUrl::parse(&id.id)
            .filter(|_| id.provider == AZURE_KEY_VAULT_KEY)
            .filter(|version| version.key.is_same(&connection.key))
            .ok_or_else(|| KekError::new(KekErrorKind::Misconfigured, "open", id.id.as_str()))?;
        Ok(Arc::new(AzureKek::new(connection, version)))
    }
}
