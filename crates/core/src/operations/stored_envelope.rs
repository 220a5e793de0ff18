//! Fetches one stored envelope, without unwrapping its data key.

use std::sync::Arc;

use super::backends::Trust;
use super::secrets::context;
use super::{Keys, OperationError, Selector};
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, WrapNames};
use crate::names::{PLATFORM_BACKEND, SecretName};
use planton_envelope::{Context, Envelope, KekId};

const NOT_VERIFIED: &str = "The organization's fingerprint is pinned, and no key at hand unwraps \
    the catalog's authentication key. So the record of the secret cannot be verified, and nothing \
    was fetched. Configure the platform that has the key, pass an escrow identity, or restore the \
    organization's record. To open an unverified version, remove the pin.";

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
    /// If the version is missing, reads the record again, and fetches the version that it
    /// names by then.
    ///
    /// # Errors
    ///
    /// `SecretNotFound`, `VersionNotFound`, `VersionLost`, `EnvelopeRefused`,
    /// `EnvelopeMalformed`; failures of catalog and store; of the KEK, for a registered
    /// backend, and `Refused` where a fingerprint is pinned.
    pub async fn stored_envelope(
        self,
        name: &SecretName,
        version: Option<u64>,
    ) -> Result<StoredEnvelope, OperationError> {
        let organization = self.organization;
        let unverified = self.failed_verification().await?;
        let is_verified = unverified.is_none();
        let selector = Selector::Name(name.clone());
        let secrets = organization.secrets();
        let mut named = secrets.named(&selector, version, is_verified).await?;
        let record = organization.existing().await?;
        let backends = organization.backends();
        let mut is_again = false;
        let envelope = loop {
            let secret = &named.secret;
            let backend = match unverified {
                None => backends.of_secret(secret, Trust::Mac).await?,
                Some(_) if secret.backend_name.as_str() == PLATFORM_BACKEND => {
                    // Nothing is unwrapped, so the keyring needs no escrow key.
                    let keyring = Arc::new(self.keyring_of(record.uuid, &[]).await?);
                    backends.open_fenced(&secret.backend_name, &keyring).await?
                }
                Some(error) => return Err(error.into()),
            };
            match backend.fetch_envelope(secret, &named.version).await {
                Err(lost @ OperationError::VersionLost { .. }) if !is_again => {
                    let now = secrets.renamed(&named, lost, &selector, version, is_verified);
                    named = now.await?;
                    is_again = true;
                }
                fetched => break fetched?,
            }
        };
        Ok(StoredEnvelope {
            envelope,
            context: context(record.uuid, &named.secret, named.version.number),
            names: WrapNames::secret(organization.slug(), &named.secret.name),
            keks: named.version.keks,
            is_verified,
        })
    }

    /// Unwraps the MAC key. Returns why no key at hand unwraps it.
    ///
    /// # Errors
    ///
    /// All other failures. `Refused` where a fingerprint is pinned.
    ///
    /// # Security
    ///
    /// Whoever writes the catalog can replace the MAC key's wraps by ones that do not unwrap.
    /// With a pin, no unverified record is then accepted in the place of a forged one.
    async fn failed_verification(self) -> Result<Option<KekError>, OperationError> {
        let is_pinned = self.organization.pins.organization.is_some();
        match self.mac_key().await {
            Ok(_) => Ok(None),
            Err(OperationError::Kek(error))
                if error.kind() == KekErrorKind::Refused && is_pinned =>
            {
                Err(error.with_remedy(NOT_VERIFIED).into())
            }
            Err(OperationError::Kek(error)) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    /// Returns the organization's own keys that unwrap, the main key first.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing` and failures of the catalog, where only the organization's record
    /// tells the main key.
    pub async fn own_keys(self) -> Result<Vec<Arc<dyn KeyEncryptionKey>>, OperationError> {
        let platform = &self.organization.platform;
        if platform.kek.is_recorded() {
            self.organization.existing().await?;
        }
        let main = Arc::clone(&platform.kek) as Arc<dyn KeyEncryptionKey>;
        let former = platform.former_keks.iter().cloned();
        Ok(std::iter::once(main).chain(former).collect())
    }
}
