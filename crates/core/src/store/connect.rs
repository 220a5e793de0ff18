//! How a store is opened from what the catalog keeps of its backend.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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

    /// Returns SHA-256 of the canonical settings: what a sealed credential is
    /// bound to, and what a place of storage is recognized by.
    ///
    /// The JSON is canonical because all its maps are sorted and it holds no
    /// number but whole ones.
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
        // Frozen: credentials that are sealed already hang on it.
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
