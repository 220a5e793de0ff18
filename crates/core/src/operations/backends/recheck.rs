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

/// Result of reading the record of a chosen backend again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rechecked {
    Usable,
    NotDefault,
    Deleting,
    Gone,
}

impl Backends<'_> {
    /// Returns whether a new object may be put on the backend.
    ///
    /// The caller calls this after the write of the object's entry is acknowledged. A deletion
    /// then lists the entry, or its mark is found here. The read is neither shared nor
    /// cached, and is not older than the entry.
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
