//! Defines the keys that a KEK and an envelope exchange.

use std::fmt;

use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::primitives::{self, KeyBytes};
use planton_secret::SecretBytes;

/// A data encryption key: 256 random bits, one per secret version.
///
/// # Security
///
/// Zeroized on drop, no `Clone`, redacted `Debug`.
pub struct DataKey(KeyBytes);

impl DataKey {
    /// Copies a key that a KEK unwrapped; the caller zeroizes the original.
    #[must_use]
    pub fn copy_of(bytes: &[u8; 32]) -> Self {
        let mut key = primitives::zeroed_key();
        key.copy_from_slice(bytes);
        Self(key)
    }

    /// Returns the key, for a KEK to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the key and `binding`, for a KEK that takes no associated data (RSA, age):
    /// both are encrypted together.
    //= docs/format.md#12-wrapped-deks
    //# For a KEK that takes no associated data, a writer MUST wrap the 64 bytes
    //# `DEK ‖ binding` in place of the DEK.
    #[must_use]
    pub fn with_binding(&self, binding: &WrapBinding) -> SecretBytes {
        SecretBytes::new([self.0.as_slice(), binding.as_bytes()].concat())
    }

    /// Returns the key out of [`with_binding`](Self::with_binding); `None` for another
    /// binding or length.
    //= docs/format.md#12-wrapped-deks
    //# A reader MUST refuse such a wrap if it does not contain exactly 64 bytes that end in
    //# the binding.
    #[must_use]
    pub fn from_bound(bytes: &SecretBytes, binding: &WrapBinding) -> Option<Self> {
        let (key, bound) = bytes.expose().split_first_chunk()?;
        // The binding is not secret. Constant time costs nothing, and needs no argument.
        bool::from(bound.ct_eq(binding.as_bytes().as_slice())).then(|| Self::copy_of(key))
    }

    /// Draws a new key from the operating system.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        primitives::random_key().map(Self)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

impl ConstantTimeEq for DataKey {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(other.0.as_slice())
    }
}

/// The canonical identifier of a KEK.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KekId {
    /// Provider of the key: `local`, `transit`, `aws_kms`, …; at most 32 bytes.
    pub provider: String,
    /// Identifier of the key in the provider's own terms; at most 512 bytes.
    pub id: String,
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// The value that a wrapped key is bound to, so the key does not open in another
/// context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrapBinding([u8; 32]);

impl WrapBinding {
    /// Binds an organization's MAC key to the organization and the KEK.
    ///
    /// The binding has its own domain, so no wrapped data key opens as a MAC key.
    //= docs/format.md#17-catalog-mac
    //# A writer MUST bind each wrap of a MAC key to this value, in which `organization` is the
    //# UUID.
    #[must_use]
    pub fn for_mac_key(organization: Uuid, kek: &KekId) -> Self {
        Self::digest(b"PSE1-MACKEY", organization.as_bytes(), kek, &[])
    }

    /// Binds a throw-away key, in a domain of its own: it opens as nothing else.
    #[must_use]
    pub fn for_probe(probe: Uuid, kek: &KekId) -> Self {
        Self::digest(b"PSE1-PROBE", probe.as_bytes(), kek, &[])
    }

    /// Binds a version's data key to its context, the KEK and the key commitment.
    //= docs/format.md#12-wrapped-deks
    //# A writer MUST bind each wrap to this value, so that it opens neither in another
    //# envelope nor under another KEK's name.
    pub(super) fn for_data_key(context: &[u8], kek: &KekId, commitment: &[u8; 32]) -> Self {
        Self::digest(b"PSE1-WRAP", context, kek, commitment)
    }

    /// Returns the bytes: the `context` of Transit, the associated data of a cloud KMS.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn digest(label: &[u8], context: &[u8], kek: &KekId, commitment: &[u8]) -> Self {
        Self(primitives::sha256(&[
            label,
            context,
            &length(&kek.provider),
            kek.provider.as_bytes(),
            &length(&kek.id),
            kek.id.as_bytes(),
            commitment,
        ]))
    }
}

/// A data key wrapped by a KEK; at most 2 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(Vec<u8>);

impl WrappedKey {
    /// Stores the bytes that a KEK returned.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Encodes a length as two bytes.
///
/// A length beyond u16 saturates. No envelope can contain such an identifier, and the
/// identifiers of KEKs are far shorter.
fn length(text: &str) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(provider: &str, id: &str) -> KekId {
        KekId {
            provider: provider.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn binding_differs_in_every_part() {
        let base = WrapBinding::for_data_key(&[1; 60], &kek("local", "a"), &[2; 32]);
        for other in [
            WrapBinding::for_data_key(&[3; 60], &kek("local", "a"), &[2; 32]),
            WrapBinding::for_data_key(&[1; 60], &kek("loca", "la"), &[2; 32]),
            WrapBinding::for_data_key(&[1; 60], &kek("local", "b"), &[2; 32]),
            WrapBinding::for_data_key(&[1; 60], &kek("local", "a"), &[4; 32]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn binding_of_a_mac_key_is_a_domain_of_its_own() {
        let organization = Uuid::from_bytes([1; 16]);
        let mac = WrapBinding::for_mac_key(organization, &kek("local", "a"));
        let data = WrapBinding::digest(
            b"PSE1-WRAP",
            organization.as_bytes(),
            &kek("local", "a"),
            &[],
        );
        assert_ne!(mac, data);
        assert_ne!(
            mac,
            WrapBinding::for_mac_key(Uuid::nil(), &kek("local", "a"))
        );
    }

    //= docs/format.md#12-wrapped-deks
    //= type=test
    //# For a KEK that takes no associated data, a writer MUST wrap the 64 bytes
    //# `DEK ‖ binding` in place of the DEK.
    //= docs/format.md#12-wrapped-deks
    //= type=test
    //# A reader MUST refuse such a wrap if it does not contain exactly 64 bytes that end in
    //# the binding.
    #[test]
    fn bound_key_comes_out_for_its_own_binding_only() {
        let key = DataKey::copy_of(&[0xab; 32]);
        let binding = WrapBinding::for_data_key(&[1; 60], &kek("age", "a"), &[2; 32]);
        let other = WrapBinding::for_data_key(&[1; 60], &kek("age", "b"), &[2; 32]);
        let bound = key.with_binding(&binding);
        assert_eq!(
            bound.expose(),
            [&[0xab; 32][..], binding.as_bytes()].concat()
        );
        let back = DataKey::from_bound(&bound, &binding).expect("its own binding");
        assert!(bool::from(back.ct_eq(&key)));
        assert!(DataKey::from_bound(&bound, &other).is_none());
        for length in (0..64).chain([65]) {
            let mut bytes = bound.expose().to_vec();
            bytes.resize(length, 0);
            assert!(DataKey::from_bound(&SecretBytes::new(bytes), &binding).is_none());
        }
    }

    #[test]
    fn data_key_debug_never_shows_the_key() {
        let key = DataKey::copy_of(&[0xab; 32]);
        assert_eq!(format!("{key:?}"), "DataKey(redacted)");
    }

    #[test]
    fn kek_id_shows_its_identifier() {
        assert_eq!(kek("local", "file/acme").to_string(), "file/acme");
    }
}
