//! Checks the store and the catalog over a store of objects in memory.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;

use crate::bucket::client::scripted::{Flaw, Scripted, Step};
use crate::bucket::{BucketCatalog, BucketStore};
use planton_core::catalog::{
    self, CatalogErrorKind, CatalogStore as _, RecordKey, Revision, StoredRecord,
};
use planton_core::names::Slug;
use planton_core::store::conformance::{self, Gap, Sabotage, Sabotaged};
use planton_core::store::{
    Absence, Deletion, DescribeOptions, ListObjects as _, NativeVersionId, PutOptions, RemoteName,
    SecretStore as _, StoreErrorKind, VersionStatus,
};

fn store(scripted: &Scripted) -> BucketStore {
    BucketStore::new(&scripted.bucket(), Slug::parse("acme").unwrap())
}

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

fn options() -> PutOptions {
    PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

fn key_of(name: &RemoteName, id: &NativeVersionId) -> String {
    let (leaf, _) = id.as_str().rsplit_once('-').unwrap();
    format!("tf/acme/objects/{name}/{leaf}")
}

async fn status(store: &BucketStore, id: &NativeVersionId) -> VersionStatus {
    let options = DescribeOptions {
        version: id.clone(),
        others: Vec::new(),
        absence: Absence::Confirmed,
    };
    store.describe(&name(), options).await.unwrap()
}

struct Console(Scripted);

#[async_trait]
impl Sabotage for Console {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        self.0.remove(&key_of(name, version));
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]) {
        for version in versions {
            let key = key_of(name, version);
            if self.0.keys().contains(&key) {
                self.0.remove(&key);
            }
        }
    }

    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        self.0.overwrite(&key_of(name, version), payload);
        Sabotaged::Done
    }
}

#[tokio::test]
async fn bucket_store_conforms() {
    let scripted = Scripted::default();
    let gaps = conformance::run_all(&store(&scripted), "run")
        .await
        .unwrap();
    let expected = [(
        "put_of_a_further_version_makes_no_object",
        Gap::MakesObjectsAnew,
    )];
    assert_eq!(gaps.all(), expected);
    let console = Console(scripted.clone());
    let gaps = conformance::run_drift(&store(&scripted), &console, "drift")
        .await
        .unwrap();
    assert_eq!(gaps.all(), []);
}

#[tokio::test]
async fn bucket_catalog_conforms() {
    let scripted = Scripted::default();
    let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
    catalog::conformance::run_all(&catalog, "run").await;
}

//= docs/format.md#20-places
//= type=test
//# In a bucket, a writer MUST write an envelope at the place and in the form of this table.
#[tokio::test]
async fn a_version_stands_where_it_is_published() {
    let scripted = Scripted::default();
    let attempt = Uuid::from_u128(7);
    let options = PutOptions {
        version: 3,
        attempt,
        ..options()
    };
    let id = store(&scripted)
        .put(&name(), b"sealed", options)
        .await
        .unwrap();
    let digits = "00000000000000000000000000000007";
    let place = "tf/acme/objects/planton/acme/org/db-0badcafe";
    assert_eq!(scripted.keys(), [format!("{place}/3-{digits}")]);
    let digest = "c9d0036bed6744bcdf692fc980d8717d";
    assert_eq!(id.as_str(), format!("3-{digits}-{digest}"));
    assert_eq!(scripted.body(&format!("{place}/3-{digits}")), b"sealed");
}

//= docs/format.md#20-places
//= type=test
//# A writer MUST write a record at the place of its platform in this table, with `mac` in
//# lower-case hexadecimal.
#[tokio::test]
async fn a_record_stands_where_it_is_published() {
    let scripted = Scripted::default();
    let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
    let record = StoredRecord {
        body: "{}".to_owned(),
        mac: "0f".to_owned(),
    };
    let key = RecordKey::new("secrets/0123");
    catalog
        .write(&key, &record, Revision::ABSENT)
        .await
        .unwrap();
    let body = scripted.body("tf/acme/records/secrets/0123.json");
    let content: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&content["body"], &content["mac"]),
        (&"{}".into(), &"0f".into())
    );
    assert_eq!(content["revision"], 1);
}

