//! Compares a value with a sealed one, without storing either.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;

use super::context::Context;
use super::derive::VersionKeys;
use super::keys::DataKey;
use super::primitives::{self, KeyBytes};
use planton_secret::SecretBytes;

/// The fingerprint of a plaintext: the first 32 bytes of an HMAC-SHA-512.
///
/// Its key is derived from the version's data key. Without that key, a fingerprint
/// reveals nothing, not even whether two versions contain the same value. It is stored
/// as 64 hexadecimal digits and compared in constant time.
#[derive(Clone, Copy)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Fingerprint([u8; 32]);

/// Error of a text that is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 lower-case hexadecimal digits")]
pub struct InvalidFingerprint;

impl Fingerprint {
    /// Returns the fingerprint of `plaintext` in the version with this data key, salt
    /// and context.
    #[must_use]
    pub fn compute(
        key: &DataKey,
        salt: &[u8; 32],
        context: &Context,
        plaintext: &SecretBytes,
    ) -> Self {
        VersionKeys::derive(key, salt, &context.encode())
            .fingerprint
            .fingerprint(plaintext)
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidFingerprint)?;
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidFingerprint);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// The key of one version's fingerprints.
pub(super) struct FingerprintKey(KeyBytes);

impl FingerprintKey {
    pub(super) fn new(key: KeyBytes) -> Self {
        Self(key)
    }

    //= docs/format.md#15-fingerprint
    //# A writer MUST compute the fingerprint of a version by this equation.
    pub(super) fn fingerprint(&self, plaintext: &SecretBytes) -> Fingerprint {
        Fingerprint(primitives::hmac(&self.0, &[plaintext.expose()]))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn fingerprint_round_trips_through_its_text() {
        let key = FingerprintKey::new(Box::new(Zeroizing::new([7; 32])));
        let fingerprint = key.fingerprint(&SecretBytes::from(b"x".as_slice()));
        let json = serde_json::to_string(&fingerprint).expect("json");
        assert_eq!(json, format!("\"{fingerprint}\""));
        assert_eq!(
            format!("{fingerprint:?}"),
            format!("Fingerprint({fingerprint})")
        );
        let back: Fingerprint = serde_json::from_str(&json).expect("fingerprint");
        assert_eq!(back, fingerprint);
        assert_ne!(back, key.fingerprint(&SecretBytes::from(b"y".as_slice())));
    }

    #[test]
    fn fingerprint_has_one_text_only() {
        for bad in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"a".repeat(66)] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }
}
