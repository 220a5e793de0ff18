//! Keys whose settings name another key by now: a moved alias, a new version.

use std::time::Duration;

use uuid::Uuid;

use super::Backends;
use crate::catalog::{BackendDocument, BackendRecord, KekRecord, Loaded};
use crate::kek::KekSettings;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::store::StoreCredential;

/// Maximum wait for all services.
const PATIENCE: Duration = Duration::from_secs(10);

impl Backends<'_> {
    /// Returns whether one of the backend's keys, which the caller knows by these settings,
    /// is another one by now. Asks each service once, and only for settings that may name
    /// another key.
    ///
    /// A service that cannot be asked changes nothing: the known key stays. Without a sealed
    /// credential, this uses no key of the organization.
    ///
    /// # Security
    ///
    /// The record is not verified, so a request goes only where the caller's settings lead.
    pub async fn has_moved_key(self, name: &Slug, uuid: Uuid, known: &[KekSettings]) -> bool {
        let connector = &self.organization.platform.kek_connector;
        if !known.iter().any(|settings| connector.may_move(settings)) {
            return false;
        }
        let looked = tokio::time::timeout(PATIENCE, self.find_moved_key(name, uuid, known));
        match looked.await {
            Ok(Ok(is_moved)) => is_moved,
            Ok(Err(error)) => {
                tracing::warn!(%error, backend = %name, "the backend's keys are not compared");
                false
            }
            Err(_) => {
                tracing::warn!(backend = %name, "a key's service did not answer in time");
                false
            }
        }
    }

    async fn find_moved_key(
        self,
        name: &Slug,
        uuid: Uuid,
        known: &[KekSettings],
    ) -> Result<bool, OperationError> {
        let Some(loaded) = self.load(name).await? else {
            return Ok(false);
        };
        let record = loaded.record.backend.as_ref();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            return Ok(false);
        };
        let connector = &self.organization.platform.kek_connector;
        let keys = record.keys.encryption.iter().chain(&record.keys.escrow);
        let keys = keys.filter(|key| known.contains(&key.settings));
        for key in keys.filter(|key| connector.may_move(&key.settings)) {
            match self.is_moved(&loaded, record, key).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => {
                    let key = &key.kek;
                    tracing::warn!(error = %error.with_sources(), %key, "a key is not compared");
                }
            }
        }
        Ok(false)
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
