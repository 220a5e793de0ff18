//! Seals a value under a list of KEKs, and opens an envelope.

use super::OperationError;
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey};
use crate::store::PayloadEncoding;
use planton_envelope::{
    Context, DataKey, Envelope, Fingerprint, KekId, Sealer, SecretValue, WrapBinding, WrappedKey,
};
use planton_secret::SecretBytes;

/// A value in its envelope.
#[derive(Debug)]
pub(crate) struct SealedValue {
    pub(crate) envelope: Envelope,
    /// The KEKs that may open it.
    pub(crate) keks: Vec<KekId>,
    /// Fingerprint that identifies the value to a holder of the data key.
    pub(crate) fingerprint: Fingerprint,
}

impl SealedValue {
    /// Returns the envelope in the form that a store takes.
    pub(crate) fn payload(&self, encoding: PayloadEncoding) -> Vec<u8> {
        match encoding {
            PayloadEncoding::Binary => self.envelope.encode(),
            PayloadEncoding::Text => self.envelope.encode_text().into_bytes(),
        }
    }
}

/// Seals `plaintext` under a fresh data key, which each of `keks` wraps.
///
/// # Errors
///
/// `Kek(Misconfigured)` if a wrap is too long for an envelope.
pub(crate) async fn seal(
    context: Context,
    keks: &[&dyn KeyEncryptionKey],
    plaintext: &SecretBytes,
) -> Result<SealedValue, OperationError> {
    let sealer = Sealer::new(context).map_err(|_| OperationError::Randomness)?;
    let wraps = wrap(sealer.data_key(), keks, |kek| sealer.binding(kek)).await?;
    let keks: Vec<KekId> = wraps.iter().map(|(kek, _)| kek.clone()).collect();
    let fingerprint = sealer.fingerprint(plaintext);
    // The caller has checked the plaintext's length, so only a wrap can be too long.
    let envelope = sealer.seal(wraps, plaintext).map_err(|error| {
        let kek = keks.first().map_or("", |kek| kek.id.as_str());
        KekError::new(KekErrorKind::Misconfigured, "wrap", kek).with_source(error)
    })?;
    Ok(SealedValue {
        envelope,
        keks,
        fingerprint,
    })
}

/// Unwraps the data key of an envelope with one of `keks` that is also in `allowed`. A
/// verified record determines `allowed`, never the envelope alone.
///
/// # Errors
///
/// `Refused` if no allowed KEK has a wrap, or the wrap belongs to another context.
pub(crate) async fn unseal(
    envelope: Envelope,
    context: Context,
    keks: &[&dyn KeyEncryptionKey],
    allowed: &[KekId],
) -> Result<Unsealed, KekError> {
    let binding = |kek: &KekId| envelope.binding_in(&context, kek);
    let wraps = envelope.wrapped_keys().iter();
    //= docs/format.md#11-opening
    //# A reader MUST NOT use a wrapped DEK of a KEK that the catalog does not name for the
    //# version.
    let wraps = wraps.filter(|(kek, _)| allowed.contains(kek)).cloned();
    let data_key = unwrap(&wraps.collect::<Vec<_>>(), keks, binding).await?;
    Ok(Unsealed {
        envelope,
        data_key,
        context,
    })
}

/// An envelope with its data key.
#[derive(Debug)]
pub(crate) struct Unsealed {
    envelope: Envelope,
    data_key: DataKey,
    context: Context,
}

impl Unsealed {
    /// Decrypts the value; `None` if the envelope does not open in its context.
    pub(crate) fn open(&self) -> Option<SecretValue> {
        let opened = self.envelope.open(&self.data_key, &self.context).ok()?;
        SecretValue::from_plaintext(&opened.plaintext).ok()
    }

    /// Returns the fingerprint that `candidate` would have, without decrypting the
    /// value; `None` if the envelope does not open in its context.
    pub(crate) fn fingerprint(&self, candidate: &SecretBytes) -> Option<Fingerprint> {
        let envelope = &self.envelope;
        envelope
            .fingerprint(&self.data_key, &self.context, candidate)
            .ok()
    }
}

/// Wraps `key` under each of `keks`.
pub(crate) async fn wrap(
    key: &DataKey,
    keks: &[&dyn KeyEncryptionKey],
    binding: impl Fn(&KekId) -> WrapBinding + Send,
) -> Result<Vec<(KekId, WrappedKey)>, KekError> {
    let mut wraps = Vec::with_capacity(keks.len());
    for kek in keks {
        let wrapped = kek.wrap(key, &binding(kek.id())).await?;
        wraps.push((kek.id().clone(), wrapped));
    }
    Ok(wraps)
}

/// Unwraps a key with the first of `keks` that has a wrap.
///
/// # Errors
///
/// `Refused` if none of them has a wrap.
pub(crate) async fn unwrap(
    wraps: &[(KekId, WrappedKey)],
    keks: &[&dyn KeyEncryptionKey],
    binding: impl Fn(&KekId) -> WrapBinding + Send,
) -> Result<DataKey, KekError> {
    for kek in keks {
        let id = kek.id();
        if let Some((_, wrapped)) = wraps.iter().find(|(wrapper, _)| wrapper == id) {
            return kek.unwrap(wrapped, &binding(id)).await;
        }
    }
    let kek = keks.first().map_or("", |kek| kek.id().id.as_str());
    Err(KekError::new(KekErrorKind::Refused, "unwrap", kek))
}
