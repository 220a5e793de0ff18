//! From a data key to the keys of one version.

use std::fmt;

use super::fingerprint::FingerprintKey;
use super::keys::DataKey;
use super::primitives::{self, KeyBytes, PseudorandomKey};

/// The keys of one version, each for one use.
pub(super) struct VersionKeys {
    /// Encrypts the payload, once.
    pub(super) encryption: KeyBytes,
    /// Commits the envelope to its data key; public once it is sealed.
    pub(super) commitment: [u8; 32],
    /// Tells equal values, without a decryption.
    pub(super) fingerprint: FingerprintKey,
}

impl VersionKeys {
    /// Derives the keys from the data key, the salt and the encoded context.
    pub(super) fn derive(key: &DataKey, salt: &[u8; 32], context: &[u8]) -> Self {
        let prk = PseudorandomKey::extract(salt, key.expose());
        let context = primitives::sha256(&[context]);
        let expand = |label: &[u8]| prk.expand_key(&[b"PSE1", label, &context]);
        Self {
            encryption: expand(b"DERIVEKEY"),
            commitment: **expand(b"COMMITKEY"),
            fingerprint: FingerprintKey::new(expand(b"FINGERPRINT")),
        }
    }
}

impl fmt::Debug for VersionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VersionKeys(redacted)")
    }
}
