//! Moves wrapped data keys to the newest version of their KEK, or to another KEK. No
//! payload changes, and no value is decrypted.
//!
//! For each version: put the envelope with its new wraps, commit the record that names it,
//! delete the superseded one. A process that is killed in between leaves either an envelope
//! that no record names, or one that the record calls superseded; the next rewrap deletes
//! the latter.
//!
//! A failure of one document or version is reported, and the others go on. A failure that no
//! other would escape ends the rewrap.

mod envelope;
mod former;
mod progress;
mod replace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::{StreamExt as _, stream};

pub use self::former::FormerKeys;
pub use self::progress::{FailedRewrap, KeptEnvelope, RewrapProgress};

use self::envelope::{Candidate, Outcome, rewrapped};
use self::progress::ends_all;
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
    /// `UnknownBackend`; `KeyNotAllowed`; `Interrupted`; failures of catalog and KEK that
    /// concern the whole backend.
    pub async fn rewrap(
        self,
        backend: &Slug,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let opened = self.open_fenced(backend).await?;
        let versions = KeyVersions::of(opened.keyring.get().await?).await?;
        let documents = self.documents_of(&opened).await?;
        let mut progress = RewrapProgress {
            documents: documents.len(),
            ..RewrapProgress::default()
        };
        let is_over = AtomicBool::new(false);
        let replacing = Replacing {
            keys: self,
            backend: &opened,
            interrupt,
            is_over: &is_over,
        };
        for some in documents.chunks(MAX_REWRAPS) {
            interrupt.before("rewrap")?;
            let held = self.hold_some(some, &mut progress).await?;
            self.rewrap_some(&replacing, &versions, held, &mut progress)
                .await?;
            progress.looked_at += some.len();
            report(&progress);
        }
        Ok(progress)
    }

    /// Opens a backend by the organization's and its own record as they are now. Another
    /// process may have changed the list of keys a moment ago, and a standby may lag.
    async fn open_fenced(self, backend: &Slug) -> Result<Backend, OperationError> {
        let record = self.hold_record().await?.record;
        let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
        let backends = self.organization.backends();
        backends.open_fenced(backend, &Arc::new(keyring)).await
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
        let loaded: Vec<_> = stream::iter(keys)
            .map(|key| async move { (key, organization.hold::<_>(key.clone()).await) })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut held = Vec::with_capacity(loaded.len());
        for (key, outcome) in loaded {
            match outcome {
                Ok(document) => held.push(document),
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => progress.fail_document(key, &error),
            }
        }
        Ok(held)
    }

    async fn rewrap_some(
        self,
        replacing: &Replacing<'_>,
        versions: &KeyVersions,
        mut held: Vec<HeldSecret>,
        progress: &mut RewrapProgress,
    ) -> Result<(), OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let backend = replacing.backend;
        let fetched: Vec<_> = stream::iter(candidates(&held, backend))
            .map(|candidate| candidate.fetch(backend))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut due = Vec::new();
        for (candidate, envelope) in fetched {
            match envelope {
                Err(error) if ends_all(&error) => return Err(error),
                Err(error) => progress.fail(&candidate, &error),
                Ok(envelope)
                    if versions.are_current(envelope.wrapped_keys(), &candidate.version.keks) =>
                {
                    progress.current += 1;
                    match replacing.delete_superseded(&candidate).await {
                        Err(error) if ends_all(&error) => return Err(error),
                        Err(error) => progress.fail(&candidate, &error),
                        Ok(()) => {}
                    }
                }
                Ok(envelope) => due.push((candidate, envelope)),
            }
        }
        let keyring = backend.keyring.get().await?;
        let outcomes = rewrapped(keyring, versions, organization, backend, due).await?;
        let mut of_each: Vec<Vec<Outcome>> = held.iter().map(|_| Vec::new()).collect();
        for outcome in outcomes {
            of_each[outcome.0.held].push(outcome);
        }
        let work = held.iter_mut().zip(of_each);
        // All of them end before a failure is returned: none is dropped within a commit.
        let done: Vec<_> = stream::iter(work)
            .map(|(held, outcomes)| replacing.all(held, outcomes))
            .buffered(AT_ONCE)
            .collect()
            .await;
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
