//! The entries of a registered backend: the index of its objects.

use uuid::Uuid;

use crate::catalog::{Catalog, CatalogErrorKind, EntryKey, EntryRecord, Revision};
use crate::operations::crash_hooks::crash_point;
use crate::operations::{OperationError, Organization};

/// The entries of an organization.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a> {
    organization: &'a Organization,
}

impl Organization {
    /// Returns the entries of all backends.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries { organization: self }
    }
}

impl Entries<'_> {
    /// Writes the entry of an object before its put.
    pub(crate) async fn write(
        self,
        entry: &EntryKey,
        record: &EntryRecord,
    ) -> Result<(), OperationError> {
        let mac_key = self.organization.keys().mac_key().await?;
        let key = entry.record_key();
        let written = self
            .organization
            .catalog
            .save(&key, record, Some(mac_key), Revision::ABSENT);
        match written.await {
            Ok(_) => Ok(()),
            // The key is random, so the existing record is an earlier attempt of this write.
            Err(error) if error.kind() == CatalogErrorKind::Conflict => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the entry of an object that is deleted.
    pub(crate) async fn remove(self, entry: &EntryKey) -> Result<(), OperationError> {
        let key = entry.record_key();
        Ok(self.organization.catalog.remove(&key).await?)
    }

    /// Lists the entries of a backend. A listing contains every entry whose write was
    /// acknowledged before the listing began.
    pub(crate) async fn of_backend(self, backend: Uuid) -> Result<Vec<EntryKey>, OperationError> {
        let keys = self
            .organization
            .catalog
            .list(&EntryKey::prefix(backend))
            .await?;
        Ok(keys.iter().filter_map(EntryKey::parse).collect())
    }

    /// Reads an entry and verifies it; `None` if another process has removed it.
    pub(crate) async fn read(
        self,
        entry: &EntryKey,
    ) -> Result<Option<EntryRecord>, OperationError> {
        let loaded = self
            .organization
            .catalog
            .load_fenced(&entry.record_key())
            .await?;
        self.organization.verified(loaded).await
    }
}

/// Removes the entry of an object that was not put, or is deleted.
///
/// After a failure the entry stays and refers to no object. The deletion of its backend
/// removes it.
pub(crate) async fn remove_entry(catalog: &Catalog, entry: &EntryKey) {
    crash_point("delete entry");
    if let Err(error) = catalog.remove(&entry.record_key()).await {
        tracing::warn!(%error, "could not delete the entry of a deleted object");
    }
}
