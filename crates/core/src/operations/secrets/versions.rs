//! Seals a version of a secret, puts it into its backend, and fetches it again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::size_limit::check_size;
use crate::catalog::{SecretRecord, VersionRecord};
use crate::kek::{KekErrorKind, WrapNames};
use crate::names::SecretName;
use crate::operations::sealing::{SealedValue, Unsealed, seal, unseal};
use crate::operations::{Backend, OperationError, Organization};
use crate::operations::{crash_hooks::crash_point, interrupt::Interrupt};
use crate::store::{
    NativeVersionId, PayloadEncoding, PutAgain, PutOptions, Standing, StoreErrorKind,
};
use planton_envelope::{Context, Envelope, Fingerprint, KekId, Purpose, SecretValue};
use planton_secret::SecretBytes;

/// A sealed version of a secret that is not put yet.
pub(crate) struct SealedVersion {
    number: u64,
    payload: Vec<u8>,
    payload_sha256: String,
    wraps_sha256: String,
    keks: Vec<KekId>,
    fingerprint: Fingerprint,
}

impl Backend {
    /// Seals `plaintext` as a version of a secret.
    pub(crate) async fn seal(
        &self,
        organization: &Organization,
        version: Sealing<'_>,
        plaintext: &SecretBytes,
        interrupt: &Interrupt,
    ) -> Result<SealedVersion, OperationError> {
        let capability = self.store.capability();
        check_size(capability, plaintext)?;
        interrupt.before("wrap")?;
        let context = version.context(organization.existing().await?.uuid);
        let keyring = organization.keys().wrapping_keyring_of(self).await?;
        let names = WrapNames::secret(&self.organization, version.name);
        let sealed = seal(context, &names, &keyring, plaintext).await?;
        let payload = sealed.payload(capability.encoding);
        let SealedValue {
            envelope,
            keks,
            fingerprint,
        } = sealed;
        Ok(SealedVersion {
            number: version.number,
            payload,
            payload_sha256: hex::encode(envelope.payload_digest()),
            wraps_sha256: hex::encode(envelope.wraps_digest()),
            keks,
            fingerprint,
        })
    }

    /// Puts a sealed version into the object that `secret` names: a new object if
    /// `keep` is empty, otherwise an existing one.
    ///
    /// # Errors
    ///
    /// `Store(NotFound)` if the existing object is missing.
    pub(crate) async fn put(
        &self,
        secret: &SecretRecord,
        sealed: &SealedVersion,
        keep: Vec<NativeVersionId>,
        interrupt: &Interrupt,
    ) -> Result<VersionRecord, OperationError> {
        self.expect_marker().await?;
        interrupt.before("put")?;
        let options = PutOptions {
            version: sealed.number,
            attempt: Uuid::new_v4(),
            keep,
            labels: self.labels(secret),
        };
        let native_id = self
            .store
            .put(&secret.remote_name, &sealed.payload, options)
            .await?;
        let now = Timestamp::now();
        Ok(VersionRecord {
            number: sealed.number,
            revision: u64::try_from(now.as_millisecond()).unwrap_or_default(),
            native_id,
            payload_sha256: sealed.payload_sha256.clone(),
            wraps_sha256: sealed.wraps_sha256.clone(),
            keks: sealed.keks.clone(),
            fingerprint: sealed.fingerprint,
            superseded: Vec::new(),
            resealed: None,
            created_at: now,
        })
    }

    fn names(&self, secret: &SecretRecord) -> WrapNames {
        WrapNames::secret(&self.organization, &secret.name)
    }

    /// Returns labels that name the secret to users of the backend. They contain only
    /// what never changes, since nothing rewrites them.
    fn labels(&self, secret: &SecretRecord) -> BTreeMap<String, String> {
        let SecretName { environment, name } = &secret.name;
        let mut labels = vec![
            ("planton-organization", self.organization.to_string()),
            ("planton-secret", name.to_string()),
            ("planton-id", secret.uuid.to_string()),
        ];
        if let Some(environment) = environment {
            labels.push(("planton-environment", environment.to_string()));
        }
        let own = |(key, text): (&str, String)| (key.to_owned(), text);
        labels.into_iter().map(own).collect()
    }

    /// Puts the envelope of `version` again, with other wraps.
    pub(crate) async fn put_again(
        &self,
        secret: &SecretRecord,
        version: &VersionRecord,
        envelope: &Envelope,
    ) -> Result<NativeVersionId, OperationError> {
        self.expect_marker().await?;
        let options = PutOptions {
            version: version.number,
            attempt: Uuid::new_v4(),
            keep: secret.native_ids(),
            labels: self.labels(secret),
        };
        let newest = secret.versions.iter().map(|version| version.number).max();
        let again = PutAgain {
            options,
            standing: match newest == Some(version.number) {
                true => Standing::Newest,
                false => Standing::Older,
            },
        };
        let payload = match self.store.capability().encoding {
            PayloadEncoding::Binary => envelope.encode(),
            PayloadEncoding::Text => envelope.encode_text().into_bytes(),
        };
        let put = self.store.put_again(&secret.remote_name, &payload, again);
        Ok(put.await?)
    }

