//! Checks the guarantees of a [`CatalogStore`] with functions that every
//! implementation's tests call.
//!
//! Their names are `<verb>_<condition>_<outcome>`. A function panics if the catalog
//! breaks its guarantee.
//!
//! The functions are in the library so that integration tests can call them. The
//! program does not call them, so the linker removes them.
//!
//! Each function uses its own keys below `secrets/` and the given prefix, which must be
//! of `[a-z0-9-]` and new for each run.

use super::{CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord};
use crate::marks::{ListedMarks, Mark, MarkQuery};

/// Runs every check.
///
/// # Panics
///
/// Panics at the first guarantee that the catalog breaks.
pub async fn run_all(catalog: &dyn CatalogStore, prefix: &str) {
    read_where_nothing_was_written_is_none(catalog, prefix).await;
    write_first_record_can_be_read_back(catalog, prefix).await;
    write_where_something_is_there_is_conflict(catalog, prefix).await;
    write_with_an_old_revision_is_conflict_and_changes_nothing(catalog, prefix).await;
    write_with_a_revision_that_never_was_is_conflict(catalog, prefix).await;
    write_after_a_tombstone_goes_on_from_its_revision(catalog, prefix).await;
    write_at_once_has_one_winner(catalog, prefix).await;
    write_of_a_large_record_is_kept(catalog, prefix).await;
    forget_history_leaves_the_present(catalog, prefix).await;
    list_gives_the_keys_below_a_prefix_in_order(catalog, prefix).await;
    list_of_the_root_gives_all_keys(catalog, prefix).await;
    remove_takes_an_entry_away_and_again_does_nothing(catalog, prefix).await;
    list_marks_has_the_mark_of_each_present_record_and_no_other(catalog, prefix).await;
    list_marks_of_a_folder_that_has_nothing_is_empty(catalog, prefix).await;
}

/// Checks that both reads of an absent record return none.
pub async fn read_where_nothing_was_written_is_none(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "nothing");
    assert_eq!(read(catalog, &key).await, None);
    let fenced = catalog.read_fenced(&key).await;
    assert_eq!(fenced.expect("read_fenced succeeds"), None);
}

/// Checks that a read returns the exact bytes of the body and the MAC.
pub async fn write_first_record_can_be_read_back(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "first");
    let record = record("{\"a\":\"\\u0000 \\\\ ü\",\"b\":[1,2]}");
    let revision = write(catalog, &key, &record, Revision::ABSENT).await;
    assert!(revision > Revision::ABSENT);
    let stored = Some((record, revision));
    assert_eq!(read(catalog, &key).await, stored);
    let fenced = catalog.read_fenced(&key).await;
    assert_eq!(fenced.expect("read_fenced succeeds"), stored);
}

/// Checks that a creation does not overwrite a record.
pub async fn write_where_something_is_there_is_conflict(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "there");
    let revision = write(catalog, &key, &record("1"), Revision::ABSENT).await;
    expect_conflict(catalog, &key, Revision::ABSENT).await;
    assert_eq!(read(catalog, &key).await, Some((record("1"), revision)));
}

/// Checks that a write with an outdated revision conflicts and changes nothing.
pub async fn write_with_an_old_revision_is_conflict_and_changes_nothing(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let key = key(prefix, "old");
    let first = write(catalog, &key, &record("1"), Revision::ABSENT).await;
    let second = write(catalog, &key, &record("2"), first).await;
    assert!(second > first);
    expect_conflict(catalog, &key, first).await;
    assert_eq!(read(catalog, &key).await, Some((record("2"), second)));
}

/// Checks that a write with the revision of another catalog conflicts.
pub async fn write_with_a_revision_that_never_was_is_conflict(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let absent = key(prefix, "never-absent");
    for revision in [1, 7, u64::from(u32::MAX)] {
        expect_conflict(catalog, &absent, Revision(revision)).await;
    }
    assert_eq!(read(catalog, &absent).await, None);

    let present = key(prefix, "never-present");
    let revision = write(catalog, &present, &record("1"), Revision::ABSENT).await;
    expect_conflict(catalog, &present, Revision(revision.0 + 1)).await;
    assert_eq!(read(catalog, &present).await, Some((record("1"), revision)));
}

