//! Seals a backend's credential into its record, and opens it.

use uuid::Uuid;

use crate::catalog::{BackendRecord, SealedCredential};
use crate::kek::{KekError, KekErrorKind};
use crate::operations::{OperationError, Organization};
use crate::store::{StoreCredential, StoreSettings};
use planton_envelope::{Context, Envelope, Purpose, Sealer, SecretValue};

impl Organization {
    /// Seals `credential` as the backend's version `version`, bound to the
    /// settings that it serves; `None` where there is nothing to seal.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST encode the plaintext of such a credential as a key-value document
    //# ([section 22](#22-values)) whose keys are the names of the write-only arguments without
    //# `_wo`.
    pub(super) async fn seal_credential(
        &self,
        backend: Uuid,
        settings: &StoreSettings,
        credential: &StoreCredential,
        version: u64,
    ) -> Result<Option<SealedCredential>, OperationError> {
        if credential.is_empty() {
            return Ok(None);
        }
        let plaintext = SecretValue::KeyValue(credential.clone()).to_plaintext();
        let context = self.credential_context(backend, settings, version).await?;
        let sealer = Sealer::new(context).map_err(|_| OperationError::Randomness)?;
        let kek = &self.platform.kek;
        let binding = sealer.binding(kek.id());
        let wrapped = kek.wrap(sealer.data_key(), &binding).await?;
        let envelope = sealer
            .seal(vec![(kek.id().clone(), wrapped)], &plaintext)
            .map_err(|error| {
                let id = kek.id().id.as_str();
                KekError::new(KekErrorKind::Misconfigured, "wrap", id).with_source(error)
            })?;
        Ok(Some(SealedCredential {
            version,
            envelope: envelope.encode_text(),
            kek: kek.id().clone(),
        }))
    }

    /// Opens a credential that a verified record holds, for the settings that it
    /// was sealed for and no others.
    pub(super) async fn open_credential(
        &self,
        backend: Uuid,
        settings: &StoreSettings,
        sealed: &SealedCredential,
    ) -> Result<StoreCredential, OperationError> {
        let refused = || OperationError::CredentialRefused {
            kind: settings.kind.clone(),
        };
        let envelope = Envelope::parse_stored(sealed.envelope.as_bytes()).map_err(|_| refused())?;
        let kek = &self.platform.kek;
        if sealed.kek != *kek.id() {
            return Err(refused());
        }
        let wrapped = envelope
            .wrapped_keys()
            .iter()
            .find(|(id, _)| id == kek.id());
        let (_, wrapped) = wrapped.ok_or_else(refused)?;
        let context = self
            .credential_context(backend, settings, sealed.version)
            .await?;
        let binding = envelope.binding_in(&context, kek.id());
        let data_key = match kek.unwrap(wrapped, &binding).await {
            Err(error) if error.kind() == KekErrorKind::Refused => return Err(refused()),
            unwrapped => unwrapped?,
        };
        let opened = envelope.open(&data_key, &context).map_err(|_| refused())?;
        match SecretValue::from_plaintext(&opened.plaintext) {
            Ok(SecretValue::KeyValue(credential)) => Ok(credential),
            _ => Err(refused()),
        }
    }

    async fn credential_context(
        &self,
        backend: Uuid,
        settings: &StoreSettings,
        version: u64,
    ) -> Result<Context, OperationError> {
        Ok(Context {
            purpose: Purpose::BackendCredential,
            organization: self.existing().await?.uuid,
            object: backend,
            backend,
            version,
            configuration_digest: Some(BackendRecord::settings_digest(settings)),
        })
    }
}
