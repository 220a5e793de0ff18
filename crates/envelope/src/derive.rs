//! Derives the keys of one version from its data key.

use std::fmt;

use subtle::ConstantTimeEq;

use super::fingerprint::FingerprintKey;
use super::keys::DataKey;
use super::primitives::{self, KeyBytes};

/// The keys of one version, each with a single purpose.
pub(super) struct VersionKeys {
    /// Key that encrypts the payload, once.
    pub(super) encryption: KeyBytes,
    /// Commitment of the envelope to its data key.
    pub(super) commitment: KeyCommitment,
    /// Key of the fingerprints, which compare values without a decryption.
    pub(super) fingerprint: FingerprintKey,
}

impl VersionKeys {
    /// Derives the keys from the data key, the salt and the encoded context.
    //= docs/format.md#9-keys-of-a-version
    //# Writers and readers MUST derive the keys of a version by these equations, in which the
    //# salt is the salt of the extraction and the DEK its input key.
    pub(super) fn derive(key: &DataKey, salt: &[u8; 32], context: &[u8]) -> Self {
        let context = primitives::sha256(&[context]);
        let [encryption, commitment, fingerprint] = primitives::derive_keys(
            salt,
            key.expose(),
            [
                &[b"PSE1", b"DERIVEKEY", &context],
                &[b"PSE1", b"COMMITKEY", &context],
                &[b"PSE1", b"FINGERPRINT", &context],
            ],
        );
        Self {
            encryption,
            commitment: KeyCommitment(**commitment),
            fingerprint: FingerprintKey::new(fingerprint),
        }
    }
}

/// The commitment of an envelope to its data key; public once it is sealed.
///
/// It has no `PartialEq`: it is compared in constant time only.
pub(super) struct KeyCommitment([u8; 32]);

impl KeyCommitment {
    /// Returns the bytes, to store them or to bind to them.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns true if `stored` is this commitment.
    //= docs/format.md#10-payload
    //# A reader MUST compare the commitment in constant time.
    pub(super) fn is(&self, stored: &[u8; 32]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

impl fmt::Debug for VersionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VersionKeys(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataKey;
    use crate::tests::context;

    #[test]
    fn derived_keys_are_never_shown() {
        let key = DataKey::generate().expect("randomness");
        let keys = VersionKeys::derive(&key, &[0; 32], &context().encode());
        assert_eq!(format!("{keys:?}"), "VersionKeys(redacted)");
    }
}
