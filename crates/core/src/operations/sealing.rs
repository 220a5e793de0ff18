//! Seals a value under a list of KEKs, and opens an envelope.

use super::OperationError;
use crate::kek::{KekError, KekErrorKind, Keyring, WrapNames};
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

/// Seals `plaintext` under a fresh data key, which each wrapping key of `keyring` wraps.
///
/// # Errors
///
/// `KeyNotAllowed` for a key that is not pinned; `Kek(Misconfigured)` if the wraps are too
/// long for an envelope.
pub(crate) async fn seal(
    context: Context,
    names: &WrapNames,
    keyring: &Keyring,
    plaintext: &SecretBytes,
) -> Result<SealedValue, OperationError> {
    let sealer = Sealer::new(context, plaintext).map_err(|_| OperationError::Randomness)?;
    let wraps = wrap(sealer.data_key(), names, keyring, |kek| sealer.binding(kek)).await?;
    let keks: Vec<KekId> = wraps.iter().map(|(kek, _)| kek.clone()).collect();
    let fingerprint = sealer.fingerprint();
    // The caller has checked the plaintext's length, so only a wrap can be too long.
    let envelope = sealer.seal(wraps).map_err(|error| {
        let kek = keks.first().map_or("", |kek| kek.id.as_str());
        KekError::new(KekErrorKind::Misconfigured, "wrap", kek).with_source(error)
    })?;
    Ok(SealedValue {
        envelope,
        keks,
        fingerprint,
    })
}

/// Unwraps the data key of an envelope with a key of `keyring` that is also in `allowed`. A
/// verified record determines `allowed`, never the envelope alone.
///
/// # Errors
///
/// `Refused` if no allowed KEK has a wrap, or the wrap belongs to another context.
pub(crate) async fn unseal(
    envelope: Envelope,
    context: Context,
    names: &WrapNames,
    keyring: &Keyring,
    allowed: &[KekId],
) -> Result<Unsealed, KekError> {
    let binding = |kek: &KekId| envelope.binding_in(&context, kek);
    let wraps = envelope.wrapped_keys().iter();
    //= docs/format.md#11-opening
    //# A reader MUST NOT use a wrapped DEK of a KEK that the catalog does not name for the
    //# version.
    let wraps = wraps.filter(|(kek, _)| allowed.contains(kek)).cloned();
    let data_key = unwrap(&wraps.collect::<Vec<_>>(), names, keyring, binding).await?;
    Ok(Unsealed {
        envelope,
        data_key,
        context,
    })
}

/// Wraps the data key of an envelope again under each wrapping key of `keyring`, with the
/// bounds of [`unseal`].
///
/// # Errors
///
/// As [`unseal`] and [`seal`]. `Refused` for a data key that is not the envelope's: a
/// substituted wrap is not carried on.
pub(crate) async fn rewrap(
    envelope: Envelope,
    context: Context,
    names: &WrapNames,
    keyring: &Keyring,
    allowed: &[KekId],
) -> Result<Envelope, OperationError> {
    let unsealed = unseal(envelope, context, names, keyring, allowed).await?;
    let Unsealed {
        mut envelope,
        data_key,
        context,
    } = unsealed;
    let main = keyring.main().id().id.as_str();
    if !envelope.is_key(&data_key, &context) {
        return Err(KekError::new(KekErrorKind::Refused, "rewrap", main).into());
    }
    let binding = |kek: &KekId| envelope.binding_in(&context, kek);
    let wraps = wrap(&data_key, names, keyring, binding).await?;
    let replaced = envelope.replace_wrapped_keys(wraps);
    replaced.map_err(|error| {
        KekError::new(KekErrorKind::Misconfigured, "rewrap", main).with_source(error)
    })?;
    Ok(envelope)
}

