//! Verifies records and stored versions against each other, without decrypting a value.
//!
//! For each record its MAC; for each version that a verified record names its object, its
//! payload digest, the digest of its wraps, and the list of keys that it is wrapped for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use futures_util::{StreamExt as _, stream};

use super::backends::Trust;
use super::key_versions::KeyVersions;
use super::secrets::context;
use super::{Backend, Interrupt, Keys, OperationError};
use crate::catalog::CatalogErrorKind as K;
use crate::catalog::{
    BackendDocument, DefaultBackendRecord, Generations, RecordKey, SecretDocument, SecretRecord,
    SecretState, VersionRecord,
};
use crate::kek::{KeyEncryptionKey, WrapNames};
use crate::names::Slug;
use planton_envelope::Envelope;

/// How many requests to the store run at once.
const AT_ONCE: usize = 8;

/// How many documents are loaded before progress is reported.
const CHUNK: usize = 100;

/// What to verify.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verify<'a> {
    /// The backend; all records of the organization without one.
    pub backend: Option<&'a Slug>,
    /// A drill: an escrow key at hand, through which alone the versions have to open.
    pub drill: Option<&'a dyn KeyEncryptionKey>,
}

/// What a verification has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The documents to look at.
    pub documents: usize,
    /// The documents that were looked at.
    pub looked_at: usize,
    /// The versions that were verified, with or without a finding.
    pub versions: usize,
    /// The versions that are not under the present keys and their newest versions: a rewrap
    /// moves them.
    pub due: usize,
    /// The versions that opened through the escrow key of the drill.
    pub drilled: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a record or a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Name of the secret, or key of the record.
    pub subject: String,
    /// The version, if it is about one.
    pub version: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
    /// The failure, without any value.
    pub detail: String,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The record's MAC does not verify, or it is no record.
    Record,
    /// The backend cannot be opened.
    Backend,
    /// The object, its payload or its list of wraps is not the one that the record names.
    Envelope,
    /// The version is wrapped for other keys than the record says, or for one that is not
    /// pinned.
    Keys,
    /// The version does not open through the escrow key of the drill.
    Drill,
}

