//! Opens the keyrings of an organization and of its backends, each at most once.

use std::sync::Arc;

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::OperationError;
use super::credential::{CredentialOwner, CredentialUse};
use super::key_versions::KeyVersions;
use super::sealing::{opens_with_main, rewrap, seal, unseal};
use crate::catalog::{BackendKeys, KekRecord, SealedCredential};
use crate::kek::{ConnectKek, KekErrorKind, KeyEncryptionKey, Keyring};
use crate::names::Slug;
use crate::store::StoreCredential;
use planton_envelope::{Envelope, SecretValue};

/// The keyring of an organization: wraps the keys of its built-in backend, and of all
/// credentials.
#[derive(Debug)]
pub(crate) struct OrganizationKeyring {
    /// The organization's name.
    pub(crate) organization: Slug,
    /// The organization's UUID.
    pub(crate) uuid: Uuid,
    /// The keys.
    pub(crate) keyring: Keyring,
    /// Opens the keys of backends.
    pub(crate) connector: Arc<dyn ConnectKek>,
}

impl OrganizationKeyring {
    /// Seals `credential` for `usage` and the record's generation; `None` for an empty one.
    //= docs/format.md#8-configuration-of-a-credential
    //# A writer MUST encode the plaintext of such a credential as a key-value document
    //# ([section 22](#22-values)) whose keys are the names of the write-only arguments without
    //# `_wo`.
    pub(crate) async fn seal_credential(
        &self,
        usage: CredentialUse<'_>,
        credential: &StoreCredential,
        generation: u64,
    ) -> Result<Option<SealedCredential>, OperationError> {
        if credential.is_empty() {
            return Ok(None);
        }
        let plaintext = SecretValue::KeyValue(credential.clone()).to_plaintext();
        let context = usage.context(self.uuid, generation);
        let names = usage.names(&self.organization);
        let sealed = seal(context, &names, &self.keyring, &plaintext).await?;
        Ok(Some(SealedCredential {
            version: generation,
            envelope: sealed.envelope.encode_text(),
            keks: sealed.keks,
        }))
    }

    /// Opens the credential of a verified record, for the settings that it was sealed for
    /// and no others.
    pub(crate) async fn open_credential(
        &self,
        usage: CredentialUse<'_>,
        sealed: &SealedCredential,
    ) -> Result<StoreCredential, OperationError> {
        let refused = || OperationError::CredentialRefused {
            kind: usage.kind.to_owned(),
        };
        let envelope = Envelope::parse_stored(sealed.envelope.as_bytes()).map_err(|_| refused())?;
        let context = usage.context(self.uuid, sealed.version);
        let names = usage.names(&self.organization);
        let unsealed = unseal(envelope, context, &names, &self.keyring, &sealed.keks).await;
        let unsealed = match unsealed {
            Err(error) if error.kind() == KekErrorKind::Refused => return Err(refused()),
            unsealed => unsealed?,
        };
        match unsealed.open() {
            Some(SecretValue::KeyValue(credential)) => Ok(credential),
            _ => Err(refused()),
        }
    }

    /// Returns the credential of a verified record with its data key wrapped again; `None` if
    /// `versions` shows that its wraps are the newest.
    pub(crate) async fn rewrap_credential(
        &self,
        usage: CredentialUse<'_>,
        sealed: &SealedCredential,
        versions: &KeyVersions,
    ) -> Result<Option<SealedCredential>, OperationError> {
        let refused = || OperationError::CredentialRefused {
            kind: usage.kind.to_owned(),
        };
        let envelope = Envelope::parse_stored(sealed.envelope.as_bytes()).map_err(|_| refused())?;
        let context = usage.context(self.uuid, sealed.version);
        let names = usage.names(&self.organization);
        if versions.are_current(envelope.wrapped_keys(), &sealed.keks)
            && opens_with_main(&envelope, &context, &names, &self.keyring).await?
        {
            return Ok(None);
        }
        let rewrapped = rewrap(envelope, context, &names, &self.keyring, &sealed.keks).await?;
        let wraps = rewrapped.wrapped_keys().iter();
        Ok(Some(SealedCredential {
            version: sealed.version,
            envelope: rewrapped.encode_text(),
            keks: wraps.map(|(kek, _)| kek.clone()).collect(),
        }))
    }

    /// Opens the key of a record, with its credential.
    pub(crate) async fn open_key(
        &self,
        owner: CredentialOwner<'_>,
        record: &KekRecord,
    ) -> Result<Arc<dyn KeyEncryptionKey>, OperationError> {
        let credential = match &record.credential {
            None => StoreCredential::new(),
            Some(sealed) => {
                let usage = CredentialUse::kek(owner, &record.settings);
                self.open_credential(usage, sealed).await?
            }
        };
        let opened = self
            .connector
            .open(&record.settings, &credential, &record.kek);
        Ok(opened?)
    }
}

/// The keyring of one backend. Opened with its first use: a refresh needs no key.
#[derive(Debug)]
pub(crate) struct BackendKeyring {
    organization: Arc<OrganizationKeyring>,
    backend: Option<(Uuid, Slug, BackendKeys)>,
    opened: OnceCell<Keyring>,
}

impl BackendKeyring {
    /// Takes the organization's own keyring, as the built-in backend does.
    pub(crate) fn of_organization(organization: Arc<OrganizationKeyring>) -> Self {
        Self {
            organization,
            backend: None,
            opened: OnceCell::new(),
        }
    }

    /// Takes the keys of a backend's verified record.
    pub(crate) fn of_backend(
        organization: Arc<OrganizationKeyring>,
        uuid: Uuid,
        name: &Slug,
        keys: BackendKeys,
    ) -> Self {
        Self {
            organization,
            backend: Some((uuid, name.clone(), keys)),
            opened: OnceCell::new(),
        }
    }

    /// Returns true for the keys of the built-in backend.
    pub(crate) fn is_organizations(&self) -> bool {
        self.backend.is_none()
    }

    /// Returns the keys in the record of the backend; the built-in backend has none.
    pub(crate) fn of_record(&self) -> Option<&BackendKeys> {
        self.backend.as_ref().map(|(_, _, keys)| keys)
    }

    /// Returns the keyring. That of the built-in backend is the organization's as it was
    /// passed: it wraps only if it was opened with its escrow keys.
    ///
    /// # Errors
    ///
    /// `CredentialRefused` for a sealed credential that does not open; failures of the
    /// organization's KEK.
    pub(crate) async fn get(&self) -> Result<&Keyring, OperationError> {
        self.opened.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> Result<Keyring, OperationError> {
        let organization = &self.organization;
        let Some((uuid, name, keys)) = &self.backend else {
            return Ok(organization.keyring.clone());
        };
        let owner = CredentialOwner::backend(*uuid, name);
        let mut escrow = Vec::new();
        for record in &keys.escrow {
            escrow.push(organization.open_key(owner, record).await?);
        }
        let mut former = Vec::new();
        for record in &keys.former {
            former.push(organization.open_key(owner, record).await?);
        }
        let pins = Arc::clone(organization.keyring.pins());
        let keyring = match &keys.encryption {
            None => organization.keyring.clone(),
            Some(record) => {
                // Versions from before the customer's key are under the organization's.
                former.extend(organization.keyring.opening().cloned());
                let main = organization.open_key(owner, record).await?;
                let rescue = organization.keyring.rescue().to_vec();
                Keyring::new(main, pins).with_rescue(rescue)
            }
        };
        Ok(keyring.with_escrow(escrow).with_former(former))
    }
}