/// Checks that an emptied record keeps its revision.
///
/// So the compare-and-set of a stalled writer conflicts with every later record.
pub async fn write_after_a_tombstone_goes_on_from_its_revision(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let key = key(prefix, "tombstone");
    let stalled = write(catalog, &key, &record("1"), Revision::ABSENT).await;
    let empty = write(catalog, &key, &record("{}"), stalled).await;
    catalog
        .forget_history(&key, empty)
        .await
        .expect("forget_history succeeds");
    let again = write(catalog, &key, &record("2"), empty).await;
    assert!(again > empty && empty > stalled);
    expect_conflict(catalog, &key, stalled).await;
    expect_conflict(catalog, &key, Revision::ABSENT).await;
    assert_eq!(read(catalog, &key).await, Some((record("2"), again)));
}

/// Checks that one of several concurrent writes succeeds, and that its record is the
/// stored one.
pub async fn write_at_once_has_one_winner(catalog: &dyn CatalogStore, prefix: &str) {
    let key = &key(prefix, "at-once");
    let writer = |body: &'static str| async move {
        let outcome = catalog.write(key, &record(body), Revision::ABSENT).await;
        outcome.map(|revision| (record(body), revision))
    };
    let (a, b, c) = tokio::join!(writer("a"), writer("b"), writer("c"));
    let mut winners = Vec::new();
    for outcome in [a, b, c] {
        match outcome {
            Ok(winner) => winners.push(winner),
            Err(error) => assert_eq!(error.kind(), CatalogErrorKind::Conflict),
        }
    }
    assert_eq!(winners.len(), 1, "the winners are {winners:?}");
    assert_eq!(read(catalog, key).await, winners.pop());
}

/// Checks that the catalog stores a record as large as that of a secret with many
/// versions.
pub async fn write_of_a_large_record_is_kept(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "large");
    let large = record(&"v".repeat(256 * 1024));
    let revision = write(catalog, &key, &large, Revision::ABSENT).await;
    assert_eq!(read(catalog, &key).await, Some((large, revision)));
}

/// Checks that forgetting the history keeps the current record, also without a history.
pub async fn forget_history_leaves_the_present(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "forget");
    let first = write(catalog, &key, &record("1"), Revision::ABSENT).await;
    let second = write(catalog, &key, &record("2"), first).await;
    for _ in 0..2 {
        catalog
            .forget_history(&key, second)
            .await
            .expect("forget_history succeeds");
    }
    assert_eq!(read(catalog, &key).await, Some((record("2"), second)));
    write(catalog, &key, &record("3"), second).await;
}

/// Checks that a listing contains each key below the prefix once, and no key beside it.
pub async fn list_gives_the_keys_below_a_prefix_in_order(catalog: &dyn CatalogStore, prefix: &str) {
    let below = format!("list-{prefix}");
    for last in ["b", "a", "env/prod/c"] {
        let key = key(&below, last);
        let first = write(catalog, &key, &record("1"), Revision::ABSENT).await;
        write(catalog, &key, &record("2"), first).await;
    }
    for neighbour in [format!("{below}-2"), format!("{below}0")] {
        write(
            catalog,
            &key(&neighbour, "a"),
            &record("1"),
            Revision::ABSENT,
        )
        .await;
    }
    let listed = catalog.list(&format!("secrets/{below}")).await;
    let expected = ["a", "b", "env/prod/c"].map(|last| key(&below, last));
    assert_eq!(listed.expect("list succeeds"), expected);
    let listed = catalog.list(&format!("secrets/{below}-nothing")).await;
    assert_eq!(listed.expect("list of nothing succeeds"), []);
}

/// Checks that a listing of the root contains all records, and nothing else.
pub async fn list_of_the_root_gives_all_keys(catalog: &dyn CatalogStore, prefix: &str) {
    let key = key(prefix, "rooted");
    write(catalog, &key, &record("1"), Revision::ABSENT).await;
    // A read of an absent record may write a fence.
    let nothing = RecordKey::new(format!("secrets/{prefix}/unrooted"));
    assert_eq!(read(catalog, &nothing).await, None);
    let listed = catalog.list("").await.expect("list succeeds");
    assert!(listed.contains(&key), "{listed:?}");
    let known = |key: &RecordKey| {
        let top = key.as_str().split('/').next();
        top.is_some_and(|top| {
            ["organization", "default", "backends", "secrets", "entries"].contains(&top)
        })
    };
    assert!(listed.iter().all(known), "{listed:?}");
}

