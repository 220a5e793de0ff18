//! Authenticates every catalog record with the organization's MAC key.

use std::fmt;

use subtle::ConstantTimeEq;

use super::error::SealError;
use super::keys::DataKey;
use super::primitives;

/// An organization's MAC key: 256 random bits.
///
/// KEKs wrap it like a data key, with
/// [`WrapBinding::for_mac_key`](super::WrapBinding::for_mac_key).
///
/// # Security
///
/// Zeroized on drop, no `Clone`, redacted `Debug`.
pub struct MacKey(DataKey);

impl MacKey {
    /// Draws a new key from the operating system.
    ///
    /// # Errors
    ///
    /// `Randomness`.
    //= docs/format.md#17-catalog-mac
    //# A writer MUST draw the 32 bytes of a MAC key from the operating system's random number
    //# generator.
    pub fn generate() -> Result<Self, SealError> {
        DataKey::generate().map(Self).map_err(SealError::Randomness)
    }

    /// Uses a key that a KEK unwrapped as the MAC key.
    #[must_use]
    pub fn from_data_key(key: DataKey) -> Self {
        Self(key)
    }

    /// Returns the key, for a KEK to wrap.
    #[must_use]
    pub fn expose(&self) -> &DataKey {
        &self.0
    }

    /// Returns the MAC of the record `body` under the record key `key`.
    ///
    /// A record that is moved to another key does not verify.
    //= docs/format.md#17-catalog-mac
    //# A writer MUST compute the MAC of a record by this equation, over the record's exact
    //# bytes.
    #[must_use]
    pub fn mac(&self, key: &str, body: &[u8]) -> [u8; 32] {
        let length = (key.len() as u64).to_be_bytes();
        primitives::hmac(
            self.0.expose(),
            &[b"PSE1-RECORD", &length, key.as_bytes(), body],
        )
    }

    /// Returns a value that identifies the key, and from which nothing can be derived.
    //= docs/format.md#18-commitment-of-a-mac-key
    //# A writer MUST compute the commitment by this equation.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        primitives::hmac(self.0.expose(), &[b"PSE1-MACKEY-ID"])
    }

    /// Returns true if `mac` is the MAC of the record, in constant time.
    #[must_use]
    pub fn verify(&self, key: &str, body: &[u8], mac: &[u8]) -> bool {
        self.mac(key, body).as_slice().ct_eq(mac).into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= docs/format.md#17-catalog-mac
    //= type=test
    //# A writer MUST draw the 32 bytes of a MAC key from the operating system's random number
    //# generator.
    #[test]
    fn commitments_tell_keys_apart_and_are_no_records_mac() {
        let (one, other) = (MacKey::generate(), MacKey::generate());
        let (one, other) = (one.expect("randomness"), other.expect("randomness"));
        assert_eq!(one.commitment(), one.commitment());
        assert_ne!(one.commitment(), other.commitment());
        assert!(!one.verify("", b"", &one.commitment()));
    }

    #[test]
    fn verify_accepts_the_record_and_nothing_else() {
        let key = MacKey::generate().expect("randomness");
        let mac = key.mac("secrets/a", b"body");
        assert!(key.verify("secrets/a", b"body", &mac));

        let mut altered = mac;
        altered[31] ^= 1;
        assert!(!key.verify("secrets/a", b"body", &altered));
        assert!(!key.verify("secrets/a", b"body", &mac[..31]));
        assert!(!key.verify("secrets/a", b"body", &[]));
        assert!(!key.verify("secrets/b", b"body", &mac));
        assert!(!key.verify("secrets/a", b"bodY", &mac));
        assert!(!key.verify("secrets/ab", b"ody", &mac), "moved boundary");
        let other = MacKey::generate().expect("randomness");
        assert!(!other.verify("secrets/a", b"body", &mac));
    }

    #[test]
    fn mac_key_survives_its_passage_as_a_data_key() {
        let key = MacKey::generate().expect("randomness");
        let back = MacKey::from_data_key(DataKey::copy_of(key.expose().expose()));
        assert!(back.verify("k", b"b", &key.mac("k", b"b")));
        assert_eq!(format!("{back:?}"), "MacKey(redacted)");
    }
}
