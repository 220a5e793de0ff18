//! The listing that confirms at a refresh that records are unchanged.

use super::OpenBaoCatalog;
use crate::openbao::client::{KvListed, OpenBaoError};
use planton_core::catalog::{RecordKey, Revision};
use planton_core::marks::{ListedMarks, Mark, MarkPage, MarkQuery};

impl OpenBaoCatalog {
    /// Notes a revision that was read or written. A version number comes again after the
    /// metadata of a path was deleted, so the time of the write is part of the mark.
    pub(super) fn note(&self, key: &RecordKey, version: u64, created_time: &str) {
        let number = version.to_string();
        let mark = Mark::of(&[key.as_str(), &number, created_time]);
        self.marks.note(&[key.as_str(), &number], mark);
    }

    /// Returns the mark of a revision that was read or written.
    pub(super) fn noted(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        self.marks.of(&[key.as_str(), &revision.0.to_string()])
    }

    /// Lists a page of records in one request, by the route of an ordinary read. An answer that
    /// is stale shows at most what a stale read would.
    pub(super) async fn page_of_marks(
        &self,
        query: MarkQuery<'_>,
    ) -> Result<ListedMarks, OpenBaoError> {
        let path = format!("{}/{}", self.root, query.folder);
        let listed = self
            .kv
            .list_detailed(&path, query.after, query.limit)
            .await?;
        let KvListed::Detailed(detailed) = listed else {
            return Ok(ListedMarks::Unavailable);
        };
        let marks = detailed.current().map(|current| {
            let key = format!("{}/{}", query.folder, current.path);
            Mark::of(&[&key, &current.version.to_string(), current.created_time])
        });
        let is_full = detailed.keys.len() >= query.limit;
        Ok(ListedMarks::Page(MarkPage {
            marks: marks.collect(),
            next: detailed.keys.last().filter(|_| is_full).cloned(),
            requests: 1,
        }))
    }
}
