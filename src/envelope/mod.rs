//! Seals and opens secret versions: envelope format 1. No I/O at all.
//!
//! `docs/format.md` publishes the format; the vectors in `tests/vectors` freeze
//! it. [`Sealer`] makes an [`Envelope`], [`Envelope::open`] opens one, and
//! [`SecretValue`] is what a practitioner's plaintext looks like inside.

mod context;
mod derive;
mod error;
mod fingerprint;
mod format;
mod keys;
mod limits;
mod mac;
mod open;
pub(crate) mod primitives;
mod seal;
mod value;

pub use context::{Context, Purpose};
pub use error::{EnvelopeError, SealError};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use format::{Envelope, TEXT_PREFIX};
pub use keys::{DataKey, KekId, WrapBinding, WrappedKey};
pub use limits::{
    MAX_KEK_ID_BYTES, MAX_PROVIDER_BYTES, MAX_WRAPPED_KEY_BYTES, MAX_WRAPPED_KEYS,
    max_plaintext_bytes,
};
pub use mac::MacKey;
pub use open::Opened;
pub use seal::Sealer;
pub use value::{InvalidValue, SecretKind, SecretValue};

<<<<<<< HEAD
#[cfg(test)]
mod tests;
=======
/// A data encryption key: 256 random bits, one per secret version.
///
/// # Security
///
/// Zeroized on drop, no `Clone`, redacted `Debug`.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// Takes key bytes that a KEK unwrapped.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Returns the key; for a KEK to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KekId {
    /// Who keeps the key: `local`, `transit`, `aws_kms`, …; at most 32 bytes.
    pub provider: String,
    /// The key in its keeper's own terms; at most 512 bytes.
    pub id: String,
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// What a wrap is bound to: a wrap moved to another context does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrapBinding([u8; 32]);

impl WrapBinding {
    /// Binds an organization's MAC key to the organization and the KEK.
    #[must_use]
    pub fn for_mac_key(organization: uuid::Uuid, kek: &KekId) -> Self {
        use sha2::{Digest, Sha256};
        let digest = Sha256::new()
            .chain_update(b"PSE1-MACKEY")
            .chain_update(organization.as_bytes())
            .chain_update(kek.id.as_bytes());
        Self(digest.finalize().into())
    }

    /// Returns the bytes: Transit's `context`, a cloud KMS's associated data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A data key as a KEK wrapped it; at most 1 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(Vec<u8>);

impl WrappedKey {
    /// Takes what a KEK gave out.
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
>>>>>>> openbao
