//! Keeps a restoration from reviving a platform that the organization has left.

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::{AT_ONCE, CHUNK, verifies};
use crate::catalog::{
    CatalogError, DefaultBackendRecord, Elsewhere, MoveProgress, MovedRecord, RecordKey,
};
use crate::operations::held_document::Document as _;
use crate::operations::{Interrupt, Keys, OperationError};
use planton_envelope::MacKey;

impl Keys<'_> {
    /// Checks that no document of the catalog says that it was moved to another platform.
    ///
    /// # Security
    ///
    /// Only the organization's own record says that the organization has left. Whoever writes
    /// the catalog can remove or replace that record, and have an operator restore the one of a
    /// backup: both platforms would serve the organization. The documents have MACs that nobody
    /// can forge without the MAC key. One whose MAC does not verify proves nothing.
    ///
    /// # Errors
    ///
    /// `Catalog(Moved)`, with the other platform; failures of the catalog.
    pub(super) async fn expect_nothing_moved(
        self,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let mac_key = self.mac_key().await?;
        let catalog = &self.organization.catalog;
        let mut keys = vec![DefaultBackendRecord::key(&())];
        for prefix in ["backends", "secrets"] {
            keys.extend(catalog.list(prefix).await?);
        }
        for some in keys.chunks(CHUNK) {
            interrupt.before("restore")?;
            let each: Vec<_> = some
                .iter()
                .map(|key| Box::pin(self.elsewhere(key, mac_key)))
                .collect();
            let mut looked = stream::iter(each).buffered(AT_ONCE);
            while let Some(moved) = looked.next().await {
                if let Some(moved) = moved? {
                    return Err(moved.into());
                }
            }
        }
        Ok(())
    }

    /// Returns the error of a document that was moved.
    ///
    /// The organization's record was read behind a fence before, so that no stale read hides
    /// a migration from before that.
    async fn elsewhere(
        self,
        key: &RecordKey,
        mac_key: &MacKey,
    ) -> Result<Option<CatalogError>, OperationError> {
        let stored = self.organization.catalog.glance_at_stored(key).await?;
        let Some((stored, _)) = stored else {
            return Ok(None);
        };
        let Ok(record) = serde_json::from_str::<MovedRecord<Value>>(&stored.body) else {
            return Ok(None);
        };
        let elsewhere = Elsewhere {
            is_verified: true,
            ..record.moved.elsewhere(MoveProgress::Moving)
        };
        Ok(verifies(mac_key, key, &stored).then(|| elsewhere.error(key)))
    }
}
