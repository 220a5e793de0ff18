//! The key type `vault_transit`: a customer's own key in Transit, on OpenBAO or HashiCorp
//! Vault.

mod kek;
mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use planton_core::kek::{KekError, KekSettings, KeyEncryptionKey, ResolvedKek};
use planton_core::store::StoreCredential;
use planton_envelope::KekId;

use super::connection::TRANSIT_KEY_FIELDS;
use super::credential::{AmbientTokens, Credential};
use super::errors::credential_error;
use crate::http::HttpSettings;
use crate::registration::{KeyType, KeyUsage, MacKeyGuard, OpenKek};
use kek::CustomersKek;
use settings::TransitKeyConfig;

/// The name of the type, and of its keys in an envelope.
pub(super) const NAME: &str = "vault_transit";

pub(crate) static VAULT_TRANSIT: KeyType = KeyType {
    name: NAME,
    title: "Transit",
    description: "Key in the Transit secrets engine of your own OpenBAO or HashiCorp Vault. \
                  Without a login, the token comes from the environment variable `VAULT_TOKEN`, \
                  else from the file `~/.vault-token` of `vault login`.",
    fields: &TRANSIT_KEY_FIELDS,
    usage: KeyUsage::Any,
    mac_key: MacKeyGuard::SecondKey("key_name"),
    opener: &Opener,
};

#[derive(Debug)]
struct Opener;

#[async_trait]
impl OpenKek for Opener {
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError> {
        let config = TransitKeyConfig::from_settings(settings)?;
        match credential {
            Some(credential) => parse_credential(&config, credential).map(drop),
            None => Ok(()),
        }
    }

    /// Returns true for the key of this name on any cluster: the key compares the server's
    /// cluster before its first use.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool {
        let cluster = id.id.split(':').next().unwrap_or_default();
        let config = TransitKeyConfig::from_settings(settings);
        config.is_ok_and(|config| config.id_on(cluster).is_ok_and(|named| named == *id))
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        http: HttpSettings,
    ) -> Result<ResolvedKek, KekError> {
        let config = TransitKeyConfig::from_settings(settings)?;
        let credential = parse_credential(&config, credential)?;
        let kek = CustomersKek::resolve(config, credential, http).await?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description: kek.describe().await?,
            kek: Arc::new(kek),
        })
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
        http: HttpSettings,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let config = TransitKeyConfig::from_settings(settings)?;
        let credential = parse_credential(&config, credential)?;
        Ok(Arc::new(CustomersKek::open(config, credential, http, id)))
    }
}

fn parse_credential(
    config: &TransitKeyConfig,
    credential: &StoreCredential,
) -> Result<Credential, KekError> {
    let parsed = Credential::parse(config, credential, AmbientTokens::of_process());
    parsed.map_err(|error| credential_error(&error))
}