/// Checks that a removal deletes one entry only, and that a repeated removal succeeds.
pub async fn remove_takes_an_entry_away_and_again_does_nothing(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let entry = |last: &str| RecordKey::new(format!("entries/{prefix}/{last}"));
    let [gone, stays] = ["gone", "stays"].map(entry);
    for key in [&gone, &stays] {
        write(catalog, key, &record("1"), Revision::ABSENT).await;
    }
    for _ in 0..2 {
        catalog.remove(&gone).await.expect("remove succeeds");
    }
    assert_eq!(read(catalog, &gone).await, None);
    let listed = catalog.list(&format!("entries/{prefix}")).await;
    assert_eq!(listed.expect("list succeeds"), [stays]);
}

/// Checks that the marks of writes and reads are those of a listing, that each write has another
/// mark, and that a listing has no mark of a record that was overwritten.
///
/// A catalog without a listing has nothing to check, and gives no marks away.
pub async fn list_marks_has_the_mark_of_each_present_record_and_no_other(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let below = format!("marks-{prefix}");
    let mut first = Vec::new();
    let mut present = Vec::new();
    for last in ["a", "b", "c", "d", "e"] {
        let key = key(&below, last);
        let written = write(catalog, &key, &record("1"), Revision::ABSENT).await;
        first.extend(catalog.mark(&key, written));
        let written = write(catalog, &key, &record("2"), written).await;
        let mark = catalog.mark(&key, written);
        read(catalog, &key).await;
        assert_eq!(catalog.mark(&key, written), mark, "of a read");
        present.extend(mark);
    }
    let neighbour = key(&format!("{below}0"), "a");
    write(catalog, &neighbour, &record("1"), Revision::ABSENT).await;
    let folder = format!("secrets/{below}");
    let Some(mut listed) = marks(catalog, &folder).await else {
        assert_eq!(present, [], "of a catalog that lists none");
        return;
    };
    assert_eq!(present.len(), 5);
    assert!(first.iter().all(|mark| !present.contains(mark)));
    for of in [&mut listed, &mut present] {
        of.sort_unstable_by_key(|mark| mark.to_bytes());
    }
    assert_eq!(listed, present);
}

/// Checks that a listing of nothing is a page without marks.
pub async fn list_marks_of_a_folder_that_has_nothing_is_empty(
    catalog: &dyn CatalogStore,
    prefix: &str,
) {
    let folder = format!("secrets/marks-{prefix}-nothing");
    let listed = marks(catalog, &folder).await;
    assert!(listed.is_none_or(|listed| listed.is_empty()));
}

/// Returns the marks in a folder from pages of two; `None` without a listing.
async fn marks(catalog: &dyn CatalogStore, folder: &str) -> Option<Vec<Mark>> {
    let mut marks = Vec::new();
    let mut after = None;
    loop {
        let query = MarkQuery {
            folder,
            after: after.as_deref(),
            limit: 2,
            max_pages: u64::MAX,
            per_object: 1,
        };
        let listed = catalog.list_marks(query).await;
        match listed.expect("list_marks succeeds") {
            ListedMarks::Page(page) => {
                assert!(page.marks.len() <= 2);
                marks.extend(page.marks);
                after = page.next;
                if after.is_none() {
                    return Some(marks);
                }
            }
            ListedMarks::TooLarge => panic!("any number of pages is allowed"),
            ListedMarks::Unavailable => return None,
        }
    }
}

fn key(prefix: &str, last: &str) -> RecordKey {
    RecordKey::new(format!("secrets/{prefix}/{last}"))
}

fn record(body: &str) -> StoredRecord {
    StoredRecord {
        body: body.to_owned(),
        mac: "0f".repeat(32),
    }
}

async fn read(catalog: &dyn CatalogStore, key: &RecordKey) -> Option<(StoredRecord, Revision)> {
    catalog.read(key).await.expect("read succeeds")
}

async fn write(
    catalog: &dyn CatalogStore,
    key: &RecordKey,
    record: &StoredRecord,
    expected: Revision,
) -> Revision {
    let outcome = catalog.write(key, record, expected).await;
    outcome.expect("write with the present revision succeeds")
}

async fn expect_conflict(catalog: &dyn CatalogStore, key: &RecordKey, expected: Revision) {
    let outcome = catalog.write(key, &record("lost"), expected).await;
    let error = outcome.expect_err("write with another revision fails");
    assert_eq!(error.kind(), CatalogErrorKind::Conflict, "{error}");
}
