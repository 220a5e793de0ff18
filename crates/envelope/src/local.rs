//! Derives keys from a root key in a key file, for the embedded platform.
//!
//! `docs/format.md` publishes the derivation. So anyone with the file can open every
//! envelope that was sealed with it.

use std::fmt;

use super::key_file::{MAGIC, RootKey};
use super::primitives::{self, KeyBytes, NONCE_BYTES, TAG_BYTES};
use super::{DataKey, KekId, WrapBinding, WrappedKey};

/// The [`KekId::provider`] of local keys.
const PROVIDER: &str = "local";

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
    /// The length of a wrapped key in bytes: nonce, ciphertext, tag.
    pub const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

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
    //# A writer MUST write `local` as `provider`, and as `kek_id` the root key's UUID in lower
    //# case, `/` and the slug.
    #[must_use]
    pub fn new(root: &RootKey, organization: &str) -> Self {
        let [wrap_key, mac_key] = primitives::derive_keys(
            root.id().as_bytes(),
            root.expose(),
            [
                &[MAGIC, b"WRAPKEY", organization.as_bytes()],
                &[MAGIC, b"MACKEY", organization.as_bytes()],
            ],
        );
        Self {
            id: KekId {
                provider: PROVIDER.to_owned(),
                id: format!("{}/{organization}", root.id()),
            },
            wrap_key,
            mac_key,
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
    ///
    /// # Security
    ///
    /// The nonce is hedged as the salt of an envelope is: a generator that repeats itself
    /// gives two wraps two nonces.
    //= docs/format.md#13-local-kek
    //# A writer MUST draw 32 new bytes R from the operating system's random number generator
    //# for every wrap, and use the first 12 bytes of `HMAC32(R, binding ‖ DEK)` as nonce.
    pub fn wrap(
        &self,
        dek: &DataKey,
        binding: &WrapBinding,
    ) -> Result<WrappedKey, getrandom::Error> {
        let random = primitives::random_key()?;
        Ok(self.wrap_with_nonce(dek, binding, &hedged_nonce(&random, dek, binding)))
    }

    /// Unwraps the result of [`wrap`](Self::wrap); `None` if the key or the binding
    /// differs, or if the result was altered.
    //= docs/format.md#13-local-kek
    //# A reader MUST refuse a `wrapped` of another length than 60 bytes.
    #[must_use]
    pub fn unwrap(&self, wrapped: &WrappedKey, binding: &WrapBinding) -> Option<DataKey> {
        let bytes: &[u8; Self::WRAPPED_BYTES] = wrapped.as_bytes().try_into().ok()?;
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

    /// Returns the key that wraps, to search memory for it.
    #[cfg(test)]
    pub(crate) fn wrap_key_bytes(&self) -> &[u8] {
        self.wrap_key.as_slice()
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

/// Returns the nonce of a wrap, keyed by fresh randomness.
fn hedged_nonce(random: &[u8; 32], dek: &DataKey, binding: &WrapBinding) -> [u8; NONCE_BYTES] {
    let whole = primitives::hmac(random, &[binding.as_bytes(), dek.expose()]);
    *whole
        .first_chunk()
        .expect("32 bytes have a first chunk of 12")
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
