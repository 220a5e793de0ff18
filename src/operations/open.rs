//! Opens secrets: reads, verifies and decrypts one version, just in time.

use uuid::Uuid;

use super::backends::Trust;
use super::read::{Look, Selector};
use super::{OperationError, Organization, SecretView};
use crate::catalog::SecretRecord;
use crate::envelope::SecretValue;

/// A secret's value.
#[derive(Debug)]
pub struct OpenedSecret {
    /// The secret.
    pub view: SecretView,
    /// The number of the version that was opened.
    pub version: u64,
    /// Its value.
    pub value: SecretValue,
}

impl Organization {
    /// Opens the current version, or the one with the number `version`: one
    /// request to the catalog, one to the backend, one to the KEK.
    ///
    /// # Errors
    ///
    /// `SecretNotFound`, `VersionNotFound`, `VersionLost`, `EnvelopeRefused`;
    /// failures of catalog, store and KEK.
    pub async fn open_secret(
        &self,
        selector: &Selector,
        version: Option<u64>,
    ) -> Result<OpenedSecret, OperationError> {
        let (mut secret, mut document) = self.find(selector, true).await?;
        let of_number = |secret: &SecretRecord| match version {
            Some(number) => {
                let mut versions = secret.versions.iter();
                versions.find(|version| version.number == number).cloned()
            }
            None => secret.current_version().cloned(),
        };
        let mut found = of_number(&secret);
        if found.is_none() {
            // A node that lags may not know the version yet.
            if let Some(now) = self.look_up(selector, Look::FencedAndVerified).await? {
                (secret, document) = now;
                found = of_number(&secret);
            }
        }
        let name = secret.name.to_string();
        let found = &found.ok_or_else(|| match version {
            Some(version) => OperationError::VersionNotFound {
                secret: name.clone(),
                version,
            },
            None => OperationError::SecretNotFound {
                secret: name.clone(),
            },
        })?;
        let organization = self.existing().await?.uuid;
        let backend = self.backend_of(&secret, Trust::Mac).await?;
        let fetched = backend.fetch(organization, &secret, found).await?;
        let value = fetched
            .open()
            .ok_or_else(|| OperationError::EnvelopeRefused {
                secret: name,
                version: found.number,
            })?;
        let view = SecretView::new(&secret, &document, organization);
        Ok(OpenedSecret {
            view,
            version: found.number,
            value,
        })
    }

    /// Says whether `candidate` is the secret's current value, without
    /// decrypting that.
    ///
    /// # Errors
    ///
    /// As [`open_secret`](Self::open_secret).
    pub async fn is_current_value(
        &self,
        uuid: Uuid,
        candidate: &SecretValue,
    ) -> Result<bool, OperationError> {
        let (secret, _) = self.find(&Selector::Uuid(uuid), true).await?;
        let Some(version) = secret.current_version() else {
            return Ok(false);
        };
        if secret.kind != candidate.kind() {
            return Ok(false);
        }
        let organization = self.existing().await?.uuid;
        let backend = self.backend_of(&secret, Trust::Mac).await?;
        let fetched = backend.fetch(organization, &secret, version).await?;
        fetched
            .is_value(&candidate.to_plaintext(), version)
            .ok_or_else(|| OperationError::EnvelopeRefused {
                secret: secret.name.to_string(),
                version: version.number,
            })
    }
}
