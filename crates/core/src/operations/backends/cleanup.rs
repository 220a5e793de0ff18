//! Deletes what a backend leaves: objects before its tombstone, the marker and the entries
//! after it.
//!
//! The objects are those that no document names. Before an object is deleted, its secret's
//! document is raised. A creation that read the document earlier then fails its commit.
//!
//! The entries stay until the tombstone is committed. Such a creation may not have put its
//! object yet, and while the backend exists, only the entry refers to that object.

use std::sync::Arc;

use super::BackendOnDestroy;
use super::Backends;
use super::record::HeldBackend;
use super::usage::holder_of;
use crate::catalog::{BackendRecord, EntryKey, MarkerRecord, SecretDocument, record_key_of_uuid};
use crate::deadline::OperationContext;
use crate::operations::crash_hooks::crash_point;
use crate::operations::{Backend, Interrupt, OperationError};
use crate::store::{Deletion, SecretStore};

/// Objects that no document names, and that no document can name any more.
pub(crate) struct Cleaned {
    /// Their entries, which still exist.
    entries: Vec<EntryKey>,
    /// Objects that may remain at the backend's place.
    left_behind: Vec<String>,
}

/// The marker of a backend under deletion, and the backend that stores it.
pub(crate) struct OpenMarker {
    marker: MarkerRecord,
    /// `None` if the backend is to be forgotten.
    backend: Option<Result<Backend, OperationError>>,
}

impl Backends<'_> {
    /// Deletes the objects of interrupted creations, and keeps their entries. Returns `None`
    /// if a document names one of the objects.
    pub(crate) async fn clean_up(
        self,
        record: &BackendRecord,
        unnamed: &[EntryKey],
        interrupt: &Interrupt,
    ) -> Result<Option<Cleaned>, OperationError> {
        let mut cleaned = Cleaned {
            entries: Vec::new(),
            left_behind: Vec::new(),
        };
        if unnamed.is_empty() {
            return Ok(Some(cleaned));
        }
        let store = self.place_to_clean(record).await?;
        for entry in unnamed {
            let Some(found) = self.organization.entries().read(entry).await? else {
                // Another process has removed it.
                continue;
            };
            if !self.raise_over(entry, interrupt).await? {
                return Ok(None);
            }
            interrupt.before("clean up")?;
            match &store {
                Some(store) => {
                    // A creation has the version of its object. The cleanup does not.
                    let versions = Vec::new();
                    let whole = Deletion::Object { versions };
                    store.delete(&found.remote_name, whole).await?;
                }
                None => cleaned.left_behind.push(found.remote_name.to_string()),
            }
            cleaned.entries.push(entry.clone());
        }
        Ok(Some(cleaned))
    }

    /// Removes what remains of a backend after its tombstone is committed. Returns the
    /// objects that may remain at its place, since no later run deletes them.
    pub(crate) async fn clear(
        self,
        held: &HeldBackend,
        cleaned: Cleaned,
        marker: Option<OpenMarker>,
    ) -> Vec<String> {
        let mut left_behind = cleaned.left_behind;
        crash_point("delete backend marker");
        if let Some(marker) = marker {
            left_behind.extend(OperationContext::committing(delete_marker(marker)).await);
        }
        for entry in &cleaned.entries {
            crash_point("delete unnamed entry");
            // The entry contains the uuid of this backend, so it affects no other backend.
            let removed =
                OperationContext::committing(self.organization.entries().remove(entry)).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "could not delete an entry of a deleted backend");
            }
        }
        let key = held.key();
        let forgotten = self
            .organization
            .catalog
            .forget_history(&key, held.revision);
        if let Err(error) = forgotten.await {
            // A credential in the history is sealed, and the deletion is committed.
            tracing::warn!(%error, "could not delete the history of a deleted backend's record");
        }
        left_behind
    }

    /// Opens the backend that stores the marker; `None` if the record has no marker.
    pub(crate) async fn open_marker(self, record: &BackendRecord) -> Option<OpenMarker> {
        let marker = record.marker.clone()?;
        let backend = match record.arguments.on_destroy {
            BackendOnDestroy::Forget => None,
            BackendOnDestroy::Delete => Some(self.open_record(record).await),
        };
        Some(OpenMarker { marker, backend })
    }

    /// Returns the store to clean up; `None` if the backend is to be forgotten, or its marker
    /// is missing.
    async fn place_to_clean(
        self,
        record: &BackendRecord,
    ) -> Result<Option<Arc<dyn SecretStore>>, OperationError> {
        if record.arguments.on_destroy == BackendOnDestroy::Forget {
            return Ok(None);
        }
        let backend = self.open_record(record).await?;
        let found = match backend.expect_marker().await {
            // Confirmed, since the objects of a place without a marker are left for good.
            Err(OperationError::BackendNotThere { .. }) => backend.look_for_marker_again().await,
            found => found,
        };
        match found {
            Ok(()) => Ok(Some(backend.store)),
            Err(OperationError::BackendNotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Raises the document of an entry's secret. Returns false if the document names the entry.
    async fn raise_over(
        self,
        entry: &EntryKey,
        interrupt: &Interrupt,
    ) -> Result<bool, OperationError> {
        let Some(key) = record_key_of_uuid(entry.secret) else {
            return Ok(true);
        };
        let names = |document: &SecretDocument| holder_of(document, entry).is_some();
        let raised = self.organization.raise(key, names, interrupt).await?;
        Ok(raised.is_some())
    }
}

/// Deletes the marker, or returns why it remains.
///
/// The place may be gone or inaccessible, and that must not prevent the deletion of the
/// record.
async fn delete_marker(marker: OpenMarker) -> Option<String> {
    let OpenMarker { marker, backend } = marker;
    let Some(backend) = backend else {
        return Some(marker.remote_name.to_string());
    };
    let deleted = async {
        let versions = vec![marker.native_id.clone()];
        let whole = Deletion::Purge { versions };
        backend?.store.delete(&marker.remote_name, whole).await?;
        Ok::<(), OperationError>(())
    };
    let error = deleted.await.err()?;
    tracing::warn!(%error, "could not delete a backend's marker");
    Some(format!("{} ({error})", marker.remote_name))
}
