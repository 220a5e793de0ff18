//! Seals a plaintext in an envelope.

use std::fmt;

use zeroize::Zeroizing;

use super::context::Context;
use super::derive::VersionKeys;
use super::error::SealError;
use super::fingerprint::Fingerprint;
use super::format::{Envelope, PAYLOAD_OVERHEAD_BYTES};
use super::keys::{DataKey, KekId, WrapBinding, WrappedKey};
use super::primitives::{self, NONCE_BYTES};
use planton_secret::SecretBytes;

/// The nonce of a payload. It is constant because each encryption key is used only
/// once.
pub(super) const PAYLOAD_NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

/// A new data key and salt, to seal one plaintext in one context.
///
/// Call [`new`](Self::new), wrap [`data_key`](Self::data_key) under each KEK with its
/// [`binding`](Self::binding), then call [`seal`](Self::seal).
///
/// # Security
///
/// Sealing consumes the sealer, so no key ever encrypts twice.
pub struct Sealer {
    context: Context,
    encoded_context: Vec<u8>,
    key: DataKey,
    salt: [u8; 32],
    keys: VersionKeys,
}

impl Sealer {
    /// Draws a data key and a salt from the operating system.
    ///
    /// # Errors
    ///
    /// `Randomness` if there is none; `Context` if a secret has a configuration digest,
    /// or a credential lacks one.
    //= docs/format.md#9-keys-of-a-version
    //# A writer MUST draw a new DEK and a new salt from the operating system's random number
    //# generator for every version.
    pub fn new(context: Context) -> Result<Self, SealError> {
        let key = DataKey::generate().map_err(SealError::Randomness)?;
        let salt = primitives::random().map_err(SealError::Randomness)?;
        Self::from_parts(context, key, salt)
    }

    /// Creates a sealer with the given key and salt.
    ///
    /// Only [`new`](Self::new) and the frozen vectors may call it. A key and a salt
    /// that seal twice reveal the value.
    pub(super) fn from_parts(
        context: Context,
        key: DataKey,
        salt: [u8; 32],
    ) -> Result<Self, SealError> {
        if !context.is_well_formed() {
            return Err(SealError::Context);
        }
        let encoded_context = context.encode();
        let keys = VersionKeys::derive(&key, &salt, &encoded_context);
        Ok(Self {
            context,
            encoded_context,
            key,
            salt,
            keys,
        })
    }

    /// Returns the data key, for KEKs to wrap.
    #[must_use]
    pub fn data_key(&self) -> &DataKey {
        &self.key
    }

    /// Returns the binding of the data key when `kek` wraps it.
    #[must_use]
    pub fn binding(&self, kek: &KekId) -> WrapBinding {
        WrapBinding::for_data_key(&self.encoded_context, kek, self.keys.commitment.as_bytes())
    }

    /// Returns the fingerprint of `plaintext` in this version.
    #[must_use]
    pub fn fingerprint(&self, plaintext: &SecretBytes) -> Fingerprint {
        self.keys.fingerprint.fingerprint(plaintext)
    }

    /// Encrypts `plaintext` and puts the wrapped keys before it.
    ///
    /// # Errors
    ///
    /// Every other variant of [`SealError`], if `wrapped` or `plaintext` exceeds a
    /// limit of the format.
    //= docs/format.md#10-payload
    //# A writer MUST encrypt the payload by this equation, in which `length` is the four bytes
    //# of the plaintext's length.
    //= docs/format.md#10-payload
    //# A writer MUST NOT encrypt more than one plaintext under a DEK and a salt.
    pub fn seal(
        self,
        wrapped: Vec<(KekId, WrappedKey)>,
        plaintext: &SecretBytes,
    ) -> Result<Envelope, SealError> {
        let length = u32::try_from(plaintext.len())
            .map_err(|_| SealError::PlaintextTooLong)?
            .to_be_bytes();
        let associated_data = [self.encoded_context.as_slice(), &length].concat();

        // Allocated at its full size: a growing buffer would leave plaintext behind.
        let mut payload =
            Zeroizing::new(Vec::with_capacity(PAYLOAD_OVERHEAD_BYTES + plaintext.len()));
        payload.extend_from_slice(&self.salt);
        payload.extend_from_slice(self.keys.commitment.as_bytes());
        payload.extend_from_slice(&length);
        let start = payload.len();
        payload.extend_from_slice(plaintext.expose());
        let tag = primitives::aead_seal(
            &self.keys.encryption,
            &PAYLOAD_NONCE,
            &associated_data,
            &mut payload[start..],
        )
        .map_err(|_| SealError::PlaintextTooLong)?;
        payload.extend_from_slice(&tag);

        Envelope::from_sealed(&self.context, wrapped, std::mem::take(&mut *payload))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
