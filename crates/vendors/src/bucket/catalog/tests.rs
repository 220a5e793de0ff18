//! Checks on which revisions a process bases its writes, if an older object is restored.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::BucketCatalog;
use crate::bucket::client::scripted::{Scripted, Step};
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore as _, RecordKey, Revision, StoredRecord,
};
use planton_core::names::Slug;

const PLACE: &str = "tf/acme/records/secrets/0123.json";

fn key() -> RecordKey {
    RecordKey::new("secrets/0123")
}

/// A process.
struct Process(BucketCatalog);

impl Process {
    fn new(store: &Scripted) -> Self {
        let organization = Slug::parse("acme").unwrap();
        Self(BucketCatalog::new(&store.bucket(), organization))
    }

    async fn write(&self, body: &str, expected: Revision) -> Result<Revision, CatalogError> {
        let record = StoredRecord {
            body: body.to_owned(),
            mac: "0f".to_owned(),
        };
        self.0.write(&key(), &record, expected).await
    }

    async fn expect_conflict(&self, expected: Revision) {
        let error = self.write("conflict", expected).await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Conflict);
    }

    async fn read(&self) -> (String, Revision) {
        let (found, revision) = self.0.read(&key()).await.unwrap().unwrap();
        (found.body, revision)
    }
}

/// One process writes revisions 1 and 2, and revision 1 is restored.
struct Restored {
    store: Scripted,
    one: Process,
    other: Process,
    /// The object of revision 1.
    old: Vec<u8>,
    first: Revision,
    second: Revision,
}

impl Restored {
    async fn new() -> Self {
        let store = Scripted::default();
        let [one, other] = [(), ()].map(|()| Process::new(&store));
        let first = one.write("1", Revision::ABSENT).await.unwrap();
        let old = store.body(PLACE);
        let second = one.write("2", first).await.unwrap();
        store.overwrite(PLACE, &old);
        Self {
            store,
            one,
            other,
            old,
            first,
            second,
        }
    }

    /// Another process writes its own revision 2.
    async fn write_again(&self) {
        let again = self.other.write("other", self.first).await.unwrap();
        assert_eq!(again, self.second);
    }
}

#[tokio::test]
async fn a_revision_that_comes_again_after_a_restore_is_not_overwritten() {
    let restored = Restored::new().await;
    restored.write_again().await;
    let Restored { one, second, .. } = &restored;
    for _ in 0..2 {
        one.expect_conflict(*second).await;
        assert_eq!(one.read().await, ("other".to_owned(), *second));
    }
    // The writer that made the revision goes on from it.
    restored.other.write("4", *second).await.unwrap();
}

#[tokio::test]
async fn a_read_of_another_task_does_not_renew_a_revision_that_came_again() {
    let restored = Restored::new().await;
    restored.write_again().await;
    let Restored { one, second, .. } = &restored;
    assert_eq!(one.read().await, ("other".to_owned(), *second));
    one.expect_conflict(*second).await;
    assert_eq!(one.read().await.0, "other");
}

#[tokio::test]
async fn a_refusal_of_another_revision_keeps_what_is_known_of_a_later_one() {
    let restored = Restored::new().await;
    let Restored { one, second, .. } = &restored;
    assert_eq!(one.read().await, ("1".to_owned(), restored.first));
    restored
        .store
        .then([Step::Status(412, "PreconditionFailed")]);
    one.expect_conflict(restored.first).await;
    restored.write_again().await;
    one.expect_conflict(*second).await;
    assert_eq!(one.read().await.0, "other");
}

#[tokio::test]
async fn a_process_that_writes_a_revision_again_goes_on_from_it() {
    let restored = Restored::new().await;
    restored.write_again().await;
    let Restored { one, second, .. } = &restored;
    one.expect_conflict(*second).await;
    restored.store.overwrite(PLACE, &restored.old);
    assert_eq!(one.read().await, ("1".to_owned(), restored.first));
    assert_eq!(one.write("mine", restored.first).await.unwrap(), *second);
    one.write("mine too", *second).await.unwrap();
}

/// A copy in place or a new encryption changes the ETag.
#[tokio::test]
async fn an_object_that_was_written_again_with_the_same_bytes_conflicts_once() {
    let store = Scripted::default();
    let one = Process::new(&store);
    let first = one.write("1", Revision::ABSENT).await.unwrap();
    store.overwrite(PLACE, &store.body(PLACE));
    one.expect_conflict(first).await;
    assert_eq!(one.read().await, ("1".to_owned(), first));
    one.write("2", first).await.unwrap();
}
