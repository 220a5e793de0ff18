//! Renews the envelopes of a backend in place. A rewrap moves wrapped data keys to the newest
//! version of their KEK, or to another KEK: no payload changes, and no value is decrypted. A
//! reseal seals each value again under a new data key.
//!
//! For each version: put the new envelope, commit the record that names it, delete the
//! superseded one. A process that is killed in between leaves either an envelope that no
//! record names, or one that the record calls superseded; the next rewrap or reseal deletes
//! the latter.
//!
//! A failure of one document or version is reported, and the others go on. A failure that no
//! other would escape ends the pass.

mod denials;
mod envelope;
mod former;
mod keys_in_use;
mod progress;
mod renewal;
mod replace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

pub use self::former::FormerKeys;
pub use self::progress::{FailedRewrap, KeptEnvelope, RewrapProgress};

use self::envelope::Candidate;
use self::keys_in_use::KeysInUse;
use self::renewal::{Outcome, Renewal};
use self::replace::Replacing;
use super::held_document::HeldSecret;
use super::key_versions::KeyVersions;
use super::{Backend, Interrupt, Keys, OperationError};
use crate::catalog::{RecordKey, SecretRecord, SecretState, record_key_of_uuid};
use crate::kek::MAX_REWRAPS;
use crate::names::{PLATFORM_BACKEND, Slug};

/// How many requests to the catalog and the store run at once, and how many documents are
/// replaced at once.
const AT_ONCE: usize = 8;

