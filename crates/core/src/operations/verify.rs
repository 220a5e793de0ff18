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

/// How many documents are loaded before progress is reported, and how many versions are
/// prepared at once.
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
    /// The versions that are not under the present keys, or show that they are under older
    /// versions of them: a rewrap moves them.
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
            let each: Vec<_> = some.iter().map(|key| self.loaded(key)).collect();
            let loaded: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
            let mut secrets = Vec::new();
            for (key, loaded) in some.iter().zip(loaded) {
                let document: Option<SecretDocument> = verified(key, loaded, &mut found)?;
                let Some(document) = document else { continue };
                let all = document.current.into_iter().chain(document.displaced);
                secrets.extend(all.filter(|secret| {
                    secret.state == SecretState::Ready
                        && only.as_ref().is_none_or(|only| only.uuid == secret.backend)
                }));
            }
            self.verify_secrets(&secrets, what, &mut backends, &mut found)
                .await?;
            found.looked_at += some.len();
            report(&found);
        }
        Ok(found)
    }

    /// Verifies the records of backends and of the default.
    async fn verify_backends(self, found: &mut Verification) -> Result<(), OperationError> {
        for key in self.organization.catalog.list("backends").await? {
            let loaded = self.loaded::<BackendDocument>(&key).await;
            verified(&key, loaded, found)?;
        }
        let default = RecordKey::new("default");
        let loaded = self.loaded::<DefaultBackendRecord>(&default).await;
        verified(&default, loaded, found)?;
        Ok(())
    }

    /// Loads a record and verifies its MAC.
    async fn loaded<T: Generations>(self, key: &RecordKey) -> Result<Option<T>, OperationError> {
        let mac_key = self.mac_key().await?;
        let Some(loaded) = self.organization.catalog.load::<T>(key).await? else {
            return Ok(None);
        };
        loaded.verify(mac_key)?;
        Ok(Some(loaded.record))
    }

    /// Verifies the stored versions of some secrets.
    async fn verify_secrets(
        self,
        secrets: &[SecretRecord],
        what: Verify<'_>,
        backends: &mut Opened,
        found: &mut Verification,
    ) -> Result<(), OperationError> {
        let mut on_backends = Vec::new();
        for secret in secrets {
            match backends.open(self, secret).await {
                Ok(()) => on_backends.push(secret),
                Err(error) => {
                    let name = secret.name.to_string();
                    found.add(&name, None, Problem::Backend, error.with_sources());
                }
            }
        }
        let versions = on_backends.iter().filter_map(|secret| {
            let opened = backends.0.get(&secret.backend)?;
            Some(secret.versions.iter().map(move |it| (*secret, it, opened)))
        });
        let versions: Vec<_> = versions.flatten().collect();
        // However many versions the secrets have, few requests are held at once.
        for some in versions.chunks(CHUNK) {
            // Each is verified where it is fetched: while this loop awaited anything, the other
            // fetches would stand still, with what they hold.
            let each: Vec<_> = some
                .iter()
                .map(|&(secret, version, opened)| async move {
                    let mut one = Verification {
                        versions: 1,
                        ..Verification::default()
                    };
                    match opened.0.fetch_envelope(secret, version).await {
                        Ok(envelope) => {
                            let of = (secret, version);
                            self.verify_version(of, opened, (envelope, what.drill), &mut one)
                                .await?;
                        }
                        Err(error) => {
                            let (name, number) = (secret.name.to_string(), Some(version.number));
                            one.add(&name, number, Problem::Envelope, error.with_sources());
                        }
                    }
                    Ok::<_, OperationError>(one)
                })
                .collect();
            let mut verified = stream::iter(each).buffered(AT_ONCE);
            while let Some(one) = verified.next().await {
                found.merge(one?);
            }
        }
        Ok(())
    }

    async fn verify_version(
        self,
        (secret, version): (&SecretRecord, &VersionRecord),
        (backend, keys): &(Backend, KeyVersions),
        (envelope, drilled): (Envelope, Option<&dyn KeyEncryptionKey>),
        found: &mut Verification,
    ) -> Result<(), OperationError> {
        let (name, number) = (secret.name.to_string(), Some(version.number));
        if let Some(detail) = self.mistaken_keys(&envelope, version) {
            found.add(&name, number, Problem::Keys, detail);
        }
        found.due += usize::from(keys.are_behind(envelope.wrapped_keys(), &version.keks));
        let Some(key) = drilled else { return Ok(()) };
        let organization = self.organization.existing().await?.uuid;
        let context = context(organization, secret, version.number);
        let names = WrapNames::secret(&backend.organization, &secret.name);
        match drill(key, &envelope, &context, &names).await {
            Ok(()) => found.drilled += 1,
            Err(detail) => found.add(&name, number, Problem::Drill, detail),
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
    /// Opens the backend of a secret, unless it is open.
    async fn open(&mut self, keys: Keys<'_>, secret: &SecretRecord) -> Result<(), OperationError> {
        if let Entry::Vacant(entry) = self.0.entry(secret.backend) {
            let backends = keys.organization.backends();
            let backend = backends.of_secret(secret, Trust::Mac).await?;
            let versions = KeyVersions::of(&keys.wrapping_keyring_of(&backend).await?).await?;
            entry.insert((backend, versions));
        }
        Ok(())
    }
}

/// Returns a record whose MAC verifies; `None`, with a finding, for one that is altered.
fn verified<T>(
    key: &RecordKey,
    loaded: Result<Option<T>, OperationError>,
    found: &mut Verification,
) -> Result<Option<T>, OperationError> {
    match loaded {
        Err(OperationError::Catalog(error)) if matches!(error.kind(), K::Altered | K::Corrupt) => {
            let error = OperationError::from(error);
            found.add(key.as_str(), None, Problem::Record, error.with_sources());
            Ok(None)
        }
        loaded => loaded,
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
    /// Adds what was found of some versions.
    fn merge(&mut self, of: Self) {
        self.versions += of.versions;
        self.due += of.due;
        self.drilled += of.drilled;
        self.findings.extend(of.findings);
    }

    fn add(&mut self, subject: &str, version: Option<u64>, problem: Problem, detail: String) {
        self.findings.push(Finding {
            subject: subject.to_owned(),
            version,
            problem,
            detail,
        });
    }
}
