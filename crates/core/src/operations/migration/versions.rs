//! Moves the sealed versions of a secret: their data keys to the key of the target, and those of
//! the built-in backend to that of the target.

use crate::catalog::{MAX_SUPERSEDED, SecretRecord, SecretState, VersionRecord};
use crate::kek::{KekErrorKind, Keyring, WrapNames};
use crate::operations::backends::Trust;
use crate::operations::sealing::rewrap;
use crate::operations::secrets::context;
use crate::operations::{Backend, Interrupt, OperationError};
use crate::store::{Deletion, NativeVersionId, RemoteName, StoreCapability, StoreErrorKind};
use planton_envelope::Envelope;
use uuid::Uuid;

use super::report::{Copied, Unmoved};
use super::{Migration, SourceKeys};

/// The backends of a migration.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// The built-in backend of the source.
    pub(super) source: Backend,
    /// That of the target. Both have the same uuid.
    pub(super) target: Backend,
    /// The keys that wrap on the target.
    pub(super) keyring: Keyring,
    /// The organization's keys on the source.
    pub(super) source_keys: SourceKeys,
    /// UUID of the catalog.
    pub(super) organization: Uuid,
}

/// What a copy has put, to be deleted if its record is not committed.
#[derive(Debug, Default)]
pub(super) struct Puts(Vec<(Backend, RemoteName, NativeVersionId)>);

impl Migration {
    /// Moves the versions of a secret, and enters them into its record.
    ///
    /// A secret that is being deleted stays as it is: the next destroy finds no object.
    ///
    /// # Errors
    ///
    /// Failures of stores and KEKs. A version that is lost is none.
    pub(super) async fn move_versions(
        &self,
        secret: &mut SecretRecord,
        built_in: &BuiltIn,
        done: &mut Copied,
        puts: &mut Puts,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        if secret.state != SecretState::Ready {
            return Ok(());
        }
        if secret.backend == built_in.target.uuid {
            return move_built_in(secret, built_in, done, puts, interrupt).await;
        }
        if !secret.versions.iter().any(|it| built_in.is_due(it)) {
            return Ok(());
        }
        let backend = self.target.backends().of_secret(secret, Trust::Mac).await?;
        let keyring = self.target.keys().wrapping_keyring_of(&backend).await?;
        rewrap_registered(
            secret,
            built_in,
            (&backend, &keyring),
            done,
            puts,
            interrupt,
        )
        .await
    }
}

impl BuiltIn {
    /// Returns whether a data key is wrapped under a key of the source.
    pub(super) fn is_due(&self, version: &VersionRecord) -> bool {
        version
            .keks
            .iter()
            .any(|kek| self.source_keys.contains(kek))
    }

    /// Returns whether a data key is wrapped under a key of the source, and not under the main
    /// key of the target, which may be the same one.
    pub(super) fn is_stuck(&self, version: &VersionRecord) -> bool {
        let main = self.keyring.main();
        self.is_due(version) && !version.keks.iter().any(|id| main.covers(id))
    }

