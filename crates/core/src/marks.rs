//! Marks: fingerprints of records and of sealed versions as their storage lists them.
//!
//! A listing that returns many marks at once proves that many records and versions are
//! unchanged since somebody kept their marks: docs/adr/0026.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// The usual number of marks in a page: no storage returns more of them at once.
pub const MARKS_PER_PAGE: usize = 1_000;

/// A fingerprint of one write: where it is, and what the storage lists of it.
///
/// Every write of a record and every put of a version has another mark, even if a storage
/// counts versions from 1 again after a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark([u8; 8]);

impl Mark {
    /// Number of bytes of a mark.
    pub const BYTES: usize = 8;

    /// Computes the mark of a write from its place and from what the storage lists of it.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (head, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        Self(*head)
    }

    /// Restores a mark from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the mark.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }
}

/// A request for one page of a listing of marks.
#[derive(Clone, Copy, Debug)]
pub struct MarkQuery<'a> {
    /// Folder whose content is listed at any depth, without a slash at its end.
    pub folder: &'a str,
    /// Where the page begins: [`MarkPage::next`] of the page before it. `None` for the first.
    pub after: Option<&'a str>,
    /// Number of marks in a page.
    pub limit: usize,
    /// Number of pages that the response may be worth. It matters to a storage that returns a
    /// folder as a whole or not at all.
    pub max_pages: u64,
    /// Estimated number of versions of an object. It matters to a storage that counts the objects
    /// of a folder before it returns their versions.
    pub per_object: usize,
}

impl MarkQuery<'_> {
    /// Returns the number of marks that the response may have.
    #[must_use]
    pub fn max_marks(&self) -> usize {
        let pages = usize::try_from(self.max_pages).unwrap_or(usize::MAX);
        self.limit.saturating_mul(pages)
    }
}

/// A page of a listing of marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkPage {
    /// The marks of records or versions that exist and can be read, in any order.
    pub marks: Vec<Mark>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
    /// Number of requests that the page took.
    pub requests: usize,
}

/// The answer to a [`MarkQuery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedMarks {
    /// A page.
    Page(MarkPage),
    /// The storage returns the folder as a whole, which takes more than the allowed pages.
    TooLarge,
    /// The storage has no such listing, or the caller may not list. This does not change
    /// within a process.
    Unavailable,
}

/// The marks of what this process has read and written, for a storage whose identifiers do not
/// contain what it lists.
///
/// It keeps 24 bytes for each write that the process has seen.
#[derive(Debug, Default)]
pub struct SeenMarks {
    /// The mark of each subject; `None` if the subject had several marks. A storage may count
    /// versions from 1 again, and somebody may still hold the first write under that number.
    seen: Mutex<HashMap<Mark, Option<Mark>>>,
}

impl SeenMarks {
    /// Notes that the write which the caller identifies by `subject` has this mark.
    pub fn note(&self, subject: &[&str], mark: Mark) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.entry(Mark::of(subject)).or_insert(Some(mark));
        if *known != Some(mark) {
            *known = None;
        }
    }

    /// Returns the mark of `subject`; `None` if it is unknown, or if there were several.
    #[must_use]
    pub fn of(&self, subject: &[&str]) -> Option<Mark> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&Mark::of(subject)).copied().flatten()
    }
}

/// Returns a page of `all`, whose places are in order, for a storage in memory.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn page_of<'a>(
    all: impl Iterator<Item = (&'a str, Mark)>,
    query: MarkQuery<'_>,
) -> ListedMarks {
    let below = |place: &str| {
        let rest = place.strip_prefix(query.folder);
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let is_after = |place: &str| query.after.is_none_or(|after| place > after);
    let mut rest = all.filter(|(place, _)| below(place) && is_after(place));
    let page: Vec<(&str, Mark)> = rest.by_ref().take(query.limit).collect();
    let last = page.last().map(|(place, _)| (*place).to_owned());
    ListedMarks::Page(MarkPage {
        next: rest.next().and(last),
        marks: page.into_iter().map(|(_, mark)| mark).collect(),
        requests: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_where_any_part_or_the_border_of_two_parts_differs() {
        let mark = Mark::of(&["secrets/1", "1", "t"]);
        assert_eq!(mark, Mark::of(&["secrets/1", "1", "t"]));
        assert_eq!(mark, Mark::from_bytes(mark.to_bytes()));
        for other in [
            &["secrets/2", "1", "t"][..],
            &["secrets/1", "2", "t"],
            &["secrets/1", "1", "u"],
            &["secrets/11", "", "t"],
            &["secrets/1", "1t"],
        ] {
            assert_ne!(mark, Mark::of(other), "{other:?}");
        }
    }

    #[test]
    fn a_revision_that_was_two_writes_has_no_mark() {
        let seen = SeenMarks::default();
        let [first, second] = ["a", "b"].map(|text| Mark::of(&[text]));
        assert_eq!(seen.of(&["key", "1"]), None);
        seen.note(&["key", "1"], first);
        seen.note(&["key", "1"], first);
        assert_eq!(seen.of(&["key", "1"]), Some(first));
        seen.note(&["key", "1"], second);
        seen.note(&["key", "1"], second);
        assert_eq!(seen.of(&["key", "1"]), None);
    }
}