/// Returns whether the main key of `keyring` opens `envelope`. True without a request where
/// no escrow identity was given: a wrap under the main key's identifier is then the main
/// key's own.
///
/// # Errors
///
/// Failures of the main key. A wrap that it does not open is no failure.
pub(crate) async fn opens_with_main(
    envelope: &Envelope,
    context: &Context,
    names: &WrapNames,
    keyring: &Keyring,
) -> Result<bool, KekError> {
    if !keyring.has_rescue() {
        return Ok(true);
    }
    let binding = |kek: &KekId| envelope.binding_in(context, kek);
    let key = unwrap_with_main(envelope.wrapped_keys(), names, keyring, binding).await?;
    Ok(key.is_some_and(|key| envelope.is_key(&key, context)))
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

    /// Returns whether the data key is that of the envelope. Decrypts nothing.
    pub(crate) fn is_key(&self) -> bool {
        self.envelope.is_key(&self.data_key, &self.context)
    }

    /// Seals the value again in the same context, under a fresh data key; `None` if the
    /// envelope does not open in its context.
    ///
    /// # Errors
    ///
    /// As [`seal`].
    pub(crate) async fn reseal(
        self,
        names: &WrapNames,
        keyring: &Keyring,
    ) -> Result<Option<SealedValue>, OperationError> {
        let Ok(opened) = self.envelope.open(&self.data_key, &self.context) else {
            return Ok(None);
        };
        let sealed = seal(self.context, names, keyring, &opened.plaintext).await?;
        Ok(Some(sealed))
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

/// Wraps `key` under each wrapping key of `keyring`, in its newest version.
///
/// # Errors
///
/// `KeyNotAllowed`, before anything is wrapped.
async fn wrap(
    key: &DataKey,
    names: &WrapNames,
    keyring: &Keyring,
    binding: impl Fn(&KekId) -> WrapBinding + Send,
) -> Result<Vec<(KekId, WrappedKey)>, OperationError> {
    match keyring.main().successor().await? {
        None => wrap_with(key, names, keyring, binding, None).await,
        Some(newest) => {
            let keyring = keyring.clone().with_main(newest);
            wrap_with(key, names, &keyring, binding, None).await
        }
    }
}

/// Wraps `key` under each wrapping key of `keyring` itself, with the main key's wrap if there
/// is one already.
///
/// # Errors
///
/// `KeyNotAllowed`, before anything is wrapped.
pub(crate) async fn wrap_with(
    key: &DataKey,
    names: &WrapNames,
    keyring: &Keyring,
    binding: impl Fn(&KekId) -> WrapBinding + Send,
    mut present: Option<WrappedKey>,
) -> Result<Vec<(KekId, WrappedKey)>, OperationError> {
    if let Some(key) = keyring.forbidden() {
        return Err(OperationError::KeyNotAllowed { key: key.clone() });
    }
    let mut wraps: Vec<(KekId, WrappedKey)> = Vec::new();
    for kek in keyring.wrapping() {
        if wraps.iter().any(|(id, _)| id == kek.id()) {
            let key = kek.id().clone();
            return Err(OperationError::KeyDeclaredTwice { key });
        }
        let wrapped = match present.take() {
            Some(present) => present,
            None => kek.wrap(key, names.bound(binding(kek.id()))).await?,
        };
        wraps.push((kek.id().clone(), wrapped));
    }
    Ok(wraps)
}

/// Unwraps a key with the first opening key of `keyring` that has a wrap, by itself or by one
/// of its versions.
///
/// # Errors
///
/// `Refused` if none of them has a wrap.
pub(crate) async fn unwrap(
    wraps: &[(KekId, WrappedKey)],
    names: &WrapNames,
    keyring: &Keyring,
    binding: impl Fn(&KekId) -> WrapBinding + Send,
) -> Result<DataKey, KekError> {
    let ids: Vec<_> = wraps.iter().map(|(id, _)| id).collect();
    if let Some(kek) = keyring.opener(&ids)
        && let Some((id, wrapped)) = wraps.iter().find(|(id, _)| id == kek.id())
    {
        return kek.unwrap(wrapped, names.bound(binding(id))).await;
    }
    let kek = keyring.main().id().id.as_str();
    Err(KekError::new(KekErrorKind::Refused, "unwrap", kek))
}

/// Unwraps a key with the main key of `keyring`; `None` if that has no wrap, or its wrap does
/// not open: a key of the same identifier made it, and is lost.
///
/// # Errors
///
/// Any other failure of the main key.
pub(crate) async fn unwrap_with_main(
    wraps: &[(KekId, WrappedKey)],
    names: &WrapNames,
    keyring: &Keyring,
    binding: impl Fn(&KekId) -> WrapBinding + Send,
) -> Result<Option<DataKey>, KekError> {
    let main = keyring.main();
    let Some((id, wrapped)) = wraps.iter().find(|(wrapper, _)| wrapper == main.id()) else {
        return Ok(None);
    };
    match main.unwrap(wrapped, names.bound(binding(id))).await {
        Ok(key) => Ok(Some(key)),
        Err(error) if is_of_version(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a failure may concern one version of a key, beside usable ones.
fn is_of_version(kind: KekErrorKind) -> bool {
    use KekErrorKind as K;
    [K::Refused, K::Disabled, K::PendingDeletion, K::Destroyed].contains(&kind)
}
