//! A secret that is to be created, and the namesakes that it may replace.

use jiff::Timestamp;
use uuid::Uuid;

use crate::catalog::{
    CopyFrom, SecretArguments, SecretMetadata, SecretRecord, SecretState, Stamp, new_secret_uuid,
};
use crate::names::{SecretName, Slug};
use crate::operations::{Backend, OperationError, Run};
use crate::store::RemoteName;
use planton_envelope::{SecretKind, SecretValue};

/// A namesake whose place a new secret takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// The practitioner named it; whose it is does not matter.
    Named(Uuid),
    /// The state that creates its successor owns it under this stamp. Under another
    /// one it stays.
    Owned(Uuid, Stamp),
}

impl Replaces {
    pub(crate) fn means(self, met: &SecretRecord) -> bool {
        match self {
            Self::Named(uuid) => met.uuid == uuid,
            Self::Owned(uuid, stamp) => met.uuid == uuid && met.owner.stamp == stamp,
        }
    }
}

/// A secret that is to be created, and may meet a record.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: SecretName,
    pub(crate) backend: Option<Slug>,
    /// Absent for a copy that was not read yet.
    pub(crate) value: Option<SecretValue>,
    pub(crate) is_generated: bool,
    pub(crate) copied_from: Option<CopyFrom>,
    pub(crate) metadata: SecretMetadata,
    pub(crate) arguments: SecretArguments,
    pub(crate) replaces: Vec<Replaces>,
}

impl Wanted {
    /// Returns the record of the secret on `backend`, with a uuid of its own, and
    /// nothing of its object yet.
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
