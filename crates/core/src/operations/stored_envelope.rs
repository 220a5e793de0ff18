//! Fetches one stored envelope, without unwrapping its data key.

use std::sync::Arc;

use super::backends::Trust;
use super::secrets::{choose, context, no_version};
use super::{Keys, OperationError, Selector};
use crate::kek::{KeyEncryptionKey, WrapNames};
use crate::names::{PLATFORM_BACKEND, SecretName};
use planton_envelope::{Context, Envelope, KekId};

/// An envelope as its backend stores it, and what its record says of it.
#[derive(Debug)]
pub struct StoredEnvelope {
    /// The envelope. Its digests are those of the record.
    pub envelope: Envelope,
    /// The context in which it opens.
    pub context: Context,
    /// Names of the secret, for a KEK.
    pub names: WrapNames,
    /// The KEKs that may open it.
    pub keks: Vec<KekId>,
    /// Whether the MAC of the record was verified. It was not if no key at hand unwraps the
    /// MAC key.
    pub is_verified: bool,
}

impl Keys<'_> {
    /// Fetches the envelope of the current version, or of the one with the number `version`.
    ///
    /// On the built-in backend, access to the catalog suffices. A registered backend requires
    /// a key that unwraps the MAC key: its record says where the credential is sent.
    ///
    /// # Errors
    ///
    /// `SecretNotFound`, `VersionNotFound`, `VersionLost`, `EnvelopeRefused`,
    /// `EnvelopeMalformed`; failures of catalog and store; of the KEK, for a registered
    /// backend.
    pub async fn stored_envelope(
        self,
        name: &SecretName,
        version: Option<u64>,
    ) -> Result<StoredEnvelope, OperationError> {
        let organization = self.organization;
        let unverified = match self.mac_key().await {
            Ok(_) => None,
            Err(OperationError::Kek(error)) => Some(error),
            Err(error) => return Err(error),
        };
        let is_verified = unverified.is_none();
        let selector = Selector::Name(name.clone());
        let secrets = organization.secrets();
        let (secret, _) = secrets.find_by(&selector, is_verified).await?;
        let Some(version) = choose(&secret, version) else {
            return Err(no_version(&secret, version));
        };
        let record = organization.existing().await?;
        let backends = organization.backends();
        let backend = match unverified {
            None => backends.of_secret(&secret, Trust::Mac).await?,
            Some(_) if secret.backend_name.as_str() == PLATFORM_BACKEND => {
                // Nothing is unwrapped, so the keyring needs no escrow key.
                let keyring = Arc::new(self.keyring_of(record.uuid, &[]).await?);
                backends.open_fenced(&secret.backend_name, &keyring).await?
            }
            Some(error) => return Err(error.into()),
        };
        Ok(StoredEnvelope {
            envelope: backend.fetch_envelope(&secret, &version).await?,
            context: context(record.uuid, &secret, version.number),
            names: WrapNames::secret(organization.slug(), &secret.name),
            keks: version.keks,
            is_verified,
        })
    }

    /// Returns the organization's own keys that unwrap, the main key first.
    #[must_use]
    pub fn own_keys(self) -> Vec<Arc<dyn KeyEncryptionKey>> {
        let platform = &self.organization.platform;
        let main = Arc::clone(&platform.kek) as Arc<dyn KeyEncryptionKey>;
        let former = platform.former_keks.iter().cloned();
        std::iter::once(main).chain(former).collect()
    }
}
