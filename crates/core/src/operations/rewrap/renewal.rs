//! What a pass over the versions of a backend does to each: a rewrap replaces its wraps, a
//! reseal its data key.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use uuid::Uuid;

use super::AT_ONCE;
use super::envelope::{Candidate, rewrapped};
use crate::catalog::VersionRecord;
use crate::operations::key_versions::KeyVersions;
use crate::operations::sealing::{SealedValue, opens_with_main};
use crate::operations::{Backend, Interrupt, OperationError};
use planton_envelope::{Envelope, Fingerprint};

/// What a pass does.
#[derive(Debug)]
pub(super) enum Renewal {
    /// Moves wraps to the present keys and their newest versions.
    Wraps(KeyVersions),
    /// Seals under new data keys what was sealed before a time.
    DataKeys {
        /// The time. A later call with the same time continues an interrupted one.
        sealed_before: Timestamp,
    },
}

/// The envelope that takes the place of a version's.
#[derive(Debug)]
pub(super) struct Renewed {
    pub(super) envelope: Envelope,
    /// Fingerprint of the value under a new data key; absent if the data key stays.
    fingerprint: Option<Fingerprint>,
}

/// A version with what replaces its envelope.
pub(super) type Outcome = (Candidate, Result<Renewed, OperationError>);

impl Renewal {
    /// Checks the interrupt before the next documents.
    pub(super) fn next(&self, interrupt: &Interrupt) -> Result<(), OperationError> {
        match self {
            Self::Wraps(_) => interrupt.before("rewrap"),
            Self::DataKeys { .. } => interrupt.before("reseal"),
        }
    }

    /// Checks the interrupt before an envelope is put.
    pub(super) fn put(&self, interrupt: &Interrupt) -> Result<(), OperationError> {
        match self {
            Self::Wraps(_) => interrupt.before("put rewrap"),
            Self::DataKeys { .. } => interrupt.before("put reseal"),
        }
    }

    /// Checks the interrupt before the record is committed.
    pub(super) fn commit(&self, interrupt: &Interrupt) -> Result<(), OperationError> {
        match self {
            Self::Wraps(_) => interrupt.before("commit rewrap"),
            Self::DataKeys { .. } => interrupt.before("commit reseal"),
        }
    }

    /// Returns whether a version that failed still has to be replaced, now that its record is
    /// `now`.
    pub(super) fn is_still_due(&self, failed: &VersionRecord, now: &VersionRecord) -> bool {
        match self {
            Self::Wraps(_) => now.native_id == failed.native_id,
            // A rewrap changes the identifier, and not the data key.
            Self::DataKeys { .. } => now.payload_sha256 == failed.payload_sha256,
        }
    }

    /// Returns the version with its envelope, if that has to be replaced.
    pub(super) async fn due(
        &self,
        backend: &Backend,
        organization: Uuid,
        candidate: Candidate,
    ) -> (Candidate, Result<Option<Envelope>, OperationError>) {
        if let Self::DataKeys { sealed_before } = self
            // A time to come is that of a clock which is ahead.
            && (*sealed_before..=Timestamp::now()).contains(&candidate.version.sealed_at())
        {
            return (candidate, Ok(None));
        }
        let (candidate, envelope) = candidate.fetch(backend).await;
        let envelope = match envelope {
            Ok(envelope) => envelope,
            Err(error) => return (candidate, Err(error)),
        };
        let is_due = self.is_due(backend, organization, &candidate, &envelope);
        let due = is_due.await.map(|is_due| is_due.then_some(envelope));
        (candidate, due)
    }

    /// Returns whether the fetched envelope has to be replaced.
    async fn is_due(
        &self,
        backend: &Backend,
        organization: Uuid,
        candidate: &Candidate,
        envelope: &Envelope,
    ) -> Result<bool, OperationError> {
        let Self::Wraps(versions) = self else {
            return Ok(true);
        };
        if !versions.are_current(envelope.wrapped_keys(), &candidate.version.keks) {
            return Ok(true);
        }
        let keyring = backend.keyring.get().await?;
        let (context, names) = (candidate.context(organization), candidate.names(backend));
        Ok(!opens_with_main(envelope, &context, &names, keyring).await?)
    }

    /// Returns what replaces each envelope of `due`.
    ///
    /// # Errors
    ///
    /// `KeyNotAllowed`. Whatever concerns one envelope fails that envelope only.
    pub(super) async fn renewed(
        &self,
        backend: &Backend,
        organization: Uuid,
        due: Vec<(Candidate, Envelope)>,
    ) -> Result<Vec<Outcome>, OperationError> {
        let keyring = backend.keyring.get().await?;
        if let Some(key) = keyring.forbidden() {
            return Err(OperationError::KeyNotAllowed { key: key.clone() });
        }
        if let Self::Wraps(versions) = self {
            let outcomes = rewrapped(keyring, versions, organization, backend, due).await;
            let renewed = |envelope| Renewed {
                envelope,
                fingerprint: None,
            };
            let outcomes = outcomes.into_iter();
            return Ok(outcomes
                .map(|(candidate, outcome)| {
                    (
                        candidate,
                        outcome.map(renewed).map_err(OperationError::from),
                    )
                })
                .collect());
        }
        let each: Vec<_> = due
            .into_iter()
            .map(|(candidate, envelope)| async move {
                let resealed = resealed(backend, organization, &candidate, envelope).await;
                (candidate, resealed)
            })
            .collect();
        Ok(stream::iter(each).buffered(AT_ONCE).collect().await)
    }
}

/// Seals the value of a version under a new data key.
async fn resealed(
    backend: &Backend,
    organization: Uuid,
    candidate: &Candidate,
    envelope: Envelope,
) -> Result<Renewed, OperationError> {
    let (secret, version) = (&candidate.secret, &candidate.version);
    let unsealed = backend.unsealed(organization, secret, version, envelope);
    let (unsealed, names) = (unsealed.await?, candidate.names(backend));
    let resealed = unsealed
        .reseal(&names, backend.keyring.get().await?)
        .await?;
    let SealedValue {
        envelope,
        fingerprint,
        ..
    } = resealed.ok_or_else(|| OperationError::EnvelopeRefused {
        secret: secret.name.to_string(),
        version: version.number,
    })?;
    Ok(Renewed {
        envelope,
        fingerprint: Some(fingerprint),
    })
}

impl Renewed {
    /// Describes the envelope in the record of its version.
    pub(super) fn enter(&self, version: &mut VersionRecord) {
        version.wraps_sha256 = hex::encode(self.envelope.wraps_digest());
        let wraps = self.envelope.wrapped_keys().iter();
        version.keks = wraps.map(|(kek, _)| kek.clone()).collect();
        if let Some(fingerprint) = self.fingerprint {
            let payload_sha256 = hex::encode(self.envelope.payload_digest());
            version.reseal(payload_sha256, fingerprint, Timestamp::now());
        }
    }
}
