//! Opens an envelope.

use std::fmt;

use zeroize::Zeroizing;

use super::context::Context;
use super::derive::VersionKeys;
use super::error::EnvelopeError;
use super::fingerprint::{Fingerprint, FingerprintKey};
use super::format::Envelope;
use super::keys::{DataKey, KekId, WrapBinding};
use super::primitives;
use super::seal::PAYLOAD_NONCE;
use planton_secret::SecretBytes;

impl Envelope {
    /// Returns the binding of a key that `kek` wrapped, in the context that the
    /// envelope claims.
    ///
    /// The claim of a credential is incomplete, so this binding unwraps nothing. Use
    /// [`binding_in`](Self::binding_in) for a credential.
    #[must_use]
    pub fn binding(&self, kek: &KekId) -> WrapBinding {
        self.binding_in(self.context(), kek)
    }

    /// Returns the binding of a key that `kek` wrapped, in the context `expected`.
    ///
    /// The binding unwraps nothing if the envelope belongs to another context.
    //= docs/format.md#11-opening
    //# A reader MUST compute the binding from the catalog's `CTX`.
    #[must_use]
    pub fn binding_in(&self, expected: &Context, kek: &KekId) -> WrapBinding {
        WrapBinding::for_data_key(&expected.encode(), kek, self.commitment())
    }

    /// Decrypts the payload if `key` is the envelope's own and its context is `expected`.
    ///
    /// The caller takes `expected` from the catalog, never from the envelope.
    ///
    /// # Errors
    ///
    /// `Refused`, whatever the reason.
    //= docs/format.md#7-context
    //# A reader MUST take `CTX` from the catalog's record of the version, not from the
    //# envelope.
    pub fn open(&self, key: &DataKey, expected: &Context) -> Result<Opened, EnvelopeError> {
        let keys = self.unlock(key, expected)?;
        let associated_data = [expected.encode().as_slice(), self.length_bytes()].concat();
        let mut plaintext = Zeroizing::new(self.ciphertext().to_vec());
        primitives::aead_open(
            &keys.encryption,
            &PAYLOAD_NONCE,
            &associated_data,
            &mut plaintext,
            self.tag(),
        )
        .map_err(|_| EnvelopeError::Refused)?;
        Ok(Opened {
            plaintext: SecretBytes::new(std::mem::take(&mut *plaintext)),
            fingerprint: keys.fingerprint,
        })
    }

    /// Returns the fingerprint of `candidate` in this version, without a decryption.
    ///
    /// It rejects every envelope that [`open`](Self::open) rejects, except one with an
    /// altered ciphertext.
    ///
    /// # Errors
    ///
    /// `Refused`, whatever the reason.
    pub fn fingerprint(
        &self,
        key: &DataKey,
        expected: &Context,
        candidate: &SecretBytes,
    ) -> Result<Fingerprint, EnvelopeError> {
        let keys = self.unlock(key, expected)?;
        Ok(keys.fingerprint.fingerprint(candidate))
    }

    /// Returns whether `key` is the envelope's own and its context is `expected`, without
    /// a decryption.
    #[must_use]
    pub fn is_key(&self, key: &DataKey, expected: &Context) -> bool {
        self.unlock(key, expected).is_ok()
    }

    /// Derives the keys, and rejects a foreign context or key before any decryption.
    //= docs/format.md#7-context
    //# A reader MUST refuse an envelope whose own identifiers differ from those of `CTX`.
    //= docs/format.md#10-payload
    //# A reader MUST NOT decrypt a payload whose commitment differs from CK.
    fn unlock(&self, key: &DataKey, expected: &Context) -> Result<VersionKeys, EnvelopeError> {
        let keys = VersionKeys::derive(key, self.salt(), &expected.encode());
        let committed = keys.commitment.is(self.commitment());
        let at_home = expected.is_well_formed() && *self.context() == expected.without_extension();
        if committed && at_home {
            Ok(keys)
        } else {
            Err(EnvelopeError::Refused)
        }
    }
}

/// An opened envelope.
pub struct Opened {
    /// The plaintext.
    pub plaintext: SecretBytes,
    fingerprint: FingerprintKey,
}

impl Opened {
    /// Returns the fingerprint of `candidate` in this version.
    #[must_use]
    pub fn fingerprint(&self, candidate: &SecretBytes) -> Fingerprint {
        self.fingerprint.fingerprint(candidate)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened(redacted)")
    }
}
