//! The listing that confirms at a refresh that records and versions are unchanged.
//!
//! A mark is made of the key of an object and of its ETag. No two writes have the same ETag: a
//! record contains the identifier of its write, and a version is sealed under a key of its own.
//! Listings are strongly consistent, as reads are.

use object_store::path::Path;

use super::client::{Client, Fault, FaultKind, ListedPage, Tag};
use planton_core::marks::{ListedMarks, Mark, MarkPage, MarkQuery};

/// Returns the mark of an object with this tag; `None` if the vendor sent no ETag.
pub(super) fn mark(path: &Path, tag: &Tag) -> Option<Mark> {
    Some(Mark::of(&[path.as_ref(), tag.listed()?]))
}

/// Returns a page of the marks of all objects in a folder. One request.
pub(super) async fn list(
    client: &Client,
    folder: &Path,
    query: MarkQuery<'_>,
) -> Result<ListedMarks, Fault> {
    let page = client.list_page(folder, query.after, query.limit).await;
    let ListedPage { objects, next } = match page {
        Ok(page) => page,
        Err(fault) if fault.kind == FaultKind::Denied => return Ok(ListedMarks::Unavailable),
        Err(fault) => return Err(fault),
    };
    let marks = objects
        .iter()
        .map(|object| Mark::of(&[object.path.as_ref(), &object.e_tag]));
    Ok(ListedMarks::Page(MarkPage {
        marks: marks.collect(),
        next,
        requests: 1,
    }))
}
