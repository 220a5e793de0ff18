//! Renews the envelopes of a backend in place. A rewrap moves wrapped data keys to the newest
//! version of their KEK, or to another KEK: no payload changes, and no value is decrypted. A
//! reseal seals each value again under a new data key.
//!
//! For each version: put the new envelope, commit the record that names it,
//! delete the superseded one. A process that is killed in between leaves either an envelope
//! that no record names, or one that the record calls superseded; the next rewrap or
//! reseal deletes the latter.

mod envelope;
mod former;
mod renewal;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

pub use self::former::FormerKeys;

use self::envelope::Candidate;
use self::renewal::{Renewal, Renewed};
use super::held_document::HeldSecret;
use super::key_versions::KeyVersions;
use super::{Backend, ChangedRecord, Interrupt, Keys, OperationError};
use crate::catalog::{RecordKey, SecretRecord, SecretState, record_key_of_uuid};
use crate::kek::MAX_REWRAPS;
use crate::names::{PLATFORM_BACKEND, SecretName, Slug};
use crate::store::{Deletion, NativeVersionId, RemoteName, StoreError, StoreErrorKind};

/// How many requests to the catalog and the store run at once.
const AT_ONCE: usize = 8;

/// How often a version is tried again while others write.
const TRIES: usize = 5;

/// What a rewrap or a reseal has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrapProgress {
    /// The documents to look at.
    pub documents: usize,
    /// The documents that were looked at.
    pub looked_at: usize,
    /// The versions that were wrapped again, or sealed again.
    pub rewrapped: usize,
    /// The versions whose wraps were the newest already, or that were sealed late enough.
    pub current: usize,
    /// The superseded envelopes that the store keeps.
    pub kept: Vec<KeptEnvelope>,
    /// The versions that failed, with the reason.
    pub failed: Vec<(SecretName, u64, String)>,
}

/// A superseded envelope that its store keeps, since it deletes no single version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEnvelope {
    /// The object.
    pub object: RemoteName,
    /// The store's identifier of the version.
    pub version: NativeVersionId,
}