    /// Fetches the envelope of `version` and unwraps its data key.
    pub(crate) async fn fetch(
        &self,
        organization: Uuid,
        secret: &SecretRecord,
        version: &VersionRecord,
    ) -> Result<FetchedVersion, OperationError> {
        let envelope = self.fetch_envelope(secret, version).await?;
        let unsealed = self.unsealed(organization, secret, version, envelope);
        Ok(FetchedVersion(unsealed.await?))
    }

    /// Unwraps the data key of the envelope that [`fetch_envelope`](Self::fetch_envelope)
    /// returned.
    pub(crate) async fn unsealed(
        &self,
        organization: Uuid,
        secret: &SecretRecord,
        version: &VersionRecord,
        envelope: Envelope,
    ) -> Result<Unsealed, OperationError> {
        let context = context(organization, secret, version.number);
        let keyring = self.keyring.get().await?;
        let names = self.names(secret);
        crash_point("unwrap");
        let unsealed = unseal(envelope, context, &names, keyring, &version.keks).await;
        unsealed.map_err(|error| match error.kind() {
            KekErrorKind::Refused => OperationError::EnvelopeRefused {
                secret: secret.name.to_string(),
                version: version.number,
            },
            _ => error.into(),
        })
    }

    /// Fetches the envelope of `version`. Only the envelope that the verified record names
    /// is accepted.
    //= docs/format.md#4-well-formed-envelopes
    //# A reader MUST decide whether an envelope is well-formed before it uses any key.
    pub(crate) async fn fetch_envelope(
        &self,
        secret: &SecretRecord,
        version: &VersionRecord,
    ) -> Result<Envelope, OperationError> {
        let name = || secret.name.to_string();
        let number = version.number;
        let stored = self.store.get(&secret.remote_name, &version.native_id);
        let stored = match stored.await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => {
                self.expect_marker().await?;
                return Err(OperationError::VersionLost {
                    secret: name(),
                    version: number,
                });
            }
            stored => stored?,
        };
        let refused = || OperationError::EnvelopeRefused {
            secret: name(),
            version: number,
        };
        let envelope =
            Envelope::parse_stored(&stored).map_err(|_| OperationError::EnvelopeMalformed {
                secret: name(),
                version: number,
            })?;
        //= docs/format.md#16-payload-digest
        //# A reader MUST NOT open an envelope whose digest differs from the record's.
        //= docs/format.md#25-digest-of-the-wraps
        //# A reader MUST NOT open an envelope whose wraps digest differs from the record's.
        let is_named = hex::encode(envelope.payload_digest()) == version.payload_sha256
            && hex::encode(envelope.wraps_digest()) == version.wraps_sha256;
        if !is_named {
            return Err(refused());
        }
        Ok(envelope)
    }
}

/// Returns the context of one version of a secret.
pub(crate) fn context(organization: Uuid, secret: &SecretRecord, version: u64) -> Context {
    Sealing::of(secret, version).context(organization)
}

/// Identifies the version of a secret as which a value is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealing<'a> {
    /// The backend's uuid.
    pub(crate) backend: Uuid,
    /// The secret's uuid.
    pub(crate) secret: Uuid,
    pub(crate) name: &'a SecretName,
    pub(crate) number: u64,
}

impl<'a> Sealing<'a> {
    /// Identifies version `number` of a secret.
    pub(crate) fn of(secret: &'a SecretRecord, number: u64) -> Self {
        Self {
            backend: secret.backend,
            secret: secret.uuid,
            name: &secret.name,
            number,
        }
    }

    fn context(self, organization: Uuid) -> Context {
        Context {
            purpose: Purpose::Secret,
            organization,
            object: self.secret,
            backend: self.backend,
            version: self.number,
            extension: None,
        }
    }
}

/// A version that was fetched, and not decrypted.
#[derive(Debug)]
pub(crate) struct FetchedVersion(Unsealed);

impl FetchedVersion {
    /// Decrypts the value; `None` if the envelope is rejected.
    pub(crate) fn open(&self) -> Option<SecretValue> {
        self.0.open()
    }

    /// Returns whether `candidate` is the value, without decrypting it; `None` if the
    /// envelope is rejected.
    pub(crate) fn is_value(
        &self,
        candidate: &SecretBytes,
        version: &VersionRecord,
    ) -> Option<bool> {
        let fingerprint = self.0.fingerprint(candidate)?;
        Some(fingerprint == version.fingerprint)
    }
}
