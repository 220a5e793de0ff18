//! Opens a store with the settings and the credential of its backend.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{SecretStore, StoreCapability, StoreError};
use planton_secret::SecretString;

/// The settings of a store, as a backend's record contains them. They are not secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// Type of the store as configured: `aws_secrets_manager`, `openbao`, ….
    pub kind: String,
    /// First part of the name of every object.
    pub name_prefix: String,
    /// Settings of that type, by their configured names; settings that are not set are
    /// absent. They are sorted, so their JSON is canonical.
    pub configuration: BTreeMap<String, serde_json::Value>,
}

impl StoreSettings {
    /// Returns the value of a text setting.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.configuration.get(name)?.as_str()
    }

    /// Returns the value of a boolean setting; false if it is not set.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        let value = self.configuration.get(name);
        value.and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// Returns the value of an integer setting.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.configuration.get(name)?.as_i64()
    }

    /// Returns the value of a text setting in a block, such as `role_id` in `approle`.
    #[must_use]
    pub fn nested(&self, block: &str, name: &str) -> Option<&str> {
        self.configuration.get(block)?.get(name)?.as_str()
    }

    /// Returns the SHA-256 of the canonical settings.
    ///
    /// A sealed credential is bound to it, and a place of storage is recognized by it.
    /// The JSON is canonical because all its maps are sorted and all its numbers are
    /// integers.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST encode the configuration without white space, with the members `kind`,
    //# `name_prefix` and `configuration` in this order.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST sort the keys of `configuration` by their UTF-8 bytes, in ascending order
    //# and at every level.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST escape the strings of the configuration as in [section 22](#22-values).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let json = serde_json::to_vec(self).expect("settings are plain JSON");
        Sha256::digest(json).into()
    }

    /// Returns true if the setting or block `name` is set.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.configuration.contains_key(name)
    }
}

/// A static credential by the configured names, without their `_wo`:
/// `secret_access_key`, `service_account_key_json`, `client_secret`, `token`,
/// `secret_id`, `jwt`.
///
/// It is empty for the vendor's ambient credential chain.
pub type StoreCredential = BTreeMap<String, SecretString>;

/// Opens stores of every supported type.
#[async_trait]
pub trait ConnectStore: Send + Sync + Debug + 'static {
    /// Returns the capabilities of each supported type, without an open store.
    fn capabilities(&self) -> Vec<StoreCapability>;

    /// Returns the capability of a type; `None` if this release does not support it.
    fn capability(&self, kind: &str) -> Option<StoreCapability> {
        let mut known = self.capabilities().into_iter();
        known.find(|capability| capability.kind == kind)
    }

    /// Checks the settings, and the credential against them if it is given, without any
    /// I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, or `Unauthenticated` if part of a credential is missing. The
    /// path of the error is the name of the setting, and the remedy names the allowed
    /// values. No message repeats a credential.
    fn check(
        &self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError>;

    /// Opens a store.
    ///
    /// It sends nothing to the backend before the first call of a verb, so an unused
    /// store costs nothing.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(kind: &str, region: &str) -> StoreSettings {
        StoreSettings {
            kind: kind.to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: [
                ("region".to_owned(), region.into()),
                ("endpoint".to_owned(), "https://example.com".into()),
            ]
            .into(),
        }
    }

    #[test]
    fn every_setting_counts_in_the_digest_and_their_order_does_not() {
        let one = settings("aws", "eu-west-1").digest();
        assert_eq!(one, settings("aws", "eu-west-1").digest());
        assert_ne!(one, settings("aws", "eu-west-2").digest());
        assert_ne!(one, settings("gcp", "eu-west-1").digest());
        let mut other = settings("aws", "eu-west-1");
        other.name_prefix = "other".to_owned();
        assert_ne!(one, other.digest());
        // This JSON must not change: sealed credentials are bound to its digest.
        assert_eq!(
            serde_json::to_string(&settings("aws", "eu-west-1"))
                .as_deref()
                .ok(),
            Some(
                r#"{"kind":"aws","name_prefix":"planton","configuration":{"endpoint":"https://example.com","region":"eu-west-1"}}"#
            )
        );
    }
}
