//! A recipient as a KEK that wraps, and cannot unwrap.

use async_trait::async_trait;
use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, KeyRotation, WrapContext,
};
use planton_envelope::{DataKey, KekId, WrappedKey};

use super::file::{self, EncryptError};
use super::recipient::Recipient;

/// The KEK of a recipient.
#[derive(Clone, Debug)]
pub(super) struct AgeKek {
    id: KekId,
    recipient: Recipient,
}

impl AgeKek {
    pub(super) fn new(recipient: Recipient) -> Self {
        Self {
            id: recipient.kek_id(),
            recipient,
        }
    }
}

#[async_trait]
impl KeyEncryptionKey for AgeKek {
    fn id(&self) -> &KekId {
        &self.id
    }

    //= docs/format.md#30-age-recipient
    //# A writer MUST write as `wrapped` an age file, version 1 and binary, that consists of one
    //# X25519 stanza, the header's MAC and the 64 bytes `DEK ‖ binding` in one chunk: 264
    //# bytes.
    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        let bound = dek.with_binding(&context.binding);
        let encrypted = file::encrypt(&self.recipient, &bound);
        encrypted.map(WrappedKey::new).map_err(|source| {
            let kind = match source {
                EncryptError::Randomness => KekErrorKind::Unavailable,
                EncryptError::Recipient => KekErrorKind::Misconfigured,
            };
            error(kind, "wrap", &self.recipient).with_source(source)
        })
    }

    /// Fails: the identity is with the holder of the escrow key.
    async fn unwrap(&self, _: &WrappedKey, _: WrapContext<'_>) -> Result<DataKey, KekError> {
        let error = error(KekErrorKind::Misconfigured, "unwrap", &self.recipient);
        Err(error.with_remedy(format!(
            "Only the identity of {} unwraps this key, and the provider never has it. Whoever \
             holds the identity file opens the envelope with: terraform-provider-planton open \
             --identity <file> <envelope>.",
            self.recipient.text()
        )))
    }

    /// Returns true: a recipient has no versions.
    fn is_newest(&self, _: &WrappedKey, _: &KeyDescription) -> Option<bool> {
        Some(true)
    }

    /// Wraps no wrap anew: only the identity could unwrap it, and a recipient has no newer
    /// version.
    async fn rewrap(
        &self,
        wraps: &[planton_core::kek::Rewrap<'_>],
    ) -> Vec<Result<WrappedKey, KekError>> {
        wraps.iter().map(|wrap| Ok(wrap.wrapped.clone())).collect()
    }

    fn max_wrapped_bytes(&self) -> usize {
        file::FILE_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        Ok(KeyDescription {
            rotation: KeyRotation::Never,
            newest_version: None,
        })
    }
}

pub(super) fn error(
    kind: KekErrorKind,
    operation: &'static str,
    recipient: &Recipient,
) -> KekError {
    KekError::new(kind, operation, recipient.text())
}