#[tokio::test]
async fn a_write_without_a_read_before_it_takes_one_more() {
    let scripted = Scripted::default();
    let organization = Slug::parse("acme").unwrap();
    let catalog = BucketCatalog::new(&scripted.bucket(), organization.clone());
    let record = StoredRecord {
        body: "{}".to_owned(),
        mac: "0f".to_owned(),
    };
    let key = RecordKey::new("secrets/0123");
    let first = catalog
        .write(&key, &record, Revision::ABSENT)
        .await
        .unwrap();
    scripted.then([]);
    let second = catalog.write(&key, &record, first).await.unwrap();
    assert_eq!(scripted.log(), ["PUT 200"]);
    scripted.then([]);
    let other = BucketCatalog::new(&scripted.bucket(), organization);
    other.write(&key, &record, second).await.unwrap();
    assert_eq!(scripted.log(), ["GET 200", "PUT 200"]);
    // The first process has the tag of a revision that is overtaken.
    let error = catalog.write(&key, &record, second).await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Conflict);
}

#[tokio::test]
async fn a_put_takes_one_request_and_a_lost_answer_one_more() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    for (step, log) in [
        (Step::Serve, &["PUT 200"][..]),
        (Step::LostAfter, &["PUT -", "HEAD 200"]),
        (Step::LostBefore, &["PUT -", "HEAD 404", "PUT 200"]),
        (Step::Late(1), &["PUT -", "HEAD 404", "PUT 412", "HEAD 200"]),
        (
            Step::Status(409, "ConditionalRequestConflict"),
            &["PUT 409", "HEAD 404", "PUT 200"],
        ),
    ] {
        scripted.then([step]);
        let id = store.put(&name(), b"sealed", options()).await.unwrap();
        assert_eq!(scripted.log(), log);
        assert_eq!(store.get(&name(), &id).await.unwrap(), b"sealed");
    }
}

#[tokio::test]
async fn a_restored_object_is_the_same_version_and_other_content_is_not() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    let id = store.put(&name(), b"sealed", options()).await.unwrap();
    let key = key_of(&name(), &id);
    scripted.restore(&key);
    scripted.then([]);
    assert_eq!(status(&store, &id).await, VersionStatus::Present);
    assert_eq!(scripted.log(), ["HEAD 200"]);
    assert_eq!(store.get(&name(), &id).await.unwrap(), b"sealed");
    // A restore from a folder drops the metadata.
    scripted.overwrite(&key, b"sealed");
    scripted.then([]);
    assert_eq!(status(&store, &id).await, VersionStatus::Present);
    assert_eq!(scripted.log(), ["HEAD 200", "GET 200"]);
    scripted.overwrite(&key, b"sealed elsewhere");
    assert_eq!(status(&store, &id).await, VersionStatus::Replaced);
    let error = store.get(&name(), &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// The page of a gateway proves nothing: neither that a version is replaced, which rotates a
/// generated secret, nor that a record is corrupt.
#[tokio::test]
async fn a_page_in_place_of_an_object_finds_nothing_out() {
    let plain = http::HeaderMap::new();
    let changing = [(http::header::ETAG, "\"page\"".parse().unwrap())];
    for (headers, is_tagged) in [(plain, false), (changing.into_iter().collect(), true)] {
        let scripted = Scripted::default();
        let store = store(&scripted);
        let id = store.put(&name(), b"sealed", options()).await.unwrap();
        scripted.hide_reads(headers);
        let options = DescribeOptions {
            version: id.clone(),
            others: Vec::new(),
            absence: Absence::Confirmed,
        };
        let error = store.describe(&name(), options).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{is_tagged}");
        if !is_tagged {
            let error = store.get(&name(), &id).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unexpected);
            let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
            let error = catalog.read(&RecordKey::new("default")).await.unwrap_err();
            assert_eq!(error.kind(), CatalogErrorKind::Unexpected);
        }
    }
}