    /// Wraps the data key of an envelope under the keys of `keyring`; `None` if no key at hand
    /// unwraps it.
    async fn rewrapped(
        &self,
        secret: &SecretRecord,
        version: &VersionRecord,
        keyring: &Keyring,
        envelope: Envelope,
    ) -> Result<Option<Envelope>, OperationError> {
        let context = context(self.organization, secret, version.number);
        let names = WrapNames::secret(&self.target.organization, &secret.name);
        let payload = envelope.payload_digest();
        match rewrap(envelope, context, &names, keyring, &version.keks).await {
            // Whatever else the envelope says, its payload is the one that was sealed.
            Ok(rewrapped) if rewrapped.payload_digest() != payload => {
                Err(OperationError::EnvelopeRefused {
                    secret: secret.name.to_string(),
                    version: version.number,
                })
            }
            Ok(rewrapped) => Ok(Some(rewrapped)),
            Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::Refused => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Puts the versions of a secret into the built-in backend of the target.
async fn move_built_in(
    secret: &mut SecretRecord,
    built_in: &BuiltIn,
    done: &mut Copied,
    puts: &mut Puts,
    interrupt: &Interrupt,
) -> Result<(), OperationError> {
    let recorded = secret.clone();
    let mut stored = SecretRecord {
        versions: Vec::new(),
        ..secret.clone()
    };
    for version in &mut secret.versions {
        let fetched = built_in.source.fetch_envelope(&recorded, version).await;
        let envelope = match fetched {
            Ok(envelope) => envelope,
            Err(error) if is_lost(&error) => {
                // No put returns its identifier on the target: it is lost there as well.
                version.superseded.clear();
                done.lost
                    .push(unmoved(&recorded, version, &error.with_sources()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let keyring = &built_in.keyring;
        let rewrapped = built_in.rewrapped(&recorded, version, keyring, envelope.clone());
        let envelope = rewrapped.await?.unwrap_or_else(|| {
            done.unopened.push(unmoved(&recorded, version, UNOPENED));
            envelope
        });
        interrupt.before("put migrated version")?;
        let put = built_in.target.put_again(&stored, version, &envelope);
        version.native_id = put.await?;
        version.superseded.clear();
        describe(version, &envelope);
        let name = stored.remote_name.clone();
        puts.0
            .push((built_in.target.clone(), name, version.native_id.clone()));
        stored.versions.push(version.clone());
        done.versions += 1;
    }
    Ok(())
}

/// Wraps again what a registered backend has under a key of the source. The former versions stay
/// until the migration is complete: the records of the source name them, and only its keys open
/// them.
async fn rewrap_registered(
    secret: &mut SecretRecord,
    built_in: &BuiltIn,
    (backend, keyring): (&Backend, &Keyring),
    done: &mut Copied,
    puts: &mut Puts,
    interrupt: &Interrupt,
) -> Result<(), OperationError> {
    let numbers: Vec<u64> = secret.versions.iter().map(|it| it.number).collect();
    let mut former = Vec::new();
    for number in numbers {
        let recorded = secret.clone();
        let Some(version) = secret.version_mut(number).filter(|it| built_in.is_due(it)) else {
            continue;
        };
        let envelope = match backend.fetch_envelope(&recorded, version).await {
            Ok(envelope) => envelope,
            Err(error) if is_lost(&error) => {
                done.lost
                    .push(unmoved(&recorded, version, &error.with_sources()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let rewrapped = built_in.rewrapped(&recorded, version, keyring, envelope);
        let Some(envelope) = rewrapped.await? else {
            done.unopened.push(unmoved(&recorded, version, UNOPENED));
            continue;
        };
        interrupt.before("put migrated version")?;
        let spared = sparing(&recorded, &former, backend.store.capability());
        let native_id = backend.put_again(&spared, version, &envelope).await?;
        let name = recorded.remote_name.clone();
        puts.0.push((backend.clone(), name, native_id.clone()));
        former.push(std::mem::replace(&mut version.native_id, native_id));
        describe(version, &envelope);
        version.superseded.extend(former.last().cloned());
        let excess = version.superseded.len().saturating_sub(MAX_SUPERSEDED);
        version.superseded.drain(..excess);
        done.rewraps += 1;
    }
    Ok(())
}

/// Returns the secret for a put that also spares what this call has superseded, as far as the store
/// has room for it. AWS lets go of a version whose label another one takes.
fn sparing(
    recorded: &SecretRecord,
    former: &[NativeVersionId],
    capability: &StoreCapability,
) -> SecretRecord {
    let mut spared = recorded.clone();
    let taken = recorded.versions.len() + 1;
    let room = capability.max_versions.map_or(usize::MAX, |max| {
        usize::try_from(max)
            .unwrap_or(usize::MAX)
            .saturating_sub(taken)
    });
    // The newest version stays the last one.
    if let Some(version) = recorded.versions.first() {
        let kept = former.iter().rev().take(room);
        let kept = kept.map(|native_id| VersionRecord {
            native_id: native_id.clone(),
            ..version.clone()
        });
        spared.versions.splice(..0, kept);
    }
    spared
}

/// Describes an envelope in the record of its version.
fn describe(version: &mut VersionRecord, envelope: &Envelope) {
    version.wraps_sha256 = hex::encode(envelope.wraps_digest());
    let wraps = envelope.wrapped_keys().iter();
    version.keks = wraps.map(|(kek, _)| kek.clone()).collect();
}

/// Returns whether a version is lost for good: no later try would find it.
pub(super) fn is_lost(error: &OperationError) -> bool {
    match error {
        OperationError::VersionLost { .. }
        | OperationError::EnvelopeRefused { .. }
        | OperationError::EnvelopeMalformed { .. } => true,
        OperationError::Store(error) => error.kind() == StoreErrorKind::Corrupt,
        _ => false,
    }
}

pub(super) const UNOPENED: &str =
    "no key at hand unwrapped its data key, so it was copied as it was";

pub(super) fn unmoved(secret: &SecretRecord, version: &VersionRecord, reason: &str) -> Unmoved {
    Unmoved {
        subject: secret.name.to_string(),
        version: Some(version.number),
        reason: reason.to_owned(),
    }
}

impl Puts {
    /// Deletes what was put, since no record names it. What cannot be deleted stays, sealed.
    pub(super) async fn take_back(self) {
        for (backend, name, id) in self.0 {
            delete(&backend, &name, vec![id]).await;
        }
    }
}

/// Deletes versions. A later rewrap deletes what a failure leaves.
pub(super) async fn delete(backend: &Backend, name: &RemoteName, ids: Vec<NativeVersionId>) {
    match backend.store.delete(name, Deletion::Versions(ids)).await {
        Err(error) if error.kind() != StoreErrorKind::NotFound => {
            tracing::warn!(%error, "a version that nothing needs stays");
        }
        _ => {}
    }
}
