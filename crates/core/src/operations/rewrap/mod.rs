//! Moves wrapped data keys to the newest version of their KEK, or to another KEK. No
//! payload changes, and no value is decrypted.
//!
//! For each version: put the envelope with its new wraps, commit the record that names it,
//! delete the superseded one. A process that is killed in between leaves either an envelope
//! that no record names, or one that the record calls superseded; the next rewrap deletes
//! the latter.

mod envelope;
mod former;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub use self::former::FormerKeys;

use self::envelope::{Candidate, rewrapped};
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

/// What a rewrap has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrapProgress {
    /// The documents to look at.
    pub documents: usize,
    /// The documents that were looked at.
    pub looked_at: usize,
    /// The versions that were wrapped again.
    pub rewrapped: usize,
    /// The versions whose wraps were the newest already.
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
        let versions = KeyVersions::of(&self.wrapping_keyring_of(&opened).await?).await?;
        let documents = self.documents_of(&opened).await?;
        let mut progress = RewrapProgress {
            documents: documents.len(),
            ..RewrapProgress::default()
        };
        for some in documents.chunks(MAX_REWRAPS) {
            interrupt.before("rewrap")?;
            let organization = self.organization;
            let held: Vec<HeldSecret> = stream::iter(some.iter().cloned())
                .map(|key| organization.hold(key))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            self.rewrap_some(&opened, &versions, held, &mut progress, interrupt)
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

    async fn rewrap_some(
        self,
        backend: &Backend,
        versions: &KeyVersions,
        mut held: Vec<HeldSecret>,
        progress: &mut RewrapProgress,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let organization = self.organization.existing().await?.uuid;
        let of_backend = |secret: &SecretRecord| {
            secret.backend == backend.uuid && secret.state == SecretState::Ready
        };
        let mut candidates = Vec::new();
        for (at, held) in held.iter().enumerate() {
            let document = &held.document;
            let secrets = document.current.iter().chain(&document.displaced);
            for secret in secrets.filter(|secret| of_backend(secret)) {
                for version in &secret.versions {
                    candidates.push(Candidate {
                        held: at,
                        secret: secret.clone(),
                        version: version.clone(),
                    });
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
                Ok(envelope)
                    if versions.are_current(envelope.wrapped_keys(), &candidate.version.keks) =>
                {
                    progress.current += 1;
                    self.delete_superseded(backend, &candidate).await?;
                }
                Ok(envelope) => due.push((candidate, envelope)),
            }
        }
        let keyring = self.wrapping_keyring_of(backend).await?;
        let outcomes = rewrapped(&keyring, versions, organization, backend, due).await?;
        // One secret's versions go one after the other: each commit builds on the last.
        for (candidate, outcome) in outcomes {
            interrupt.before("put rewrap")?;
            let replaced = match outcome {
                Ok(envelope) => {
                    let held = &mut held[candidate.held];
                    self.replace(backend, held, &candidate, &envelope, interrupt)
                        .await
                }
                Err(error) => Err(error.into()),
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

    /// Puts an envelope with new wraps in the place of a version's. Returns the superseded
    /// ones that the store keeps.
    async fn replace(
        self,
        backend: &Backend,
        held: &mut HeldSecret,
        candidate: &Candidate,
        envelope: &planton_envelope::Envelope,
        interrupt: &Interrupt,
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
            let put = backend.put_again(&candidate.secret, version, envelope, keep);
            let native_id = put.await?;
            let superseded = std::mem::replace(&mut version.native_id, native_id.clone());
            version.wraps_sha256 = hex::encode(envelope.wraps_digest());
            version.keks = envelope
                .wrapped_keys()
                .iter()
                .map(|(kek, _)| kek.clone())
                .collect();
            // Those of earlier rewraps are deleted by now, or their store keeps them.
            version.superseded = vec![superseded];
            let all = version.superseded.clone();
            let ours = Deletion::Versions(vec![native_id.clone()]);
            if let Err(interrupted) = interrupt.before("commit rewrap") {
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