#[tokio::test]
async fn an_object_larger_than_any_payload_is_another_and_is_not_read() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    let id = store.put(&name(), b"sealed", options()).await.unwrap();
    scripted.overwrite(&key_of(&name(), &id), &vec![0; 65_537]);
    scripted.then([]);
    assert_eq!(status(&store, &id).await, VersionStatus::Replaced);
    assert_eq!(scripted.log(), ["HEAD 200"]);
}

#[tokio::test]
async fn a_deletion_lists_beside_the_named_versions_and_removes_the_rest() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    let known = store.put(&name(), b"sealed", options()).await.unwrap();
    store.put(&name(), b"straggler", options()).await.unwrap();
    let longer = RemoteName::new(format!("{}/2", name()));
    let other = store.put(&longer, b"other", options()).await.unwrap();
    scripted.then([]);
    let object = Deletion::Object {
        versions: vec![known],
    };
    store.delete(&name(), object).await.unwrap();
    assert_eq!(scripted.keys(), [key_of(&longer, &other)]);
    assert_eq!(scripted.log().len(), 3);
}

#[tokio::test]
async fn a_listing_of_several_pages_is_whole() {
    let scripted = Scripted::default();
    scripted.page_at(2);
    let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
    let record = StoredRecord {
        body: "{}".to_owned(),
        mac: "0f".to_owned(),
    };
    let keys = ["1", "2", "3", "4", "5"].map(|it| RecordKey::new(format!("entries/{it}")));
    for key in &keys {
        catalog.write(key, &record, Revision::ABSENT).await.unwrap();
    }
    scripted.then([]);
    assert_eq!(catalog.list("entries").await.unwrap(), keys);
    assert_eq!(scripted.log().len(), 3);
    let store = store(&scripted);
    for digit in ["1", "2", "3"] {
        let name = RemoteName::new(format!("planton/acme/org/{digit}"));
        store.put(&name, b"sealed", options()).await.unwrap();
        store.put(&name, b"sealed", options()).await.unwrap();
        store.put(&name, b"sealed", options()).await.unwrap();
        let listed = store.versions_besides(&name, &[]).await.unwrap();
        assert_eq!(listed.len(), 3);
    }
    let children = store.children("planton/acme/org").await.unwrap();
    assert_eq!(children, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_failed_deletion_does_not_stop_the_others() {
    let scripted = Scripted::with_flaw(Flaw::DeniesFirstDeletion);
    let store = store(&scripted);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(store.put(&name(), b"sealed", options()).await.unwrap());
    }
    let deleted = store.delete(&name(), Deletion::Versions(ids)).await;
    assert_eq!(
        deleted.unwrap_err().kind(),
        StoreErrorKind::PermissionDenied
    );
    assert_eq!(scripted.keys().len(), 1);
}

/// A store or a gateway may ignore the prefix of a listing.
#[tokio::test]
async fn a_listing_of_another_folder_is_an_error_and_deletes_nothing() {
    let scripted = Scripted::with_flaw(Flaw::ListsEverything);
    let store = store(&scripted);
    let known = store.put(&name(), b"sealed", options()).await.unwrap();
    let another = RemoteName::new("planton/acme/org/other".to_owned());
    let other = store.put(&another, b"other", options()).await.unwrap();
    let object = Deletion::Object {
        versions: vec![known],
    };
    let error = store.delete(&name(), object).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    assert!(error.remedy().unwrap().contains("listing"), "{error:?}");
    assert_eq!(scripted.keys(), [key_of(&another, &other)]);
    let error = store.children("planton/acme/org").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
    let error = catalog.list("entries").await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unexpected);
}

#[tokio::test]
async fn the_placeholder_of_a_folder_is_no_foreign_object() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    let id = store.put(&name(), b"sealed", options()).await.unwrap();
    scripted.overwrite(&format!("tf/acme/objects/{}/", name()), b"");
    let listed = store.versions_besides(&name(), &[]).await.unwrap();
    assert_eq!(listed.len(), 1);
    let known = store.versions_besides(&name(), &[id]).await.unwrap();
    assert_eq!(known.len(), 0);
}