impl Keys<'_> {
    /// Wraps all data keys of a backend under its present keys and their newest versions.
    ///
    /// A version that fails does not keep the others from being rewrapped.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; `KeyNotAllowed`; failures of catalog and KEK that concern the
    /// whole backend.
    pub async fn rewrap(
        self,
        backend: &Slug,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let backends = self.organization.backends();
        let opened = backends.open(backend).await?;
        let versions = KeyVersions::of(opened.keyring.get().await?).await?;
        let renewal = Renewal::Wraps(versions);
        self.renew(&opened, &renewal, report, interrupt).await
    }

    /// Seals the values of a backend again, each under a new data key and in the place of its
    /// version, if they were sealed before a time. An interrupted call is continued by one
    /// with the same time.
    ///
    /// A version that fails does not keep the others from being resealed.
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
        let opened = self.organization.backends().open(backend).await?;
        let renewal = Renewal::DataKeys { sealed_before };
        self.renew(&opened, &renewal, report, interrupt).await
    }

    async fn renew(
        self,
        opened: &Backend,
        renewal: &Renewal,
        report: &(dyn Fn(&RewrapProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<RewrapProgress, OperationError> {
        let documents = self.documents_of(opened).await?;
        let mut progress = RewrapProgress {
            documents: documents.len(),
            ..RewrapProgress::default()
        };
        for some in documents.chunks(MAX_REWRAPS) {
            renewal.next(interrupt)?;
            let organization = self.organization;
            let held: Vec<HeldSecret> = stream::iter(some.iter().cloned())
                .map(|key| organization.hold(key))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            self.renew_some(opened, renewal, held, &mut progress, interrupt)
                .await?;
            progress.looked_at += some.len();
            report(&progress);
        }
        Ok(progress)
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

    async fn renew_some(
        self,
        backend: &Backend,
        renewal: &Renewal,
        mut held: Vec<HeldSecret>,
        progress: &mut RewrapProgress,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let of_backend = |secret: &SecretRecord| {
            secret.backend == backend.uuid && secret.state == SecretState::Ready
        };
        let (mut candidates, mut done) = (Vec::new(), Vec::new());
        for (at, held) in held.iter().enumerate() {
            let document = &held.document;
            let secrets = document.current.iter().chain(&document.displaced);
            for secret in secrets.filter(|secret| of_backend(secret)) {
                for version in &secret.versions {
                    let candidate = Candidate {
                        held: at,
                        secret: secret.clone(),
                        version: version.clone(),
                    };
                    match renewal.may_be_due(version) {
                        true => candidates.push(candidate),
                        false => done.push(candidate),
                    }
                }
            }
        }
        let fetched: Vec<_> = stream::iter(candidates)
            .map(|candidate| candidate.fetch(backend))
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut due = Vec::new();
        for (candidate, envelope) in fetched {
            match envelope {
                Err(error) => progress.fail(&candidate, &error),
                Ok(envelope) => {
                    let is_due = renewal.is_due(backend, organization, &candidate, &envelope);
                    match is_due.await {
                        Err(error) => progress.fail(&candidate, &error),
                        Ok(true) => due.push((candidate, envelope)),
                        Ok(false) => done.push(candidate),
                    }
                }
            }
        }
        for candidate in done {
            progress.current += 1;
            self.delete_superseded(backend, &candidate).await?;
        }
        let outcomes = renewal.renewed(backend, organization, due).await?;
        // One secret's versions go one after the other: each commit builds on the last.
        for (candidate, outcome) in outcomes {
            renewal.put(interrupt)?;
            let replaced = match outcome {
                Ok(renewed) => {
                    let held = &mut held[candidate.held];
                    let commit = || renewal.commit(interrupt);
                    self.replace(backend, held, &candidate, &renewed, commit)
                        .await
                }
                Err(error) => Err(error),
            };
            match replaced {
                Ok(kept) => {
                    progress.rewrapped += 1;
                    progress.kept.extend(kept);
                }
                Err(error @ OperationError::Interrupted { .. }) => return Err(error),
                Err(error) => progress.fail(&candidate, &error),
            }
        }
        Ok(())
    }

    /// Puts an envelope in the place of a version's. Returns the superseded ones that the
    /// store keeps.
    async fn replace(
        self,
        backend: &Backend,
        held: &mut HeldSecret,
        candidate: &Candidate,
        renewed: &Renewed,
        commit: impl Fn() -> Result<(), OperationError> + Send,
    ) -> Result<Vec<KeptEnvelope>, OperationError> {
        let capability = backend.store.capability();
        for _ in 0..TRIES {
            let Some(secret) = held.document.secret_mut(candidate.secret.uuid) else {
                return Ok(Vec::new());
            };
            let remote_name = secret.remote_name.clone();
            let keep: Vec<_> = secret
                .versions
                .iter()
                .map(|version| version.native_id.clone())
                .collect();
            let Some(version) = secret.version_mut(candidate.version.number) else {
                return Ok(Vec::new());
            };
            if version.payload_sha256 != candidate.version.payload_sha256
                || version.wraps_sha256 != candidate.version.wraps_sha256
            {
                // Another rewrap, or a healed version, came first.
                return Ok(Vec::new());
            }
            if capability.deletes_versions && !version.superseded.is_empty() {
                let earlier = Deletion::Versions(version.superseded.clone());
                deleted(backend.store.delete(&remote_name, earlier).await)?;
            }
            let put = backend.put_again(&candidate.secret, version, &renewed.envelope, keep);
            let native_id = put.await?;
            let superseded = std::mem::replace(&mut version.native_id, native_id.clone());
            renewed.enter(version);
            // Those of earlier rewraps are deleted by now, or their store keeps them.
            version.superseded = vec![superseded];
            let all = version.superseded.clone();
            let ours = Deletion::Versions(vec![native_id.clone()]);
            if let Err(interrupted) = commit() {
                backend.store.delete(&remote_name, ours).await?;
                return Err(interrupted);
            }
            if let Some(now) = self.organization.try_commit(held).await? {
                *held = now;
                // If it names what was put, the commit landed, its response was lost, and
                // another writer has built on it.
                let secret = held.document.secret(candidate.secret.uuid);
                if secret.is_none_or(|secret| !secret.native_ids().contains(&native_id)) {
                    backend.store.delete(&remote_name, ours).await?;
                    continue;
                }
            }
            if !capability.deletes_versions {
                let kept = all.into_iter().map(|version| KeptEnvelope {
                    object: remote_name.clone(),
                    version,
                });
                return Ok(kept.collect());
            }
            super::crash_hooks::crash_point("delete superseded");
            let superseded = Deletion::Versions(all);
            deleted(backend.store.delete(&remote_name, superseded).await)?;
            return Ok(Vec::new());
        }
        Err(OperationError::ChangedConcurrently {
            record: ChangedRecord::Secret(Some(candidate.secret.name.clone())),
        })
    }

    /// Deletes what an earlier rewrap has replaced, and was killed before it deleted.
    async fn delete_superseded(
        self,
        backend: &Backend,
        candidate: &Candidate,
    ) -> Result<(), OperationError> {
        let superseded = &candidate.version.superseded;
        if superseded.is_empty() || !backend.store.capability().deletes_versions {
            return Ok(());
        }
        let what = Deletion::Versions(superseded.clone());
        let name = &candidate.secret.remote_name;
        Ok(backend.store.delete(name, what).await?)
    }
}

/// Accepts the deletion of an object that is gone already.
fn deleted(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

impl RewrapProgress {
    fn fail(&mut self, candidate: &Candidate, error: &OperationError) {
        let name = candidate.secret.name.clone();
        let number = candidate.version.number;
        self.failed.push((name, number, error.with_sources()));
    }
}
