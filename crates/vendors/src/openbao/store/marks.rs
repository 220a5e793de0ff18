//! The listing that confirms at a refresh that versions exist.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::OpenBaoStore;
use super::version::StoredVersion;
use crate::openbao::client::{KvDetailed, KvListed, KvV2, OpenBaoError, StoreRequest};
use planton_core::marks::{ListedMarks, Mark, MarkPage, MarkQuery};
use planton_core::store::{NativeVersionId, RemoteName, StoreError};

/// The greatest number of objects of a folder that is listed. The server lists a folder as a
/// whole, with some 550 bytes and 0.2 ms for each version.
const MAX_OBJECTS: usize = 10_000;

/// The number of versions in each folder, as it was last listed.
#[derive(Debug, Default)]
pub(super) struct FolderSizes(Mutex<HashMap<String, usize>>);

impl FolderSizes {
    /// Returns whether the folder had at most half as many versions as are allowed now, so that
    /// it need not be counted again.
    fn is_small(&self, query: MarkQuery<'_>) -> bool {
        let sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = sizes.get(query.folder);
        size.is_some_and(|size| size.saturating_mul(2) <= query.max_marks())
    }

    fn note(&self, folder: &str, size: usize) {
        let mut sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.insert(folder.to_owned(), size);
    }
}

impl OpenBaoStore {
    /// Returns the mark of a version.
    pub(super) fn mark_of(name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        let version = StoredVersion::parse(version)?;
        Some(Mark::of(&[&version.path(name), &version.created_time]))
    }

    /// Lists a folder as a whole, in one request; in two, if its size is unknown. Both take the
    /// route of a first look: an answer that is stale is not mistaken for an absence.
    pub(super) async fn folder_marks(
        &self,
        query: MarkQuery<'_>,
    ) -> Result<ListedMarks, StoreError> {
        let client = self.link.client().await?;
        let listed = self.scan(&client.kv(), query).await;
        listed.map_err(|error| self.explain(error, StoreRequest::Look))
    }

    async fn scan(&self, kv: &KvV2, query: MarkQuery<'_>) -> Result<ListedMarks, OpenBaoError> {
        let allowed = query.max_marks().min(MAX_OBJECTS);
        if !self.sizes.is_small(query) {
            match kv.list_detailed(query.folder, None, allowed + 1).await? {
                KvListed::Unavailable => return Ok(ListedMarks::Unavailable),
                KvListed::Detailed(folder) if folder.keys.len() > allowed => {
                    return Ok(ListedMarks::TooLarge);
                }
                KvListed::Detailed(_) => {}
            }
        }
        let detailed = match kv.scan_detailed(query.folder).await? {
            KvListed::Unavailable => return Ok(ListedMarks::Unavailable),
            KvListed::Detailed(detailed) => detailed,
        };
        self.sizes.note(query.folder, detailed.keys.len());
        let marks = marks(query.folder, &detailed);
        Ok(ListedMarks::Page(MarkPage { marks, next: None }))
    }
}

/// Returns the marks of the versions in a folder. A path that was written more than once is no
/// version of ours.
fn marks(folder: &str, detailed: &KvDetailed) -> Vec<Mark> {
    let versions = detailed.current().filter(|current| current.version == 1);
    let marks = versions.map(|version| {
        let path = format!("{folder}/{}", version.path);
        Mark::of(&[&path, version.created_time])
    });
    marks.collect()
}
