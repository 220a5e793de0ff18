//! The versions of a secret beyond `keep_versions`.

use std::sync::Arc;

use super::Secrets;
use crate::catalog::{SecretRecord, VersionRecord};
use crate::operations::backends::Trust;
use crate::operations::{Backend, OperationError};
use crate::store::{Deletion, NativeVersionId, RemoteName, SecretStore, StoreCapability};

/// Versions that no record names any more, once the removal from the record is committed.
#[derive(Debug)]
pub(super) struct Surplus {
    store: Arc<dyn SecretStore>,
    remote_name: RemoteName,
    versions: Vec<NativeVersionId>,
}

impl Surplus {
    /// Removes the oldest versions from the record. Returns those that the store can delete;
    /// `None` if there are none.
    pub(super) fn give_up(record: &mut SecretRecord, backend: &Backend) -> Option<Self> {
        let capability = backend.store.capability();
        let keep = kept(capability, record.arguments.keep_versions);
        let versions = prune(&mut record.versions, keep);
        (capability.deletes_versions && !versions.is_empty()).then(|| Self {
            store: Arc::clone(&backend.store),
            remote_name: record.remote_name.clone(),
            versions,
        })
    }

    /// Returns whether a deletion takes more than one version.
    pub(super) fn has_several(&self) -> bool {
        self.versions.len() > 1
    }

    /// Deletes the versions. Logs a failure only, since the change is committed.
    pub(super) async fn delete(self) {
        crate::operations::crash_hooks::crash_point("prune");
        let deletion = Deletion::Versions(self.versions);
        if let Err(error) = self.store.delete(&self.remote_name, deletion).await {
            tracing::warn!(%error, "could not delete the versions beyond keep_versions");
        }
    }
}

impl Secrets<'_> {
    /// Removes the versions beyond `keep_versions` from a record that gets no new version. Opens
    /// the backend only if there are some.
    pub(super) async fn give_up_beyond_argument(
        self,
        record: &mut SecretRecord,
    ) -> Result<Option<Surplus>, OperationError> {
        let keep = usize::try_from(record.arguments.keep_versions).unwrap_or(usize::MAX);
        if record.versions.len() <= keep {
            return Ok(None);
        }
        let backends = self.organization.backends();
        let backend = backends.of_secret(record, Trust::Mac).await?;
        Ok(Surplus::give_up(record, &backend))
    }
}

/// Returns the number of versions that stay in the record.
///
/// Below the store's limit by at least one, so that the next put drops no version before its
/// commit.
fn kept(capability: &StoreCapability, keep_versions: u32) -> u32 {
    let room = capability.max_versions.map(|max| max.saturating_sub(1));
    keep_versions.min(room.unwrap_or(u32::MAX)).max(1)
}

/// Removes the oldest versions beyond `keep` from the record, and returns their ids.
fn prune(versions: &mut Vec<VersionRecord>, keep: u32) -> Vec<NativeVersionId> {
    let surplus = versions.len().saturating_sub(keep as usize);
    versions
        .drain(..surplus)
        .flat_map(|version| version.superseded.into_iter().chain([version.native_id]))
        .collect()
}
