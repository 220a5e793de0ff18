//! Holds and commits the record of a backend.

use super::BackendView;
use super::Backends;
use crate::catalog::BackendDocument;
use crate::names::Slug;
use crate::operations::OperationError;
use crate::operations::SeenBackend;
use crate::operations::held_document::Held;

/// Number of attempts of a step that conflicts with other writers.
pub(crate) const TRIES: usize = 5;

/// A backend's document, verified.
pub(crate) type HeldBackend = Held<BackendDocument>;

impl Backends<'_> {
    /// Loads the document of a backend's name, fenced and verified; an empty one if no
    /// record exists.
    pub(crate) async fn hold(self, name: &Slug) -> Result<HeldBackend, OperationError> {
        self.organization.hold_fenced(name.clone()).await
    }

    /// Commits a changed document.
    ///
    /// # Errors
    ///
    /// `BackendChangedConcurrently` if another writer committed first.
    pub(crate) async fn commit(self, held: &mut HeldBackend) -> Result<(), OperationError> {
        match self.try_commit(held).await? {
            None => Ok(()),
            Some(_) => Err(held.overtaken()),
        }
    }

    /// Commits a changed document, and remembers it in the rollback guard. Returns the
    /// present one if another writer committed first.
    pub(crate) async fn try_commit(
        self,
        held: &mut HeldBackend,
    ) -> Result<Option<HeldBackend>, OperationError> {
        let now = self.organization.try_commit(held).await?;
        if now.is_none()
            && let Some(record) = &held.document.backend
        {
            let seen = SeenBackend::new(held.document.generation, record);
            self.organization.connections.rollback_guard.remember(seen);
        }
        Ok(now)
    }

    pub(crate) async fn view(
        self,
        document: &BackendDocument,
    ) -> Result<BackendView, OperationError> {
        let record = document.backend.as_ref();
        let record = record.expect("the caller holds this backend");
        let catalog = self.organization.existing().await?.uuid;
        Ok(self.view_of(document, record, catalog))
    }
}
