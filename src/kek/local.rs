//! KEKs that a key file on this machine keeps: for the embedded platform.

mod file;

use std::fmt;

use async_trait::async_trait;

use super::{KekError, KekErrorKind, KeyEncryptionKey, ProvisionKek};
use crate::envelope::primitives::{self, KeyBytes, NONCE_BYTES, PseudorandomKey, TAG_BYTES};
use crate::envelope::{DataKey, KekId, WrapBinding, WrappedKey};
use crate::names::Slug;

pub use file::LocalKeyFile;

/// What [`KekId::provider`] says of these keys.
const PROVIDER: &str = "local";

/// The length of a wrapped key: nonce, ciphertext, tag.
const WRAPPED_BYTES: usize = NONCE_BYTES + 32 + TAG_BYTES;

/// One organization's KEK, derived from a key file. No I/O: the file was read
/// when it was opened.
pub struct LocalKek {
    id: KekId,
    wrap_key: KeyBytes,
    mac_key: KeyBytes,
}

impl LocalKek {
    /// Derives the KEK of `organization`. Organizations that share a file have
    /// keys that tell nothing of each other.
    #[must_use]
    pub fn new(file: &LocalKeyFile, organization: &Slug) -> Self {
        let prk = PseudorandomKey::extract(file.id().as_bytes(), file.root_key());
        let organization_bytes = organization.as_str().as_bytes();
        let expand = |label: &[u8]| prk.expand_key(&[b"PLK1", label, organization_bytes]);
        Self {
            id: KekId {
                provider: PROVIDER.to_owned(),
                id: format!("{}/{organization}", file.id()),
            },
            wrap_key: expand(b"WRAPKEY"),
            mac_key: expand(b"MACKEY"),
        }
    }

    /// Returns a MAC of `message` under a key that wraps nothing: it tells, by
    /// what was kept beside a database, whether this key file belongs to it.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        primitives::hmac(&self.mac_key, &[message])
    }

    /// Wraps under a nonce as it is. Apart from the frozen vectors only
    /// [`wrap`](KeyEncryptionKey::wrap) may call this, with a random one.
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

    fn open(&self, wrapped: &WrappedKey, binding: &WrapBinding) -> Option<DataKey> {
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

    fn error(&self, kind: KekErrorKind, operation: &'static str) -> KekError {
        KekError::new(kind, operation, self.id.id.as_str())
    }
}

#[async_trait]
impl KeyEncryptionKey for LocalKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    async fn wrap(&self, dek: &DataKey, binding: &WrapBinding) -> Result<WrappedKey, KekError> {
        let nonce = primitives::random().map_err(|source| {
            self.error(KekErrorKind::Unavailable, "wrap")
                .with_source(source)
        })?;
        Ok(self.wrap_with_nonce(dek, binding, &nonce))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, KekError> {
        self.open(wrapped, binding)
            .ok_or_else(|| self.error(KekErrorKind::Refused, "unwrap"))
    }
}

#[async_trait]
impl ProvisionKek for LocalKek {
    /// Has nothing to create: the key file is there, and the key is derived.
    async fn provision(&self) -> Result<(), KekError> {
        Ok(())
    }
}

impl fmt::Debug for LocalKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKek")
            .field("id", &self.id.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
