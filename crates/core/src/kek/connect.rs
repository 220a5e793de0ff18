//! How a KEK is opened from what the catalog keeps of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use planton_envelope::KekId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{KekError, KeyDescription, KeyEncryptionKey};
use crate::store::StoreCredential;

/// What a record says of a KEK. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KekSettings {
    /// The type as a practitioner names it: `aws_kms`, `vault_transit`, ….
    pub kind: String,
    /// The settings of that type by the practitioner's names; those that are not
    /// set are absent. Sorted, so that its JSON is canonical.
    pub configuration: BTreeMap<String, serde_json::Value>,
}

impl KekSettings {
    /// Returns a setting that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.configuration.get(name)?.as_str()
    }

    /// Returns SHA-256 of the canonical settings, to which a sealed credential is bound.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let json = serde_json::to_vec(self).expect("settings are plain JSON");
        Sha256::digest(json).into()
    }
}

/// A key as its keeper knows it.
#[derive(Clone, Debug)]
pub struct ResolvedKek {
    /// The permanent identifier, as the service answers it.
    pub id: KekId,
    /// What the service says of the key.
    pub description: KeyDescription,
    /// The open key.
    pub kek: Arc<dyn KeyEncryptionKey>,
}

/// Opens KEKs; the one place that knows all types.
#[async_trait]
pub trait ConnectKek: Send + Sync + Debug + 'static {
    /// Checks settings, and whether the credential goes with them where it is known,
    /// without any I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, or `Unauthenticated` if part of a credential is missing: its path
    /// is the name of the setting, its remedy says what the setting must be.
    fn check(
        &self,
        settings: &KekSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), KekError>;

    /// Asks the service for the key that `settings` name: resolves an alias, and refuses
    /// a key that cannot be used.
    ///
    /// # Errors
    ///
    /// By meaning; `PermissionDenied` with the grant that is missing.
    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<ResolvedKek, KekError>;

    /// Returns true if `settings` may name another key later, as an alias does.
    fn may_move(&self, settings: &KekSettings) -> bool;

    /// Returns whether `settings` by themselves name the key `id`, without a request: an
    /// alias does not. The service then need not be asked before `id` is opened.
    fn names(&self, settings: &KekSettings, id: &KekId) -> bool;

    /// Asks the service whether `settings` still name the key `id`. Sends nothing for
    /// settings that name one key for good.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    async fn is_still(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<bool, KekError>;

    /// Asks the service for the newest version of the key that `settings` name, where each
    /// version is a KEK with an identifier of its own; `None` without a request for all other
    /// types of keys.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    async fn newest_version(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let _ = (settings, credential);
        Ok(None)
    }

    /// Opens the key `id`, which `settings` resolved to when they were saved. Sends
    /// nothing before the key's first use.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); `Misconfigured` for a key that `settings` cannot name.
    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError>;
}