impl Keys<'_> {
    /// Verifies a backend, or the whole organization.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`, `UnknownBackend`; failures of catalog and KEK that concern
    /// everything. Whatever concerns one record is a finding.
    pub async fn verify(
        self,
        what: Verify<'_>,
        report: &(dyn Fn(&Verification) + Sync),
        interrupt: &Interrupt,
    ) -> Result<Verification, OperationError> {
        self.mac_key().await?;
        let mut found = Verification::default();
        let only = match what.backend {
            Some(name) => Some(self.organization.backends().open(name).await?),
            None => None,
        };
        let documents = match &only {
            Some(backend) => self.documents_of(backend).await?,
            None => {
                self.verify_backends(&mut found).await?;
                self.organization.catalog.list("secrets").await?
            }
        };
        found.documents = documents.len();
        let mut backends = Opened::default();
        for some in documents.chunks(CHUNK) {
            interrupt.before("verify")?;
            for key in some {
                let Some(document) = self
                    .verified_document::<SecretDocument>(key, &mut found)
                    .await?
                else {
                    continue;
                };
                let secrets = document.current.iter().chain(&document.displaced);
                let in_scope = |secret: &&SecretRecord| {
                    secret.state == SecretState::Ready
                        && only.as_ref().is_none_or(|only| only.uuid == secret.backend)
                };
                for secret in secrets.filter(in_scope) {
                    self.verify_secret(secret, what, &mut backends, &mut found)
                        .await?;
                }
            }
            found.looked_at += some.len();
            report(&found);
        }
        Ok(found)
    }

    /// Verifies the records of backends and of the default.
    async fn verify_backends(self, found: &mut Verification) -> Result<(), OperationError> {
        for key in self.organization.catalog.list("backends").await? {
            self.verified_document::<BackendDocument>(&key, found)
                .await?;
        }
        let default = RecordKey::new("default");
        self.verified_document::<DefaultBackendRecord>(&default, found)
            .await?;
        Ok(())
    }

    /// Loads a record and verifies its MAC; `None` with a finding if it is altered.
    async fn verified_document<T: Generations>(
        self,
        key: &RecordKey,
        found: &mut Verification,
    ) -> Result<Option<T>, OperationError> {
        let mac_key = self.mac_key().await?;
        let loaded = match self.organization.catalog.load::<T>(key).await {
            Ok(None) => return Ok(None),
            Ok(Some(loaded)) => loaded.verify(mac_key).map(|()| loaded.record),
            Err(error) => Err(error),
        };
        match loaded {
            Ok(record) => Ok(Some(record)),
            Err(error) if matches!(error.kind(), K::Altered | K::Corrupt) => {
                let error = OperationError::from(error);
                found.add(key.as_str(), None, Problem::Record, error.with_sources());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn verify_secret(
        self,
        secret: &SecretRecord,
        what: Verify<'_>,
        backends: &mut Opened,
        found: &mut Verification,
    ) -> Result<(), OperationError> {
        let name = secret.name.to_string();
        let organization = self.organization.existing().await?.uuid;
        let (backend, keys) = match backends.of(self, secret).await {
            Ok(opened) => opened,
            Err(error) => {
                found.add(&name, None, Problem::Backend, error.with_sources());
                return Ok(());
            }
        };
        let fetched: Vec<_> = stream::iter(&secret.versions)
            .map(|version| async move { (version, backend.fetch_envelope(secret, version).await) })
            .buffered(AT_ONCE)
            .collect()
            .await;
        for (version, envelope) in fetched {
            found.versions += 1;
            let number = Some(version.number);
            let envelope = match envelope {
                Ok(envelope) => envelope,
                Err(error) => {
                    found.add(&name, number, Problem::Envelope, error.with_sources());
                    continue;
                }
            };
            if let Some(detail) = self.mistaken_keys(&envelope, version) {
                found.add(&name, number, Problem::Keys, detail);
            }
            found.due += usize::from(!keys.are_current(envelope.wrapped_keys(), &version.keks));
            let Some(key) = what.drill else { continue };
            let context = context(organization, secret, version.number);
            let names = WrapNames::secret(&backend.organization, &secret.name);
            match drill(key, &envelope, &context, &names).await {
                Ok(()) => found.drilled += 1,
                Err(detail) => found.add(&name, number, Problem::Drill, detail),
            }
        }
        Ok(())
    }

    /// Returns what is wrong with the keys that a version is wrapped for.
    fn mistaken_keys(self, envelope: &Envelope, version: &VersionRecord) -> Option<String> {
        let wraps: Vec<_> = envelope.wrapped_keys().iter().map(|(id, _)| id).collect();
        if wraps != version.keks.iter().collect::<Vec<_>>() {
            return Some("it is wrapped for other keys than its record says".to_owned());
        }
        let pins = &self.organization.pins;
        let foreign = version.keks.iter().find(|id| !pins.allows(id))?;
        let pin = crate::kek::pin_of(foreign);
        Some(format!(
            "it is wrapped for {pin}, which is not among the allowed keys"
        ))
    }
}

/// The backends that were opened, with the newest versions of their keys.
#[derive(Debug, Default)]
struct Opened(BTreeMap<uuid::Uuid, (Backend, KeyVersions)>);

impl Opened {
    async fn of(
        &mut self,
        keys: Keys<'_>,
        secret: &SecretRecord,
    ) -> Result<&(Backend, KeyVersions), OperationError> {
        match self.0.entry(secret.backend) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let backends = keys.organization.backends();
                let backend = backends.of_secret(secret, Trust::Mac).await?;
                let versions = KeyVersions::of(&keys.wrapping_keyring_of(&backend).await?).await?;
                Ok(entry.insert((backend, versions)))
            }
        }
    }
}

/// Opens a version through `key` alone. The value is dropped at once.
async fn drill(
    key: &dyn KeyEncryptionKey,
    envelope: &Envelope,
    context: &planton_envelope::Context,
    names: &WrapNames,
) -> Result<(), String> {
    let mut wraps = envelope.wrapped_keys().iter();
    let (id, wrapped) = wraps
        .find(|(id, _)| id == key.id())
        .ok_or("it is not wrapped for the key of the drill")?;
    let binding = envelope.binding_in(context, id);
    let data_key = key.unwrap(wrapped, names.bound(binding)).await;
    let data_key = data_key.map_err(|error| OperationError::from(error).with_sources())?;
    let opened = envelope.open(&data_key, context);
    opened.map(drop).map_err(|_| "it does not open".to_owned())
}

impl Verification {
    fn add(&mut self, subject: &str, version: Option<u64>, problem: Problem, detail: String) {
        self.findings.push(Finding {
            subject: subject.to_owned(),
            version,
            problem,
            detail,
        });
    }
}
