//! Puts an envelope with new wraps in the place of a version's, and commits it.

use std::sync::atomic::{AtomicBool, Ordering};

use planton_envelope::Envelope;

use super::envelope::{Candidate, Outcome};
use super::progress::{KeptEnvelope, RewrapProgress, ends_all};
use crate::operations::crash_hooks::crash_point;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, ChangedRecord, Interrupt, Keys, OperationError};
use crate::store::{Deletion, NativeVersionId, RemoteName, StoreError, StoreErrorKind};

/// How often a version is tried again while others write.
const TRIES: usize = 5;

/// Replaces the envelopes of one backend.
pub(super) struct Replacing<'a> {
    pub(super) keys: Keys<'a>,
    pub(super) backend: &'a Backend,
    pub(super) interrupt: &'a Interrupt,
    /// Set once a failure ends the whole rewrap: no further version begins.
    pub(super) is_over: &'a AtomicBool,
}

impl Replacing<'_> {
    /// Replaces the versions of one document, one after the other: each commit builds on the
    /// last.
    pub(super) async fn all(
        &self,
        held: &mut HeldSecret,
        outcomes: Vec<Outcome>,
    ) -> Result<RewrapProgress, OperationError> {
        let mut done = RewrapProgress::default();
        for (candidate, outcome) in outcomes {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let replaced = async {
                self.interrupt.before("put rewrap")?;
                let envelope = outcome?;
                self.replace(held, &candidate, &envelope, &mut done.kept)
                    .await
            };
            match replaced.await {
                Ok(Replaced::Committed) => done.rewrapped += 1,
                Ok(Replaced::Elsewhere) => {}
                Ok(Replaced::Undeleted(error)) => {
                    done.rewrapped += 1;
                    done.fail(&candidate, &error.into());
                }
                Err(error) if ends_all(&error) => {
                    self.is_over.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                Err(error) => done.fail(&candidate, &error),
            }
        }
        Ok(done)
    }

    /// Puts `envelope` in the place of the candidate's, commits it, and deletes the
    /// superseded one. Adds to `kept` what the store keeps.
    async fn replace(
        &self,
        held: &mut HeldSecret,
        candidate: &Candidate,
        envelope: &Envelope,
        kept: &mut Vec<KeptEnvelope>,
    ) -> Result<Replaced, OperationError> {
        let Self {
            backend, interrupt, ..
        } = self;
        let capability = backend.store.capability();
        for _ in 0..TRIES {
            let Some(secret) = held.document.secret_mut(candidate.secret.uuid) else {
                return Ok(Replaced::Elsewhere);
            };
            let remote_name = secret.remote_name.clone();
            let keep: Vec<_> = secret
                .versions
                .iter()
                .map(|version| version.native_id.clone())
                .collect();
            let Some(version) = secret.version_mut(candidate.version.number) else {
                return Ok(Replaced::Elsewhere);
            };
            if version.payload_sha256 != candidate.version.payload_sha256
                || version.wraps_sha256 != candidate.version.wraps_sha256
            {
                // Another rewrap, or a healed version, came first.
                return Ok(Replaced::Elsewhere);
            }
            if capability.deletes_versions && !version.superseded.is_empty() {
                // The record names one superseded envelope: that of this rewrap.
                self.delete(&remote_name, version.superseded.clone())
                    .await?;
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
            let superseded = version.superseded.clone();
            if let Err(interrupted) = interrupt.before("commit rewrap") {
                self.delete(&remote_name, vec![native_id]).await?;
                return Err(interrupted);
            }
            if let Some(now) = self.keys.organization.try_commit(held).await? {
                *held = now;
                // If it names what was put, the commit landed, its response was lost, and
                // another writer has built on it.
                let secret = held.document.secret(candidate.secret.uuid);
                if secret.is_none_or(|secret| !secret.native_ids().contains(&native_id)) {
                    self.delete(&remote_name, vec![native_id]).await?;
                    continue;
                }
            }
            if !capability.deletes_versions {
                kept.extend(superseded.into_iter().map(|version| KeptEnvelope {
                    object: remote_name.clone(),
                    version,
                }));
                return Ok(Replaced::Committed);
            }
            crash_point("delete superseded");
            return Ok(match self.delete(&remote_name, superseded).await {
                Ok(()) => Replaced::Committed,
                Err(error) => Replaced::Undeleted(error),
            });
        }
        Err(OperationError::ChangedConcurrently {
            record: ChangedRecord::Secret(Some(candidate.secret.name.clone())),
        })
    }

    /// Deletes what an earlier rewrap has replaced, and was killed before it deleted.
    pub(super) async fn delete_superseded(
        &self,
        candidate: &Candidate,
    ) -> Result<(), OperationError> {
        let superseded = &candidate.version.superseded;
        if superseded.is_empty() || !self.backend.store.capability().deletes_versions {
            return Ok(());
        }
        let name = &candidate.secret.remote_name;
        Ok(self.delete(name, superseded.clone()).await?)
    }

    /// Deletes versions of an object. They may be gone already.
    async fn delete(
        &self,
        name: &RemoteName,
        versions: Vec<NativeVersionId>,
    ) -> Result<(), StoreError> {
        let what = Deletion::Versions(versions);
        match self.backend.store.delete(name, what).await {
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}

/// What became of a version.
enum Replaced {
    /// It has new wraps.
    Committed,
    /// Another writer removed or replaced it first.
    Elsewhere,
    /// It has new wraps, and the superseded envelope could not be deleted. Its record names
    /// that one until a later rewrap deletes it.
    Undeleted(StoreError),
}
