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
/// Sealing consumes the sealer, so no key encrypts twice. This compiles:
///
/// ```
/// use planton_envelope::{KekId, SealError, Sealer, WrappedKey};
///
/// fn seal(sealer: Sealer<'_>, wraps: Vec<(KekId, WrappedKey)>) -> Result<(), SealError> {
///     sealer.seal(wraps.clone())?;
///     Ok(())
/// }
/// ```
///
/// With a second use of the sealer, it does not:
///
/// ```compile_fail,E0382
/// use planton_envelope::{KekId, SealError, Sealer, WrappedKey};
///
/// fn seal(sealer: Sealer<'_>, wraps: Vec<(KekId, WrappedKey)>) -> Result<(), SealError> {
///     sealer.seal(wraps.clone())?;
///     sealer.seal(wraps)?;
///     Ok(())
/// }
/// ```
pub struct Sealer<'a> {
    context: Context,
    plaintext: &'a SecretBytes,
    encoded_context: Vec<u8>,
    key: DataKey,
    salt: [u8; 32],
    keys: VersionKeys,
}

impl<'a> Sealer<'a> {
    /// Draws a data key and a salt for `plaintext` from the operating system.
    ///
    /// # Errors
    ///
    /// `Randomness` if the operating system gives none; `Context` for a secret's context
    /// with an extension, and for another one without.
    ///
    /// # Security
    ///
    /// The salt is hedged: it depends on `plaintext` too. If the generator repeats itself,
    /// as after the restore of a virtual machine's snapshot, two plaintexts still get two
    /// salts, hence two encryption keys. RFC 8937 hedges signatures the same way.
    //= docs/format.md#9-keys-of-a-version
    //# A writer MUST draw a new DEK and 32 new bytes R from the operating system's random
    //# number generator for every version.
    pub fn new(context: Context, plaintext: &'a SecretBytes) -> Result<Self, SealError> {
        let key = DataKey::generate().map_err(SealError::Randomness)?;
        let random = primitives::random_key().map_err(SealError::Randomness)?;
        let salt = hedged_salt(&random, &key, plaintext);
        Self::from_parts(context, plaintext, key, salt)
    }

    /// Creates a sealer with the given key and salt.
    ///
    /// Only [`new`](Self::new) and the frozen vectors may call it. A key and a salt
    /// that seal twice reveal the value.
    pub(super) fn from_parts(
        context: Context,
        plaintext: &'a SecretBytes,
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
            plaintext,
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

    /// Returns the fingerprint that the plaintext has in this version.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.keys.fingerprint.fingerprint(self.plaintext)
    }

    /// Encrypts the plaintext and puts the wrapped keys in front of it.
    ///
    /// # Errors
    ///
    /// Every other variant of [`SealError`], if `wrapped` or the plaintext exceeds a limit
    /// of the format.
    //= docs/format.md#10-payload
    //# A writer MUST encrypt the payload by this equation, in which `length` is the four bytes
    //# of the plaintext's length.
    //= docs/format.md#10-payload
    //# A writer MUST NOT encrypt more than one plaintext under a DEK and a salt.
    pub fn seal(self, wrapped: Vec<(KekId, WrappedKey)>) -> Result<Envelope, SealError> {
        let plaintext = self.plaintext;
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

/// Returns the salt for `plaintext`, keyed by fresh randomness that is not stored. The DEK
/// keeps a salt from confirming a guess of the plaintext, even to somebody who knows that
/// randomness.
//= docs/format.md#9-keys-of-a-version
//# A writer MUST compute the salt as `HMAC32(R, "PSE1-SALT" ‖ DEK ‖ plaintext)`.
//= docs/format.md#9-keys-of-a-version
//# A writer MUST NOT store R.
fn hedged_salt(random: &[u8; 32], key: &DataKey, plaintext: &SecretBytes) -> [u8; 32] {
    let parts: [&[u8]; 3] = [b"PSE1-SALT", key.expose().as_slice(), plaintext.expose()];
    primitives::hmac(random, &parts)
}

impl fmt::Debug for Sealer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= docs/format.md#9-keys-of-a-version
    //= type=test
    //# A writer MUST compute the salt as `HMAC32(R, "PSE1-SALT" ‖ DEK ‖ plaintext)`.
    //= docs/format.md#9-keys-of-a-version
    //= type=test
    //# A writer MUST NOT store R.
    #[test]
    fn repeated_randomness_gives_two_plaintexts_two_salts_and_two_keys() {
        let key = DataKey::copy_of(&[9; 32]);
        let of = |text: &str| hedged_salt(&[7; 32], &key, &SecretBytes::from(text.as_bytes()));
        let (one, two) = (of("one"), of("two"));
        assert_eq!(one, of("one"));
        assert_ne!(one, two);
        assert_ne!(one, [7; 32]);
        let other = DataKey::copy_of(&[8; 32]);
        assert_ne!(
            one,
            hedged_salt(&[7; 32], &other, &SecretBytes::from("one".as_bytes()))
        );
        let keys = [one, two].map(|salt| VersionKeys::derive(&key, &salt, b"context"));
        assert_ne!(keys[0].encryption, keys[1].encryption);
    }
}
