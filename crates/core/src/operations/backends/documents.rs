//! Loads and saves the document that holds a backend, verified and fenced.

use uuid::Uuid;

use super::{BackendView, SeenBackend, record_key};
use crate::catalog::{BackendDocument, Loaded, RecordKey, Revision};
use crate::names::Slug;
use crate::operations::documents::Compared;
use crate::operations::{OperationError, Organization};

/// A backend's document as it is held, verified.
#[derive(Debug)]
pub(super) struct HeldBackend {
    pub(super) name: Slug,
    pub(super) document: BackendDocument,
    pub(super) revision: Revision,
}

impl HeldBackend {
    pub(super) fn key(&self) -> RecordKey {
        record_key(&self.name)
    }

    /// Says that another writer came first.
    pub(super) fn overtaken(&self) -> OperationError {
        OperationError::BackendChangedConcurrently {
            backend: self.name.clone(),
        }
    }
}

impl Organization {
    /// Loads the document of a backend's name, fenced and verified; an empty one
    /// where nothing was ever written.
    pub(super) async fn hold_backend(&self, name: &Slug) -> Result<HeldBackend, OperationError> {
        let loaded = self.catalog.load_fenced(&record_key(name)).await?;
        self.held_backend(name, loaded).await
    }

    async fn held_backend(
        &self,
        name: &Slug,
        loaded: Option<Loaded<BackendDocument>>,
    ) -> Result<HeldBackend, OperationError> {
        let name = name.clone();
        let Some(loaded) = loaded else {
            return Ok(HeldBackend {
                name,
                document: BackendDocument::default(),
                revision: Revision::ABSENT,
            });
        };
        loaded.verify(self.mac_key().await?)?;
        Ok(HeldBackend {
            name,
            document: loaded.record,
            revision: loaded.revision,
        })
    }

    /// Commits a changed document.
    ///
    /// # Errors
    ///
    /// `BackendChangedConcurrently` when another writer came first.
    pub(super) async fn commit_backend(
        &self,
        held: &mut HeldBackend,
    ) -> Result<(), OperationError> {
        match self.try_commit_backend(held).await? {
            None => Ok(()),
            Some(_) => Err(held.overtaken()),
        }
    }

    /// Commits a changed document; returns the one that stands there instead when
    /// another writer came first.
    pub(super) async fn try_commit_backend(
        &self,
        held: &mut HeldBackend,
    ) -> Result<Option<HeldBackend>, OperationError> {
        held.document.generation += 1;
        held.document.write_id = Uuid::new_v4();
        let key = held.key();
        let written = self.compare_and_set(&key, &held.document, held.revision);
        match written.await? {
            Compared::Written(revision) => {
                held.revision = revision;
                if let Some(record) = &held.document.backend {
                    let seen = SeenBackend::new(held.document.generation, record);
                    self.connections.seen.remember(seen);
                }
                Ok(None)
            }
            Compared::Overtaken(now) => self.held_backend(&held.name, now).await.map(Some),
        }
    }

    pub(super) async fn backend_view(
        &self,
        document: &BackendDocument,
    ) -> Result<BackendView, OperationError> {
        let record = document.backend.as_ref();
        let record = record.expect("the caller holds this backend");
        let catalog = self.existing().await?.uuid;
        Ok(BackendView::new(document, record, catalog))
    }
}
