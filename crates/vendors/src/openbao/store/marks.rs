//! The listing that confirms at a refresh that versions exist.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::OpenBaoStore;
use super::version::StoredVersion;
use crate::openbao::client::{KvDetailed, KvListed, KvV2, OpenBaoError, StoreRequest};
use planton_core::marks::{ListedMarks, Mark, MarkPage, MarkQuery};
use planton_core::store::{NativeVersionId, RemoteName, StoreError};

/// The greatest number of versions of a folder that is listed. The server lists a folder as a
/// whole, with some 550 bytes and 0.2 ms for each version.
const MAX_VERSIONS: usize = 10_000;

/// The size of each folder, as it was last listed.
#[derive(Debug, Default)]
pub(super) struct FolderSizes(Mutex<HashMap<String, FolderSize>>);

#[derive(Clone, Copy, Debug)]
struct FolderSize {
    objects: usize,
    versions: usize,
}

impl FolderSizes {
    fn of(&self, folder: &str) -> Option<FolderSize> {
        let sizes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.get(folder).copied()
    }

    fn note(&self, folder: &str, detailed: &KvDetailed) {
        let object = |path: &String| path.split('/').next().map(str::to_owned);
        let objects: HashSet<String> = detailed.keys.iter().filter_map(object).collect();
        let size = FolderSize {
            objects: objects.len(),
            versions: detailed.keys.len(),
        };
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
        let allowed = query.max_marks().min(MAX_VERSIONS);
        let known = self.sizes.of(query.folder);
        // A folder that had at most half as many versions is not counted again.
        let is_small = known.is_some_and(|size| size.versions.saturating_mul(2) <= allowed);
        if !is_small {
            let per_object = known.map_or(query.per_object, |size| {
                size.versions.div_ceil(size.objects.max(1))
            });
            let objects = allowed / per_object.max(1);
            match kv.list_detailed(query.folder, None, objects + 1).await? {
                KvListed::Unavailable => return Ok(ListedMarks::Unavailable),
                KvListed::Detailed(folder) if folder.keys.len() > objects => {
                    return Ok(match allowed {
                        MAX_VERSIONS => ListedMarks::Unavailable,
                        _ => ListedMarks::TooLarge,
                    });
                }
                KvListed::Detailed(_) => {}
            }
        }
        let detailed = match kv.scan_detailed(query.folder).await? {
            KvListed::Unavailable => return Ok(ListedMarks::Unavailable),
            KvListed::Detailed(detailed) => detailed,
        };
        self.sizes.note(query.folder, &detailed);
        Ok(ListedMarks::Page(MarkPage {
            marks: marks(query.folder, &detailed),
            next: None,
            requests: if is_small { 1 } else { 2 },
        }))
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
