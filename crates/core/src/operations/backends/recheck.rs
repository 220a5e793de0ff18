//! Reads a backend's record again before a new object is put there.

use uuid::Uuid;

use super::Backends;
use crate::catalog::{BackendDocument, BackendState};
use crate::names::{PLATFORM_BACKEND, Slug};
use crate::operations::OperationError;
use crate::operations::held_document::Document as _;

/// Whether a backend was chosen because it is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByDefault {
    Yes,
    No,
}

/// What a creation learns of the backend that it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rechecked {
    Usable,
    NotDefault,
    Deleting,
    Gone,
}

impl Backends<'_> {
    /// Says whether a new object may be put on the backend: asked once the object's
    /// entry is answered, so that a deletion either lists the entry or is seen here.
    /// Never shared or cached, and no older than the entry.
    pub(crate) async fn recheck(
        self,
        name: &Slug,
        uuid: Uuid,
        by_default: ByDefault,
    ) -> Result<Rechecked, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(Rechecked::Usable);
        }
        let loaded = self
            .organization
            .catalog
            .load_since_own_writes::<BackendDocument>(&BackendDocument::key(name))
            .await?;
        let document = self.organization.verified(loaded).await?;
        let record = document.and_then(|document| document.backend);
        let record = record.filter(|record| record.uuid == uuid);
        Ok(match record {
            None => Rechecked::Gone,
            Some(record) if record.state == BackendState::Deleting => Rechecked::Deleting,
            Some(record) if by_default == ByDefault::Yes && !record.is_default => {
                Rechecked::NotDefault
            }
            Some(_) => Rechecked::Usable,
        })
    }
}
