//! Reads that never mistake a stale answer for an absent object.

use jiff::Timestamp;

use super::version::StoredVersion;
use super::{OpenBaoStore, Stored};
use crate::openbao::client::{KvEntry, KvMetadata, KvVersion, OpenBaoClient, OpenBaoError};
use planton_core::store::{Absence, DescribeOptions, RemoteName, VersionStatus};

impl OpenBaoStore {
    /// Reads a version. If nothing is found, reads again behind a fence.
    pub(super) async fn read(
        &self,
        client: &OpenBaoClient,
        path: &str,
    ) -> Result<KvEntry<Stored>, OpenBaoError> {
        // Asked before the request: an index that arrives meanwhile was not sent with it.
        let was_fenced = client.is_fenced();
        let entry = client.kv().read(path).await?;
        if matches!(entry, KvEntry::Present { .. }) || was_fenced {
            return Ok(entry);
        }
        client.fence().await?.kv().read(path).await
    }

    /// As [`read`](Self::read), for metadata.
    async fn metadata(
        &self,
        client: &OpenBaoClient,
        path: &str,
    ) -> Result<Option<KvMetadata>, OpenBaoError> {
        let was_fenced = client.is_fenced();
        let metadata = client.kv().metadata(path).await?;
        if metadata.is_some() || was_fenced {
            return Ok(metadata);
        }
        client.fence().await?.kv().metadata(path).await
    }

    /// Returns the status of a version. If it is gone, checks the other versions.
    pub(super) async fn look(
        &self,
        client: &OpenBaoClient,
        name: &RemoteName,
        options: &DescribeOptions,
    ) -> Result<Option<VersionStatus>, OpenBaoError> {
        // Even after own writes: another process may have put or deleted the object since.
        let fenced = match options.absence {
            Absence::Quick => None,
            Absence::Confirmed => Some(client.fence().await?.kv()),
        };
        let metadata = async |version: &StoredVersion| {
            let path = version.path(name);
            match &fenced {
                Some(kv) => kv.metadata(&path).await,
                None => self.metadata(client, &path).await,
            }
        };
        if let Some(version) = StoredVersion::parse(&options.version)
            && let Some(metadata) = metadata(&version).await?
        {
            return Ok(Some(status(&metadata, &version, Timestamp::now())));
        }
        for other in options.others.iter().filter_map(StoredVersion::parse) {
            if metadata(&other).await?.is_some() {
                return Ok(Some(VersionStatus::Missing));
            }
        }
        Ok(None)
    }
}

/// Tells a version that is present from a missing and from a replaced one.
pub(super) fn status(metadata: &KvMetadata, ours: &StoredVersion, now: Timestamp) -> VersionStatus {
    match metadata.versions.get(&1) {
        // Metadata without any version, as `kv metadata put` creates it.
        None if metadata.current_version == 0 => VersionStatus::Missing,
        Some(KvVersion { created_time, .. })
            if metadata.current_version != 1 || *created_time != ours.created_time =>
        {
            VersionStatus::Replaced
        }
        None => VersionStatus::Replaced,
        Some(version) if version.is_readable(now) => VersionStatus::Present,
        Some(_) => VersionStatus::Missing,
    }
}
