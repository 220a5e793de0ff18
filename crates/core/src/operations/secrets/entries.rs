//! The entries of a backend of a practitioner's own: its index of objects.

use uuid::Uuid;

use crate::catalog::{CatalogErrorKind, EntryKey, EntryRecord, Revision};
use crate::operations::held_document::HeldSecret;
use crate::operations::{OperationError, Organization};

impl Organization {
    /// Writes the entry of an object that is about to be put.
    pub(crate) async fn write_entry(
        &self,
        entry: &EntryKey,
        record: &EntryRecord,
    ) -> Result<(), OperationError> {
        let mac_key = self.mac_key().await?;
        let key = entry.record_key();
        let written = self
            .catalog
            .save(&key, record, Some(mac_key), Revision::ABSENT);
        match written.await {
            Ok(_) => Ok(()),
            // The key is random, so what stands there is this write, tried twice.
            Err(error) if error.kind() == CatalogErrorKind::Conflict => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the entry of an object that is gone.
    pub(crate) async fn remove_entry(&self, entry: &EntryKey) -> Result<(), OperationError> {
        Ok(self.catalog.remove(&entry.record_key()).await?)
    }

    /// Lists the entries of a backend. A listing shows every entry whose write was
    /// answered before it began.
    pub(crate) async fn entries(&self, backend: Uuid) -> Result<Vec<EntryKey>, OperationError> {
        let keys = self.catalog.list(&EntryKey::prefix(backend)).await?;
        Ok(keys.iter().filter_map(EntryKey::parse).collect())
    }

    /// Reads what an entry says of its object, verified; `None` where another
    /// process has removed it.
    pub(crate) async fn entry(
        &self,
        entry: &EntryKey,
    ) -> Result<Option<EntryRecord>, OperationError> {
        let loaded = self.catalog.load_fenced(&entry.record_key()).await?;
        self.verified(loaded).await
    }

    /// Raises a document to a new revision without changing it, over a tombstone
    /// and where nothing was ever written, too: whoever is about to commit on the
    /// revision before it begins anew. Returns the document that stands there
    /// instead when another writer came first.
    pub(crate) async fn raise(
        &self,
        held: &mut HeldSecret,
    ) -> Result<Option<HeldSecret>, OperationError> {
        self.try_commit(held).await
    }
}