impl Keys<'_> {
    /// Wraps all data keys of a backend under its present keys and their newest versions.
    ///
    /// A document or a version that fails does not keep the others from being rewrapped.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; `KeyNotAllowed`; `BackendChangedConcurrently` if its keys change
    /// meanwhile; `Interrupted`; failures of catalog and KEK that concern the whole backend.
    pub async fn rewrap(
        self,
        backend: &Slug,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let (opened, in_use) = self.open_fenced(backend).await?;
        let keyring = opened.keyring.get().await?;
        // Without it, wraps under newer versions would move back to the recorded one.
        keyring.main().successor().await?;
        let versions = KeyVersions::of(keyring).await?;
        let renewal = Renewal::Wraps(versions);
        self.renew(&opened, &in_use, &renewal, report, interrupt)
            .await
    }

    /// Seals the values of a backend again, each under a new data key and in the place of its
    /// version, if they were sealed before a time. An interrupted call is continued by one
    /// with the same time.
    ///
    /// A document or a version that fails does not keep the others from being resealed.
    ///
    /// # Errors
    ///
    /// As [`rewrap`](Self::rewrap).
    pub async fn reseal(
        self,
        backend: &Slug,
        sealed_before: Timestamp,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let (opened, in_use) = self.open_fenced(backend).await?;
        let renewal = Renewal::DataKeys { sealed_before };
        self.renew(&opened, &in_use, &renewal, report, interrupt)
            .await
    }

    async fn renew(
        self,
        opened: &Backend,
        in_use: &KeysInUse,
        renewal: &Renewal,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let documents = self.documents_of(opened).await?;
        let mut progress = RewrapProgress {
            documents: documents.len(),
            ..RewrapProgress::default()
        };
        let is_over = AtomicBool::new(false);
        let replacing = Replacing {
            keys: self,
            backend: opened,
            in_use,
            renewal,
            interrupt,
            is_over: &is_over,
        };
        for some in documents.chunks(MAX_REWRAPS) {
            renewal.next(interrupt)?;
            let held = self.hold_some(some, &mut progress).await?;
            self.renew_some(&replacing, held, &mut progress).await?;
            progress.looked_at += some.len();
            report(&progress);
            self.expect_keys(&opened.name, in_use).await?;
        }
        Ok(progress)
    }

    /// Opens a backend by the organization's and its own record as they are now, and returns
    /// the keys that these name. Another process may have changed the list of keys a moment
    /// ago, and a standby may lag.
    async fn open_fenced(self, backend: &Slug) -> Result<(Backend, KeysInUse), OperationError> {
        let record = self.hold_record().await?.record;
        let newest = self.organization.platform.kek.resolve_newest_version();
        match newest.await {
            // The key may be lost, and a backend with a key of its own needs it no longer.
            Err(_) if self.organization.has_rescue() => {}
            newest => newest?,
        }
        let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
        let backends = self.organization.backends();
        let opened = backends.open_fenced(backend, &Arc::new(keyring)).await?;
        let in_use = KeysInUse::of(&record, opened.keyring.of_record());
        Ok((opened, in_use))
    }

    /// Returns the documents that may name an object of the backend.
    pub(super) async fn documents_of(
        self,
        backend: &Backend,
    ) -> Result<Vec<RecordKey>, OperationError> {
        if backend.name.as_str() == PLATFORM_BACKEND {
            return Ok(self.organization.catalog.list("secrets").await?);
        }
        let entries = self.organization.entries().of_backend(backend.uuid).await?;
        let keys: BTreeSet<RecordKey> = entries
            .into_iter()
            .filter_map(|entry| record_key_of_uuid(entry.secret))
            .collect();
        Ok(keys.into_iter().collect())
    }

    /// Loads documents with their MACs verified. One that is altered or no record fails alone.
    async fn hold_some(
        self,
        keys: &[RecordKey],
        progress: &mut RewrapProgress,
    ) -> Result<Vec<HeldSecret>, OperationError> {
        let organization = self.organization;
        let each: Vec<_> = keys
            .iter()
            .map(|key| organization.hold(key.clone()))
            .collect();
        let loaded: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        let mut held = Vec::with_capacity(loaded.len());
        for (key, outcome) in keys.iter().zip(loaded) {
            match outcome {
                Ok(document) => held.push(document),
                Err(error) if error.ends_all() => return Err(error),
                Err(error) => progress.fail_document(key, &error),
            }
        }
        Ok(held)
    }

    async fn renew_some(
        self,
        replacing: &Replacing<'_>,
        mut held: Vec<HeldSecret>,
        progress: &mut RewrapProgress,
    ) -> Result<(), OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let (backend, renewal) = (replacing.backend, replacing.renewal);
        let each: Vec<_> = candidates(&held, backend)
            .into_iter()
            .map(|candidate| renewal.due(backend, organization, candidate))
            .collect();
        let fetched: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        let mut due = Vec::new();
        for (candidate, envelope) in fetched {
            match envelope {
                Err(error) => {
                    let key = &held[candidate.held].name;
                    if let Some(error) = replacing.to_report(key, &candidate, error).await? {
                        progress.fail(&candidate, &error);
                    }
                }
                Ok(None) => {
                    progress.current += 1;
                    progress.kept.extend(replacing.kept_before(&candidate));
                    match replacing.delete_superseded(&candidate).await {
                        Err(error) if error.ends_all() => return Err(error),
                        Err(error) => progress.fail(&candidate, &error),
                        Ok(()) => {}
                    }
                }
                Ok(Some(envelope)) => due.push((candidate, envelope)),
            }
        }
        let outcomes = renewal.renewed(backend, organization, due).await?;
        if !outcomes.is_empty() {
            self.expect_keys(&backend.name, replacing.in_use).await?;
        }
        let mut of_each: Vec<Vec<Outcome>> = held.iter().map(|_| Vec::new()).collect();
        for outcome in outcomes {
            of_each[outcome.0.held].push(outcome);
        }
        let each: Vec<_> = held
            .iter_mut()
            .zip(of_each)
            .map(|(held, outcomes)| replacing.all(held, outcomes))
            .collect();
        // All of them end before a failure is returned: none is dropped within a commit.
        let done: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        for done in done {
            progress.add(done?);
        }
        Ok(())
    }
}

/// Returns the versions of `held` whose objects are in the backend.
fn candidates(held: &[HeldSecret], backend: &Backend) -> Vec<Candidate> {
    let of_backend = |secret: &&SecretRecord| {
        secret.backend == backend.uuid && secret.state == SecretState::Ready
    };
    let mut candidates = Vec::new();
    for (at, held) in held.iter().enumerate() {
        let document = &held.document;
        let secrets = document.current.iter().chain(&document.displaced);
        for secret in secrets.filter(of_backend) {
            let of_version = |version| Candidate {
                held: at,
                secret: secret.clone(),
                version,
            };
            candidates.extend(secret.versions.iter().cloned().map(of_version));
        }
    }
    candidates
}
