//! Opens a secret: reads, verifies and decrypts one version.

use uuid::Uuid;

use super::Secrets;
use super::find::{ReadMode, Selector};
use super::versions::FetchedVersion;
use crate::catalog::{SecretDocument, SecretRecord, VersionRecord};
use crate::operations::backends::Trust;
use crate::operations::{OperationError, SecretView};
use planton_envelope::SecretValue;

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

/// A version that a record names.
pub(crate) struct Named {
    pub(crate) secret: SecretRecord,
    document: SecretDocument,
    pub(crate) version: VersionRecord,
}

impl Named {
    /// Returns whether both are the same version of the same object.
    fn is(&self, other: &Self) -> bool {
        self.secret.uuid == other.secret.uuid
            && self.secret.remote_name == other.secret.remote_name
            && self.version == other.version
    }

    fn refused(&self) -> OperationError {
        OperationError::EnvelopeRefused {
            secret: self.secret.name.to_string(),
            version: self.version.number,
        }
    }
}

impl Secrets<'_> {
    /// Opens the current version, or the one with the number `version`.
    ///
    /// Sends one request to the catalog, one to the backend, and one to the KEK. If the
    /// version is missing, reads the record again. Reads the backend again if the record now
    /// names another version.
    ///
    /// # Errors
    ///
    /// `SecretNotFound`, `VersionNotFound`, `VersionLost`, `EnvelopeRefused`;
    /// failures of catalog, store and KEK.
    pub async fn open(
        self,
        selector: &Selector,
        version: Option<u64>,
    ) -> Result<OpenedSecret, OperationError> {
        let named = self.named(selector, version, true).await?;
        let (named, fetched) = self.fetch_named(named, selector, version).await?;
        let value = fetched.open().ok_or_else(|| named.refused())?;
        let organization = self.organization.existing().await?.uuid;
        Ok(OpenedSecret {
            view: SecretView::new(&named.secret, &named.document, organization),
            version: named.version.number,
            value,
        })
    }

    /// Returns whether `candidate` is the secret's current value, without decrypting that
    /// value.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn is_current_value(
        self,
        uuid: Uuid,
        candidate: &SecretValue,
    ) -> Result<bool, OperationError> {
        let selector = Selector::Uuid(uuid);
        let (secret, document) = self.find_by(&selector, true).await?;
        let Some(version) = choose(&secret, None) else {
            return Ok(false);
        };
        if secret.kind != candidate.kind() {
            return Ok(false);
        }
        let named = Named {
            secret,
            document,
            version,
        };
        let (named, fetched) = self.fetch_named(named, &selector, None).await?;
        fetched
            .is_value(&candidate.to_plaintext(), &named.version)
            .ok_or_else(|| named.refused())
    }

    /// Fetches the version that a record names, as of now if it is missing.
    async fn fetch_named(
        self,
        named: Named,
        selector: &Selector,
        version: Option<u64>,
    ) -> Result<(Named, FetchedVersion), OperationError> {
        let lost = match self.fetch(&named).await {
            Err(lost @ OperationError::VersionLost { .. }) => lost,
            fetched => return Ok((named, fetched?)),
        };
        let now = self.renamed(&named, lost, selector, version, true).await?;
        let fetched = self.fetch(&now).await?;
        Ok((now, fetched))
    }

    /// Reads which version the record names: the current one, or the one with the number
    /// `version`.
    pub(crate) async fn named(
        self,
        selector: &Selector,
        version: Option<u64>,
        verify: bool,
    ) -> Result<Named, OperationError> {
        let (secret, document) = self.find_by(selector, verify).await?;
        match choose(&secret, version) {
            Some(version) => Ok(Named {
                secret,
                document,
                version,
            }),
            // A stale read may lack the version.
            None => {
                let again = self.name_again(selector, version, verify).await?;
                again.ok_or_else(|| no_version(&secret, version))
            }
        }
    }

    /// Reads the record again, since the version `named` is missing: a rotation, a rewrap or
    /// a reseal may have replaced it in the meantime.
    ///
    /// # Errors
    ///
    /// `lost` if the record still names the same version.
    pub(crate) async fn renamed(
        self,
        named: &Named,
        lost: OperationError,
        selector: &Selector,
        version: Option<u64>,
        verify: bool,
    ) -> Result<Named, OperationError> {
        let now = self.name_again(selector, version, verify).await?;
        let now = now.ok_or_else(|| no_version(&named.secret, version))?;
        if now.is(named) {
            return Err(lost);
        }
        Ok(now)
    }

    async fn fetch(self, named: &Named) -> Result<FetchedVersion, OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let backend = self
            .organization
            .backends()
            .of_secret(&named.secret, Trust::Mac)
            .await?;
        backend
            .fetch(organization, &named.secret, &named.version)
            .await
    }

    async fn name_again(
        self,
        selector: &Selector,
        version: Option<u64>,
        verify: bool,
    ) -> Result<Option<Named>, OperationError> {
        let mode = match verify {
            true => ReadMode::FencedAndVerified,
            false => ReadMode::Fenced,
        };
        let found = self.look_up(selector, mode).await?;
        Ok(found.and_then(|(secret, document)| {
            let version = choose(&secret, version)?;
            Some(Named {
                secret,
                document,
                version,
            })
        }))
    }
}

/// Returns the version with this number, or the current one.
fn choose(secret: &SecretRecord, version: Option<u64>) -> Option<VersionRecord> {
    let Some(number) = version else {
        return secret.current_version().cloned();
    };
    let mut versions = secret.versions.iter();
    versions.find(|version| version.number == number).cloned()
}

/// Reports that the secret has no version of this number, or none at all.
fn no_version(secret: &SecretRecord, version: Option<u64>) -> OperationError {
    let secret = secret.name.to_string();
    match version {
        Some(version) => OperationError::VersionNotFound { secret, version },
        None => OperationError::SecretNotFound { secret },
    }
}
