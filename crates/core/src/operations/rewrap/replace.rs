//! Puts a new envelope in the place of a version's, and commits it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::envelope::Candidate;
use super::keys_in_use::KeysInUse;
use super::progress::{KeptEnvelope, RewrapProgress};
use super::renewal::{Outcome, Renewal, Renewed};
use crate::catalog::{MAX_SUPERSEDED, RecordKey, SecretState, VersionRecord};
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
    /// The keys that the pass began with.
    pub(super) in_use: &'a KeysInUse,
    pub(super) renewal: &'a Renewal,
    pub(super) interrupt: &'a Interrupt,
    /// Set once a failure ends the whole pass: no further version begins.
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
                self.renewal.put(self.interrupt)?;
                let renewed = outcome?;
                self.replace(held, &candidate, &renewed, &mut done.kept)
                    .await
            };
            match replaced.await {
                Ok(Replaced::Committed) => done.rewrapped += 1,
                Ok(Replaced::Elsewhere) => {}
                Ok(Replaced::Undeleted(error)) => {
                    done.rewrapped += 1;
                    done.fail(&candidate, &error.into());
                }
                Ok(Replaced::Evicting(error)) => done.fail(&candidate, &error),
                Err(error) => match self.to_report(&held.name, &candidate, error).await {
                    Ok(Some(error)) => done.fail(&candidate, &error),
                    Ok(None) => {}
                    Err(error) => {
                        self.is_over.store(true, Ordering::Relaxed);
                        return Err(error);
                    }
                },
            }
        }
        Ok(done)
    }

    /// Returns the failure of a version if it is one to report: another process may have
    /// removed the version since its record was read, or put its envelope again.
    ///
    /// # Errors
    ///
    /// `error`, or that of reading the record, if it ends the rewrap.
    pub(super) async fn to_report(
        &self,
        key: &RecordKey,
        candidate: &Candidate,
        error: OperationError,
    ) -> Result<Option<OperationError>, OperationError> {
        if error.ends_all() {
            return Err(error);
        }
        let held: HeldSecret = match self.keys.organization.hold_fenced(key.clone()).await {
            Ok(held) => held,
            Err(error) if error.ends_all() => return Err(error),
            Err(_) => return Ok(Some(error)),
        };
        let secret = held.document.secret(candidate.secret.uuid);
        let secret = secret.filter(|secret| secret.state == SecretState::Ready);
        let now = secret.and_then(|secret| secret.version(candidate.version.number));
        let is_due = now.is_some_and(|now| self.renewal.is_still_due(&candidate.version, now));
        Ok(is_due.then_some(error))
    }

    /// Puts the envelope of `renewed` in the place of the candidate's, commits it, and deletes
    /// the superseded one. Adds to `kept` what the store keeps.
    async fn replace(
        &self,
        held: &mut HeldSecret,
        candidate: &Candidate,
        renewed: &Renewed,
        kept: &mut Vec<KeptEnvelope>,
    ) -> Result<Replaced, OperationError> {
        let Self {
            backend,
            interrupt,
            renewal,
            ..
        } = self;
        let capability = backend.store.capability();
        for _ in 0..TRIES {
            let Some(secret) = held.document.secret_mut(candidate.secret.uuid) else {
                return Ok(Replaced::Elsewhere);
            };
            if secret.state != SecretState::Ready {
                return Ok(Replaced::Elsewhere);
            }
            let remote_name = secret.remote_name.clone();
            let as_held = secret.clone();
            let Some(version) = secret.version_mut(candidate.version.number) else {
                return Ok(Replaced::Elsewhere);
            };
            if version.payload_sha256 != candidate.version.payload_sha256 {
                // A reseal, or a healed version, came first.
                return Ok(Replaced::Elsewhere);
            }
            if version.wraps_sha256 != candidate.version.wraps_sha256 {
                // A rewrap came first. `renewed` may be sealed for the keys before it.
                return match renewal {
                    Renewal::Wraps(_) => Ok(Replaced::Elsewhere),
                    Renewal::DataKeys { .. } => Err(overtaken(candidate)),
                };
            }
            if capability.deletes_versions && !version.superseded.is_empty() {
                // The record names one superseded envelope: that of this pass.
                self.delete(&remote_name, version.superseded.clone())
                    .await?;
            }
            let put = backend.put_again(&as_held, version, &renewed.envelope);
            let native_id = put.await?;
            let superseded = std::mem::replace(&mut version.native_id, native_id.clone());
            renewed.enter(version);
            let superseded = supersede(version, superseded, capability.deletes_versions);
            if let Err(interrupted) = renewal.commit(interrupt) {
                self.delete(&remote_name, vec![native_id]).await?;
                return Err(interrupted);
            }
            if let Some(now) = self.keys.organization.try_commit(held).await? {
                *held = now;
                // If it names what was put, the commit landed, its response was lost, and
                // another writer has built on it.
                let secret = held.document.secret(candidate.secret.uuid);
                if secret.is_none_or(|secret| !secret.native_ids().contains(&native_id)) {
                    self.delete(&remote_name, vec![native_id.clone()]).await?;
                    match self.restore_evicted(held, candidate, native_id).await? {
                        Some(error) => return Ok(Replaced::Evicting(error)),
                        None => continue,
                    }
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
        Err(overtaken(candidate))
    }

    /// Restores what a put without a commit has evicted. Returns a failure to report, even if
    /// nothing is due any more.
    async fn restore_evicted(
        &self,
        held: &mut HeldSecret,
        candidate: &Candidate,
        lost: NativeVersionId,
    ) -> Result<Option<OperationError>, OperationError> {
        let (organization, uuid) = (self.keys.organization, candidate.secret.uuid);
        let restored = organization.restore_evicted(self.backend, held, uuid, lost);
        match restored.await {
            Ok(()) => Ok(None),
            Err(error) if error.ends_all() => Err(error),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Returns the envelopes that earlier passes have replaced and that the store keeps.
    ///
    /// A reseal that is continued reports those of the interrupted one: their data keys are
    /// the reason for a reseal.
    pub(super) fn kept_before(&self, candidate: &Candidate) -> Vec<KeptEnvelope> {
        let is_reported = matches!(self.renewal, Renewal::DataKeys { .. });
        if !is_reported || self.backend.store.capability().deletes_versions {
            return Vec::new();
        }
        let superseded = candidate.version.superseded.iter();
        let kept = superseded.map(|version| KeptEnvelope {
            object: candidate.secret.remote_name.clone(),
            version: version.clone(),
        });
        kept.collect()
    }

    /// Deletes what an earlier pass has replaced, and was killed before it deleted.
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

/// Names an envelope as superseded in the record of its version. Returns all that may still
/// exist: a store that keeps versions keeps those of earlier passes as well.
fn supersede(
    version: &mut VersionRecord,
    superseded: NativeVersionId,
    deletes_versions: bool,
) -> Vec<NativeVersionId> {
    if deletes_versions {
        // Those of earlier passes are deleted by now.
        version.superseded.clear();
    }
    version.superseded.push(superseded);
    let more = version.superseded.len().saturating_sub(MAX_SUPERSEDED);
    version.superseded.drain(..more);
    version.superseded.clone()
}

fn overtaken(candidate: &Candidate) -> OperationError {
    OperationError::ChangedConcurrently {
        record: ChangedRecord::Secret(Some(candidate.secret.name.clone())),
    }
}

/// What became of a version.
enum Replaced {
    /// It has its new envelope.
    Committed,
    /// Another writer removed or replaced it first.
    Elsewhere,
    /// Another writer came first, and the store may let go of what it has committed.
    Evicting(OperationError),
    /// It has its new envelope, and the superseded envelope could not be deleted. Its record names
    /// that one until a later pass deletes it.
    Undeleted(StoreError),
}
