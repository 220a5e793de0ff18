//! The secret that a creation requests, and the namesakes that it may replace.

use jiff::Timestamp;
use uuid::Uuid;

use crate::catalog::{
    CopyFrom, SecretArguments, SecretMetadata, SecretRecord, SecretState, Stamp, new_secret_uuid,
};
use crate::names::{SecretName, Slug};
use crate::operations::{Backend, OperationError, Run};
use crate::store::RemoteName;
use planton_envelope::{SecretKind, SecretValue};

/// A namesake that a new secret may displace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// Named by the user, whatever its owner.
    Named(Uuid),
    /// Owned, under this stamp, by the state that creates the new secret. With another stamp
    /// it is not displaced.
    Owned(Uuid, Stamp),
}

impl Replaces {
    pub(crate) fn means(self, existing: &SecretRecord) -> bool {
        match self {
            Self::Named(uuid) => existing.uuid == uuid,
            Self::Owned(uuid, stamp) => existing.uuid == uuid && existing.owner.stamp == stamp,
        }
    }
}

/// The secret that a creation requests.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: SecretName,
    pub(crate) backend: Option<Slug>,
    /// `None` for a copy that is not read yet.
    pub(crate) value: Option<SecretValue>,
    pub(crate) is_generated: bool,
    pub(crate) copied_from: Option<CopyFrom>,
    pub(crate) metadata: SecretMetadata,
    pub(crate) arguments: SecretArguments,
    pub(crate) replaces: Vec<Replaces>,
}

impl Wanted {
    /// Returns the record of the secret on `backend`, with a new uuid and without an object.
    pub(crate) fn record(&self, backend: &Backend) -> Result<SecretRecord, OperationError> {
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        let now = Timestamp::now();
        Ok(SecretRecord {
            uuid: new_secret_uuid(&self.name, random),
            name: self.name.clone(),
            kind: SecretKind::Text,
            backend: backend.uuid,
            backend_name: backend.name.clone(),
            remote_name: RemoteName::new(String::new()),
            entry: None,
            lost: Vec::new(),
            state: SecretState::Ready,
            metadata: self.metadata.clone(),
            arguments: self.arguments.clone(),
            versions: Vec::new(),
            created_at: now,
            updated_at: now,
            generation: 0,
            owner: Run::of_its_own().owner(0),
        })
    }
}
