//! Tests the listings of marks that a refresh compares.

use std::collections::BTreeMap;

use planton_core::catalog::{CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::marks::{ListedMarks, Mark, MarkQuery};
use planton_core::store::{NativeVersionId, PutOptions, RemoteName, SecretStore};
use planton_vendors::openbao::client::{OpenBaoClient, PolicyRole, policy_text};
use planton_vendors::openbao::{OpenBaoCatalog, OpenBaoStore};
use uuid::Uuid;

use super::support::{Place, token};

const RECORDS: MarkQuery<'_> = MarkQuery {
    folder: "secrets",
    after: None,
    limit: 1_000,
    max_pages: 1,
    per_object: 1,
};

const VERSIONS: MarkQuery<'_> = MarkQuery {
    folder: "planton/acme/org",
    ..RECORDS
};

fn key() -> RecordKey {
    RecordKey::new("secrets/0123")
}

fn name(last: &str) -> RemoteName {
    RemoteName::new(format!("planton/acme/org/{last}"))
}

/// Catalog and store of a process.
struct Process {
    catalog: OpenBaoCatalog,
    store: OpenBaoStore,
}

impl Process {
    fn of(place: &Place, client: &OpenBaoClient) -> Self {
        Self {
            catalog: OpenBaoCatalog::new(client, &place.scope, PolicyRole::Plan),
            store: OpenBaoStore::platform(client, &place.scope),
        }
    }

    async fn write(&self, body: &str) -> Mark {
        let record = StoredRecord {
            body: body.to_owned(),
            mac: "00".to_owned(),
        };
        let written = self.catalog.write(&key(), &record, Revision::ABSENT).await;
        self.catalog.mark(&key(), written.unwrap()).unwrap()
    }

    async fn put(&self, name: &RemoteName, attempt: Uuid) -> NativeVersionId {
        let options = PutOptions {
            version: 1,
            attempt,
            keep: Vec::new(),
            labels: BTreeMap::new(),
        };
        self.store.put(name, b"pse1.AA", options).await.unwrap()
    }

    /// Returns the marks of records; `None` without a listing.
    async fn records(&self) -> Option<Vec<Mark>> {
        marks(self.catalog.list_marks(RECORDS).await.unwrap())
    }

    /// Returns the marks of versions; `None` without a listing.
    async fn versions(&self) -> Option<Vec<Mark>> {
        marks(self.store.list_marks(VERSIONS).await.unwrap())
    }
}

fn marks(listed: ListedMarks) -> Option<Vec<Mark>> {
    match listed {
        ListedMarks::Page(page) => Some(page.marks),
        ListedMarks::Unavailable => None,
        ListedMarks::TooLarge => panic!("two are too many"),
    }
}

#[tokio::test]
async fn what_was_deleted_and_made_anew_under_the_same_number_has_another_mark() {
    let place = Place::new().await;
    let client = place.client();
    let writer = Process::of(&place, &client);
    let (name, attempt) = (name("db-0badcafe"), Uuid::new_v4());
    let record = writer.write("{}").await;
    let version = writer.put(&name, attempt).await;
    let version = writer.store.mark(&name, &version).unwrap();
    // A process that neither wrote nor read them.
    let other = Process::of(&place, &place.client());
    assert_eq!(other.catalog.mark(&key(), Revision(1)), None);
    assert_eq!(other.records().await, Some(vec![record]));
    assert_eq!(other.versions().await, Some(vec![version]));
    let kv = client.kv();
    for path in [
        "catalog/acme/secrets/0123",
        &format!("{name}/1-{}", digits(attempt)),
    ] {
        kv.delete_metadata(path).await.unwrap();
    }
    assert_eq!(other.records().await, Some(Vec::new()));
    assert_eq!(other.versions().await, Some(Vec::new()));
    let writer = Process::of(&place, &place.client());
    let again = writer.write("{}").await;
    let version_again = writer.put(&name, attempt).await;
    let version_again = writer.store.mark(&name, &version_again).unwrap();
    assert!(again != record && version_again != version);
    assert_eq!(other.records().await, Some(vec![again]));
    assert_eq!(other.versions().await, Some(vec![version_again]));
    kv.soft_delete("catalog/acme/secrets/0123").await.unwrap();
    assert_eq!(other.records().await, Some(Vec::new()));
}

/// Returns the digits of an attempt in the path of its version.
fn digits(attempt: Uuid) -> String {
    attempt.simple().to_string()[..8].to_owned()
}

#[tokio::test]
async fn the_plan_policy_lists_and_a_role_without_its_rules_has_no_listing() {
    let place = Place::new().await;
    let writer = Process::of(&place, &place.client());
    let record = writer.write("{}").await;
    let text = policy_text(&place.scope, PolicyRole::Plan);
    let granted = place.client_as(token(&place.only(&text).await));
    let granted = Process::of(&place, &granted);
    assert_eq!(granted.records().await, Some(vec![record]));
    assert_eq!(granted.versions().await, Some(Vec::new()));
    let rules = text.split_inclusive("}\n");
    let rules = rules.filter(|rule| !rule.contains("detailed-metadata"));
    let without = place.client_as(token(&place.only(&rules.collect::<String>()).await));
    let without = Process::of(&place, &without);
    assert_eq!(without.records().await, None);
    assert_eq!(without.versions().await, None);
    assert!(without.catalog.read(&key()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_with_more_objects_than_it_is_worth_is_counted_and_not_listed() {
    let place = Place::new().await;
    let client = place.client();
    let process = Process::of(&place, &client);
    for number in 0..3 {
        process
            .put(&name(&format!("db-{number}")), Uuid::new_v4())
            .await;
    }
    let before = client.requests().total();
    let query = |limit| MarkQuery { limit, ..VERSIONS };
    let listed = process.store.list_marks(query(2)).await.unwrap();
    assert_eq!(listed, ListedMarks::TooLarge);
    assert_eq!(client.requests().total() - before, 1);
    let listed = process.store.list_marks(query(3)).await.unwrap();
    let ListedMarks::Page(page) = listed else {
        panic!("{listed:?}");
    };
    assert_eq!((page.marks.len(), page.next), (3, None));
    assert_eq!(client.requests().total() - before, 3);
    // A folder that was small is not counted again.
    process.store.list_marks(query(6)).await.unwrap();
    assert_eq!(client.requests().total() - before, 4);
}
