//! Cleans up after a backend: before its tombstone the objects that no document
//! names, after it the marker and the entries.
//!
//! Nothing is cleaned up by looking alone. The document is raised first, so that a
//! creation which has read it before can't commit any more. The entries stay until
//! the tombstone is committed: such a creation may not have put its object yet, and
//! as long as the backend stands, the entry is all that leads to it.

use std::sync::Arc;

use super::BackendOnDestroy;
use super::Backends;
use super::record::{HeldBackend, TRIES};
use super::usage::holder_of;
use crate::catalog::{BackendRecord, EntryKey, MarkerRecord, record_key_of_uuid};
use crate::deadline::RequestLimits;
use crate::operations::crash_hooks::crash_point;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, Interrupt, OperationError};
use crate::store::{Deletion, SecretStore};

/// What no document names, and none can name any more.
pub(crate) struct Cleaned {
    /// The entries, which are still there.
    entries: Vec<EntryKey>,
    /// Objects that may be left at the place.
    left_behind: Vec<String>,
}

/// The marker of a backend that is let go of, and where it stands.
pub(crate) struct OpenMarker {
    marker: MarkerRecord,
    /// `None` where the place is given up.
    backend: Option<Result<Backend, OperationError>>,
}

impl Backends<'_> {
    /// Deletes the objects that interrupted creations have left, and keeps their
    /// entries. Returns `None` where a document turns out to name one.
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
                    // A creation knows the version of what it has put; this does not.
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

    /// Removes what is left of a backend whose tombstone is committed, and says what
    /// may be left at its place: nobody comes back for it.
    pub(crate) async fn clear(
        self,
        held: &HeldBackend,
        cleaned: Cleaned,
        marker: Option<OpenMarker>,
    ) -> Vec<String> {
        let mut left_behind = cleaned.left_behind;
        crash_point("delete backend marker");
        if let Some(marker) = marker {
            left_behind.extend(RequestLimits::committing(delete_marker(marker)).await);
        }
        for entry in &cleaned.entries {
            crash_point("delete unnamed entry");
            // It bears the uuid of this backend, so it is in the way of no other.
            let removed =
                RequestLimits::committing(self.organization.entries().remove(entry)).await;
            if let Err(error) = removed {
                tracing::warn!(%error, "an entry of a deleted backend is left behind");
            }
        }
        let key = held.key();
        let forgotten = self
            .organization
            .catalog
            .forget_history(&key, held.revision);
        if let Err(error) = forgotten.await {
            // What it holds of a credential is sealed, and the deletion stands.
            tracing::warn!(%error, "the history of a deleted backend's record is left behind");
        }
        left_behind
    }

    /// Opens the place of a backend's marker; `None` where it has none.
    pub(crate) async fn open_marker(self, record: &BackendRecord) -> Option<OpenMarker> {
        let marker = record.marker.clone()?;
        let backend = match record.arguments.on_destroy {
            BackendOnDestroy::Forget => None,
            BackendOnDestroy::Delete => Some(self.open_record(record).await),
        };
        Some(OpenMarker { marker, backend })
    }

    /// Returns the store to clean up; `None` where its place is given up, or is not
    /// known again because its marker is gone.
    async fn place_to_clean(
        self,
        record: &BackendRecord,
    ) -> Result<Option<Arc<dyn SecretStore>>, OperationError> {
        if record.arguments.on_destroy == BackendOnDestroy::Forget {
            return Ok(None);
        }
        let backend = self.open_record(record).await?;
        let found = match backend.expect_marker().await {
            // What is put there is left for good where this is believed.
            Err(OperationError::BackendNotThere { .. }) => backend.look_for_marker_again().await,
            found => found,
        };
        match found {
            Ok(()) => Ok(Some(backend.store)),
            Err(OperationError::BackendNotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Raises the document of an entry's secret, so that a creation which has read it
    /// before can't commit any more. Returns false where the document names the entry.
    async fn raise_over(
        self,
        entry: &EntryKey,
        interrupt: &Interrupt,
    ) -> Result<bool, OperationError> {
        let Some(key) = record_key_of_uuid(entry.secret) else {
            return Ok(true);
        };
        interrupt.before("raise document")?;
        let mut held: HeldSecret = self.organization.hold_fenced(key).await?;
        for _ in 0..TRIES {
            if holder_of(&held.document, entry).is_some() {
                return Ok(false);
            }
            if held.is_absent() {
                // Over a deleted document, the raise would hide what it named.
                self.organization
                    .catalog
                    .expect_never_deleted(&held.name)
                    .await?;
            }
            match self.organization.try_commit(&mut held).await? {
                None => return Ok(true),
                Some(now) => held = now,
            }
        }
        Err(held.overtaken())
    }
}

/// Deletes the marker, or says why it is left: the place may be gone, or closed to
/// us, and that must not keep the record alive.
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
    tracing::warn!(%error, "a backend's marker is left behind");
    Some(format!("{} ({error})", marker.remote_name))
}
