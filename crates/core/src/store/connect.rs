//! How a store is opened from what the catalog keeps of its backend.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{SecretStore, StoreCapability, StoreError};
use planton_secret::SecretString;

/// What a backend's record says of where it stores. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// The type as a practitioner names it: `aws_secrets_manager`, `openbao`, ….
    pub kind: String,
    /// The first part of every object's name.
    pub name_prefix: String,
    /// The settings of that type by the practitioner's names; those that are not
    /// set are absent. Sorted, so that its JSON is canonical.
    pub configuration: BTreeMap<String, serde_json::Value>,
}

impl StoreSettings {
    /// Returns a setting that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.configuration.get(name)?.as_str()
    }

    /// Returns a setting that is true or false; false where it is not set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let value = self.configuration.get(name);
        value.and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// Returns a setting that is a whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.configuration.get(name)?.as_i64()
    }

    /// Returns a setting of a block within: `approle`, `role_id`.
    #[must_use]
    pub fn nested(&self, block: &str, name: &str) -> Option<&str> {
        self.configuration.get(block)?.get(name)?.as_str()
    }

    /// Returns true where a block within is set.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.configuration.contains_key(name)
    }
}

/// A static credential by the practitioner's names, without their `_wo`:
/// `secret_access_key`, `service_account_key_json`, `client_secret`, `token`,
/// `secret_id`, `jwt`. Empty for the vendor's ambient chain.
pub type StoreCredential = BTreeMap<String, SecretString>;

/// Opens stores; the one place that knows all types.
#[async_trait]
pub trait ConnectStore: Send + Sync + Debug + 'static {
    /// Returns what the stores of each known type can do, before any is opened.
    fn capabilities(&self) -> Vec<StoreCapability>;

    /// Returns what a store of this type can do; `None` for a type that this
    /// release does not know.
    fn capability(&self, kind: &str) -> Option<StoreCapability> {
        let mut known = self.capabilities().into_iter();
        known.find(|capability| capability.kind == kind)
    }

    /// Checks settings, and whether the credential goes with them where it is
    /// known, without any I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, or `Unauthenticated` where part of a credential is
    /// missing: its path is the name of the setting, its remedy says what it
    /// must be. No message repeats a credential.
    fn check(
        &self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError>;

    /// Opens a store. Sends nothing to the backend itself before the store's
    /// first verb, so that a process which never uses it pays nothing.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    async fn connect(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError>;
}