#[tokio::test]
async fn a_listing_that_may_not_be_whole_is_an_error() {
    for flaw in [Flaw::CutsListings, Flaw::HidesListings, Flaw::RepeatsPages] {
        let scripted = Scripted::with_flaw(flaw);
        scripted.page_at(2);
        for key in ["entries", "objects/planton/acme/org"] {
            for place in ["1/1", "2/2", "3/3"] {
                scripted.overwrite(&format!("tf/acme/{key}/{place}"), b"");
                scripted.overwrite(&format!("tf/acme/records/{key}/{place}"), b"");
            }
        }
        let store = store(&scripted);
        let error = store.children("planton/acme/org").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{flaw:?}");
        let catalog = BucketCatalog::new(&scripted.bucket(), Slug::parse("acme").unwrap());
        let error = catalog.list("entries").await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Unexpected, "{flaw:?}");
        assert!(error.remedy().unwrap().contains("listing"), "{error:?}");
    }
}

#[tokio::test]
async fn a_failed_head_is_explained_by_its_code() {
    let id = NativeVersionId::new(format!("1-{}-{}", "0".repeat(32), "0".repeat(32)));
    let options = || DescribeOptions {
        version: id.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    };
    for (status, code, kind, words) in [
        (
            403,
            "RequestTimeTooSkewed",
            StoreErrorKind::Unauthenticated,
            "clock",
        ),
        (
            400,
            "ExpiredToken",
            StoreErrorKind::Unauthenticated,
            "credentials",
        ),
        (
            403,
            "AccessDenied",
            StoreErrorKind::PermissionDenied,
            "s3:ListBucket",
        ),
    ] {
        let scripted = Scripted::default();
        scripted.refuse_reads(status, code);
        let error = store(&scripted)
            .describe(&name(), options())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        assert!(error.remedy().unwrap().contains(words), "{error:?}");
        assert_eq!(
            scripted.log(),
            [format!("HEAD {status}"), format!("GET {status}")]
        );
    }
}

#[tokio::test]
async fn a_deadline_after_a_denied_head_does_not_hide_that_it_was_denied() {
    let scripted = Scripted::default();
    scripted.refuse_reads(403, "AccessDenied");
    scripted.end_reads_of_content();
    let put = store(&scripted).put(&name(), b"sealed", options()).await;
    let options = DescribeOptions {
        version: put.unwrap(),
        others: Vec::new(),
        absence: Absence::Confirmed,
    };
    let described = store(&scripted).describe(&name(), options).await;
    let error = described.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::PermissionDenied, "{error:?}");
    assert_eq!(scripted.log(), ["PUT 200", "HEAD 403", "GET -"]);
}

#[tokio::test]
async fn a_credential_that_no_header_can_contain_is_rejected_before_a_request() {
    let scripted = Scripted::default();
    let credential = [
        ("secret_access_key".to_owned(), "hunter2".into()),
        ("session_token".to_owned(), "hunter2\n".into()),
    ];
    let bucket = scripted.bucket_of(&credential.into(), 8);
    let store = BucketStore::new(&bucket, Slug::parse("acme").unwrap());
    let error = store.put(&name(), b"sealed", options()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unauthenticated);
    assert!(
        error.remedy().unwrap().contains("session_token"),
        "{error:?}"
    );
    assert!(!format!("{error:?} {bucket:?}").contains("hunter2"));
    assert_eq!(scripted.log(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_rejected_before_a_request() {
    let scripted = Scripted::default();
    let store = store(&scripted);
    for bad in ["", "/a", "a//b", "../other/objects/a", "a/.", "a b", "a%2e"] {
        let name = RemoteName::new(bad.to_owned());
        let error = store.put(&name, b"sealed", options()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::InvalidName, "{bad}");
        let object = Deletion::Object {
            versions: Vec::new(),
        };
        store.delete(&name, object).await.unwrap();
    }
    assert_eq!(scripted.log(), [""; 0]);
}
