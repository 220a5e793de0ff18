//! The listing of the built-in backend's objects.

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::OpenBaoStore;
use super::version::StoredVersion;
use crate::openbao::client::{KvV2, OpenBaoError, StoreRequest};
use planton_core::store::{
    ListObjects, ListedVersion, NativeVersionId, RemoteName, StoreError, StoreErrorKind,
};

/// How many metadata reads run at once.
const READS_AT_ONCE: usize = 8;

impl OpenBaoStore {
    /// Returns the mount behind a fence: a listing does not reveal that it is stale.
    async fn fenced(&self) -> Result<KvV2, StoreError> {
        let client = self.link.client().await?;
        let fenced = client.fence().await;
        Ok(fenced.map_err(|error| self.denied(error))?.kv())
    }

    /// As [`fenced`](Self::fenced), unless every read is at least as new as the newest write of
    /// this process.
    async fn since_own_writes(&self) -> Result<KvV2, StoreError> {
        let client = self.link.client().await?;
        match client.is_fenced() {
            true => Ok(client.kv()),
            false => self.fenced().await,
        }
    }

    fn denied(&self, error: OpenBaoError) -> StoreError {
        // The rules for listing are among those for writing.
        self.explain(error, StoreRequest::Write)
    }
}

#[async_trait]
impl ListObjects for OpenBaoStore {
    /// Two requests.
    async fn children(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.fenced().await?.list(folder).await;
        let listed = listed.map_err(|error| self.denied(error))?;
        // An object is a folder of versions. A value beside them is not ours.
        let folders = listed
            .iter()
            .filter_map(|child| child.strip_suffix('/').map(str::to_owned));
        Ok(folders.collect())
    }

    /// One request, and one for each version that is not known. The fence of
    /// [`children`](Self::children) counts as a write.
    async fn versions_besides(
        &self,
        name: &RemoteName,
        known: &[NativeVersionId],
    ) -> Result<Vec<ListedVersion>, StoreError> {
        let kv = self.since_own_writes().await?;
        let listed = kv.list(name.as_str()).await;
        let listed = listed.map_err(|error| self.denied(error))?;
        let known: Vec<_> = known.iter().filter_map(StoredVersion::parse).collect();
        let is_other = |slot: &String| {
            StoredVersion::is_slot(slot) && known.iter().all(|one| one.slot != *slot)
        };
        let found: Vec<Option<ListedVersion>> = stream::iter(listed.into_iter().filter(is_other))
            .map(|slot| self.listed(&kv, name, slot))
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl OpenBaoStore {
    /// Returns the version in a slot; `None` if its data is gone.
    async fn listed(
        &self,
        kv: &KvV2,
        name: &RemoteName,
        slot: String,
    ) -> Result<Option<ListedVersion>, StoreError> {
        let metadata = kv.metadata(&format!("{name}/{slot}")).await;
        let metadata = metadata.map_err(|error| self.denied(error))?;
        let Some(version) = metadata.as_ref().and_then(|found| found.versions.get(&1)) else {
            return Ok(None);
        };
        if version.destroyed {
            // What a deletion leaves if the token may not delete metadata.
            return Ok(None);
        }
        let created_time = version.created_time.clone();
        let written_at: Timestamp = created_time.parse().map_err(|error| {
            let corrupt = StoreErrorKind::Corrupt;
            StoreError::new(corrupt, "read metadata", name.as_str()).with_source(error)
        })?;
        let id = StoredVersion { slot, created_time }.into_native_id();
        Ok(Some(ListedVersion { id, written_at }))
    }
}
