//! Derives keys from the root key in a key file, for the embedded platform.
//!
//! `docs/format.md` publishes the file and the derivation. So anyone with the file can
//! open every envelope that was sealed with it.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::primitives::{self, KeyBytes, NONCE_BYTES, PseudorandomKey, TAG_BYTES};
use super::{DataKey, KekId, WrapBinding, WrappedKey};

/// Length of a key file in bytes.
pub const KEY_FILE_BYTES: usize = 85;

/// The [`KekId::provider`] of local keys.
const PROVIDER: &str = "local";

/// Length of a wrapped key: nonce, ciphertext, tag.
const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

const MAGIC: &[u8; 4] = b"PLK1";
const FORMAT: u8 = 1;
const ID_AT: usize = 5;
const KEY_AT: usize = 21;
const CHECKSUM_AT: usize = 53;

/// A random root key and its identifier: the content of a key file.
///
/// # Security
///
/// Zeroized on drop, redacted `Debug`.
pub struct RootKey {
    id: Uuid,
    key: KeyBytes,
}

impl RootKey {
    /// Draws a root key and its identifier from the operating system.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let id = uuid::Builder::from_random_bytes(primitives::random()?);
        Ok(Self {
            id: id.into_uuid(),
            key: primitives::random_key()?,
        })
    }

    /// Decodes a key file; `None` if the bytes are not a key file, or are damaged.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file of another length.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file with another magic or format.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a key file whose SHA-256 differs.
    #[must_use]
    pub fn from_key_file(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY_FILE_BYTES] = bytes.try_into().ok()?;
        let (body, checksum) = bytes.split_at(CHECKSUM_AT);
        let known = body.starts_with(MAGIC) && body[4] == FORMAT;
        if !known || primitives::sha256(&[body]) != checksum {
            return None;
        }
        let id = Uuid::from_slice(&body[ID_AT..KEY_AT]).ok()?;
        let mut key = primitives::zeroed_key();
        key.copy_from_slice(&body[KEY_AT..]);
        Some(Self { id, key })
    }

    /// Encodes the key as a key file.
    //= docs/format.md#13-local-kek
    //# A writer MUST encode a key file as the fields of this table, in this order.
    #[must_use]
    pub fn to_key_file(&self) -> Box<Zeroizing<[u8; KEY_FILE_BYTES]>> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_FILE_BYTES]));
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = FORMAT;
        bytes[ID_AT..KEY_AT].copy_from_slice(self.id.as_bytes());
        bytes[KEY_AT..CHECKSUM_AT].copy_from_slice(self.key.as_slice());
        let checksum = primitives::sha256(&[&bytes[..CHECKSUM_AT]]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum);
        bytes
    }

    /// Returns the identifier, which is part of the identifier of each derived key.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// One organization's key encryption key, derived from a [`RootKey`].
///
/// # Security
///
/// Zeroized on drop, redacted `Debug`.
pub struct LocalKey {
    id: KekId,
    wrap_key: KeyBytes,
    mac_key: KeyBytes,
}

impl LocalKey {
    /// Derives the key of `organization`, which is its slug.
    ///
    /// The keys of organizations with the same root key reveal nothing about each
    /// other.
    //= docs/format.md#12-wrapped-deks
    //# A writer MUST NOT write an alias of a key as `kek_id`: it names the key permanently.
    //= docs/format.md#13-local-kek
    //# Writers and readers MUST derive the keys of an organization by these equations, in
    //# which `organization` is the organization's slug.
    //= docs/format.md#13-local-kek
    //# A writer MUST write `local` as `provider`, and as `kek_id` the file's UUID in lower
    //# case, `/` and the slug.
    #[must_use]
    pub fn new(root: &RootKey, organization: &str) -> Self {
        let prk = PseudorandomKey::extract(root.id.as_bytes(), root.key.as_slice());
        let expand = |label: &[u8]| prk.expand_key(&[MAGIC, label, organization.as_bytes()]);
        Self {
            id: KekId {
                provider: PROVIDER.to_owned(),
                id: format!("{}/{organization}", root.id),
            },
            wrap_key: expand(b"WRAPKEY"),
            mac_key: expand(b"MACKEY"),
        }
    }

    /// Returns the canonical identifier.
    #[must_use]
    pub fn id(&self) -> &KekId {
        &self.id
    }

    /// Returns a MAC of `message` under a key that wraps nothing.
    ///
    /// A MAC that is stored beside a database proves that this key file belongs to it.
    //= docs/format.md#13-local-kek
    //# A writer MUST NOT wrap with the MAC key of a key file.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        primitives::hmac(&self.mac_key, &[message])
    }

    /// Wraps `dek` under this key, bound to `binding`.
    ///
    /// # Errors
    ///
    /// The operating system returned no randomness.
    //= docs/format.md#13-local-kek
    //# A writer MUST draw the 12 bytes of the nonce at random for every wrap.
    pub fn wrap(
        &self,
        dek: &DataKey,
        binding: &WrapBinding,
    ) -> Result<WrappedKey, getrandom::Error> {
        Ok(self.wrap_with_nonce(dek, binding, &primitives::random()?))
    }

    /// Unwraps the result of [`wrap`](Self::wrap); `None` if the key or the binding
    /// differs, or if the result was altered.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a `wrapped` of another length than 60 bytes.
    #[must_use]
    pub fn unwrap(&self, wrapped: &WrappedKey, binding: &WrapBinding) -> Option<DataKey> {
        let bytes: &[u8; WRAPPED_BYTES] = wrapped.as_bytes().try_into().ok()?;
        let (nonce, rest) = bytes.split_first_chunk()?;
        let (ciphertext, tag) = rest.split_first_chunk()?;
        let ciphertext: &[u8; 32] = ciphertext;
        let mut key = primitives::zeroed_key();
        key.copy_from_slice(ciphertext);
        primitives::aead_open(
            &self.wrap_key,
            nonce,
            binding.as_bytes(),
            key.as_mut_slice(),
            tag.try_into().ok()?,
        )
        .ok()?;
        Some(DataKey::copy_of(&key))
    }

    /// Wraps with the given nonce.
    ///
    /// Only [`wrap`](Self::wrap), with a random nonce, and the frozen vectors may call
    /// it.
    pub(crate) fn wrap_with_nonce(
        &self,
        dek: &DataKey,
        binding: &WrapBinding,
        nonce: &[u8; NONCE_BYTES],
    ) -> WrappedKey {
        let mut ciphertext = primitives::zeroed_key();
        ciphertext.copy_from_slice(dek.expose());
        let tag = primitives::aead_seal(
            &self.wrap_key,
            nonce,
            binding.as_bytes(),
            ciphertext.as_mut_slice(),
        )
        .expect("AES-GCM takes 32 bytes");
        WrappedKey::new([nonce.as_slice(), ciphertext.as_slice(), &tag].concat())
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("id", &self.id.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
