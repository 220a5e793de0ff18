//! What the catalog holds of KEKs.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SealedCredential;
use crate::kek::KekSettings;
use planton_envelope::KekId;

/// A KEK of the customer's own, or an escrow key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KekRecord {
    /// The permanent identifier, as the service answered it when the key was saved.
    pub kek: KekId,
    /// The key's settings; nothing secret.
    pub settings: KekSettings,
    /// The sealed credential; absent where the vendor's ambient chain applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SealedCredential>,
}

/// The KEKs of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendKeys {
    /// The main key; absent for the organization's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<KekRecord>,
    /// Keys under which each data key is wrapped as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escrow: Vec<KekRecord>,
    /// Keys that versions may still be wrapped under. They only unwrap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<KekRecord>,
}

impl BackendKeys {
    /// Returns true for a backend that uses the organization's key alone.
    #[must_use]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true if a key that wraps has a sealed credential.
    #[must_use]
    pub(crate) fn has_credential(&self) -> bool {
        let mut wrapping = self.encryption.iter().chain(&self.escrow);
        wrapping.any(|key| key.credential.is_some())
    }

    /// Returns SHA-256 of the identifiers and settings of the keys that wrap, in
    /// hexadecimal: a state that has seen it notices an older record. Absent if the
    /// organization's key alone wraps.
    #[must_use]
    pub(crate) fn digest(&self) -> Option<String> {
        if self.encryption.is_none() && self.escrow.is_empty() {
            return None;
        }
        let part = |record: &KekRecord| (record.kek.clone(), record.settings.clone());
        let encryption = self.encryption.as_ref().map(part);
        let escrow: Vec<_> = self.escrow.iter().map(part).collect();
        let json = serde_json::to_vec(&(encryption, escrow)).expect("records are plain JSON");
        Some(hex::encode(Sha256::digest(json)))
    }
}
