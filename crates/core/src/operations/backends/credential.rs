//! Seals a backend's credential into its record, and opens it.

use uuid::Uuid;

use super::Backends;
use crate::catalog::SealedCredential;
use crate::kek::KekErrorKind;
use crate::operations::OperationError;
use crate::operations::sealing::{seal, unseal};
use crate::store::{StoreCredential, StoreSettings};
use planton_envelope::{Context, Envelope, Purpose, SecretValue};

impl Backends<'_> {
    /// Seals `credential` for one backend, its `settings` and the record's generation;
    /// `None` for an empty one.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST encode the plaintext of such a credential as a key-value document
    //# ([section 22](#22-values)) whose keys are the names of the write-only arguments without
    //# `_wo`.
    pub(crate) async fn seal_credential(
        self,
        backend: Uuid,
        settings: &StoreSettings,
        credential: &StoreCredential,
        generation: u64,
    ) -> Result<Option<SealedCredential>, OperationError> {
        if credential.is_empty() {
            return Ok(None);
        }
        let plaintext = SecretValue::KeyValue(credential.clone()).to_plaintext();
        let context = self.credential_context(backend, settings, generation);
        let kek = &*self.organization.platform.kek;
        let sealed = seal(context.await?, &[kek], &plaintext).await?;
        Ok(Some(SealedCredential {
            version: generation,
            envelope: sealed.envelope.encode_text(),
            kek: kek.id().clone(),
        }))
    }

    /// Opens the credential of a verified record. Fails with other settings than those that
    /// it was sealed for.
    pub(crate) async fn open_credential(
        self,
        backend: Uuid,
        settings: &StoreSettings,
        sealed: &SealedCredential,
    ) -> Result<StoreCredential, OperationError> {
        let refused = || OperationError::CredentialRefused {
            kind: settings.kind.clone(),
        };
        let envelope = Envelope::parse_stored(sealed.envelope.as_bytes()).map_err(|_| refused())?;
        let context = self.credential_context(backend, settings, sealed.version);
        let (context, allowed) = (context.await?, std::slice::from_ref(&sealed.kek));
        let unsealed = match unseal(
            envelope,
            context,
            &[&*self.organization.platform.kek],
            allowed,
        )
        .await
        {
            Err(error) if error.kind() == KekErrorKind::Refused => return Err(refused()),
            unsealed => unsealed?,
        };
        match unsealed.open() {
            Some(SecretValue::KeyValue(credential)) => Ok(credential),
            _ => Err(refused()),
        }
    }

    async fn credential_context(
        self,
        backend: Uuid,
        settings: &StoreSettings,
        version: u64,
    ) -> Result<Context, OperationError> {
        Ok(Context {
            purpose: Purpose::BackendCredential,
            organization: self.organization.existing().await?.uuid,
            object: backend,
            backend,
            version,
            configuration_digest: Some(settings.digest()),
        })
    }
}
