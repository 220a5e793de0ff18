//! Keys whose settings name another key by now: a moved alias, a new version.

use std::time::Duration;

use uuid::Uuid;

use super::Backends;
use crate::catalog::{BackendDocument, BackendRecord, KekRecord, Loaded};
use crate::kek::KekSettings;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_resolution::MAX_FORMER_KEYS;
use crate::store::StoreCredential;
use planton_envelope::KekId;

/// Maximum wait for all services.
const PATIENCE: Duration = Duration::from_secs(10);

/// Result of a comparison of a backend's keys with what their settings name by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyComparison {
    /// Each key is the one that its settings name.
    Same,
    /// At least one key could not be compared; the others are the same.
    Unknown,
    /// The main key is another one by now, but stays until the record has room for one more
    /// former key. The other keys are the same, as far as they could be compared.
    Kept(KekId),
    /// A key is another one by now.
    Moved,
}

impl Backends<'_> {
    /// Compares the backend's keys, which the caller knows by these settings, with what the
    /// settings name by now. Asks each service once, and only for settings that may name
    /// another key. Without a sealed credential, this uses no key of the organization.
    ///
    /// # Security
    ///
    /// The record is not verified, so a request goes only where the caller's settings lead.
    /// Pass settings that come from a configuration.
    pub async fn compare_keys(
        self,
        name: &Slug,
        uuid: Uuid,
        known: &[KekSettings],
    ) -> KeyComparison {
        let connector = &self.organization.platform.kek_connector;
        if !known.iter().any(|settings| connector.may_move(settings)) {
            return KeyComparison::Same;
        }
        let looked = tokio::time::timeout(PATIENCE, self.try_compare_keys(name, uuid, known));
        match looked.await {
            Ok(Ok(compared)) => compared,
            Ok(Err(error)) => {
                tracing::warn!(%error, backend = %name, "the backend's keys are not compared");
                KeyComparison::Unknown
            }
            Err(_) => {
                tracing::warn!(backend = %name, "a key's service did not answer in time");
                KeyComparison::Unknown
            }
        }
    }

    async fn try_compare_keys(
        self,
        name: &Slug,
        uuid: Uuid,
        known: &[KekSettings],
    ) -> Result<KeyComparison, OperationError> {
        let mut compared = KeyComparison::Same;
        let Some(loaded) = self.load(name).await? else {
            return Ok(compared);
        };
        let record = loaded.record.backend.as_ref();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            return Ok(compared);
        };
        let mut kept = None;
        let is_main = |key: &KekRecord| record.keys.encryption.as_ref() == Some(key);
        let connector = &self.organization.platform.kek_connector;
        let keys = record.keys.encryption.iter().chain(&record.keys.escrow);
        let keys = keys.filter(|key| known.contains(&key.settings));
        for key in keys.filter(|key| connector.may_move(&key.settings)) {
            match self.is_moved(&loaded, record, key).await {
                Ok(true) if is_main(key) && record.keys.former.len() >= MAX_FORMER_KEYS => {
                    kept = Some(key.kek.clone());
                }
                Ok(true) => return Ok(KeyComparison::Moved),
                Ok(false) => {}
                Err(error) => {
                    let key = &key.kek;
                    tracing::warn!(error = %error.with_sources(), %key, "a key is not compared");
                    compared = KeyComparison::Unknown;
                }
            }
        }
        Ok(kept.map_or(compared, KeyComparison::Kept))
    }

    async fn is_moved(
        self,
        loaded: &Loaded<BackendDocument>,
        record: &BackendRecord,
        key: &KekRecord,
    ) -> Result<bool, OperationError> {
        let keys = self.organization.keys();
        let credential = match &key.credential {
            None => StoreCredential::new(),
            Some(sealed) => {
                loaded.verify(keys.mac_key().await?)?;
                let owner = CredentialOwner::backend(record.uuid, &record.name);
                let usage = CredentialUse::kek(owner, &key.settings);
                keys.keyring().await?.open_credential(usage, sealed).await?
            }
        };
        let connector = &self.organization.platform.kek_connector;
        let is_still = connector.is_still(&key.settings, &credential, &key.kek);
        Ok(!is_still.await?)
    }
}
