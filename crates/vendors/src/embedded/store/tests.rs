#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::embedded::sqlite::DatabaseOptions;
use planton_core::store::Absence;
use planton_core::store::conformance::{self, Sabotage, Sabotaged};

async fn store() -> (tempfile::TempDir, EmbeddedStore) {
    let directory = tempfile::tempdir().unwrap();
    let key = Arc::new(|_: &Path, _| Ok(()));
    let database =
        EmbeddedDatabase::awaited(directory.path(), DatabaseOptions::default(), key).unwrap();
    // Tests look at the files.
    database.create().await.unwrap();
    (directory, EmbeddedStore::new(database))
}

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-00000000".to_owned())
}

fn options(version: u64) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// Changes the database as a person with a database tool could.
#[async_trait]
impl Sabotage for EmbeddedDatabase {
    async fn remove_version(&self, _: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        let id = version.to_string();
        let removed = self
            .write("sabotage", move |transaction| {
                transaction.execute("DELETE FROM versions WHERE native_id = ?1", params![id])
            })
            .await
            .unwrap();
        assert_eq!(removed, 1);
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, _: &[NativeVersionId]) {
        let name = name.to_string();
        let removed = self
            .write("sabotage", move |transaction| {
                transaction.execute("DELETE FROM objects WHERE name = ?1", params![name])
            })
            .await
            .unwrap();
        assert_eq!(removed, 1);
    }

    async fn replace_version(
        &self,
        _: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        let (id, payload) = (version.to_string(), payload.to_owned());
        self.write("sabotage", move |transaction| {
            let (object, attempt): (i64, String) = transaction.query_row(
                "SELECT object, attempt FROM versions WHERE native_id = ?1",
                params![id],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            transaction.execute("DELETE FROM versions WHERE native_id = ?1", params![id])?;
            transaction.execute(
                "INSERT INTO versions
                     (object, attempt, native_id, payload, digest, labels, written_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, '{}', 0)",
                params![
                    object,
                    attempt,
                    format!("{id}-again"),
                    payload,
                    Sha256::digest(&payload).to_vec()
                ],
            )
        })
        .await
        .unwrap();
        Sabotaged::Done
    }
}

#[tokio::test]
async fn embedded_conforms() {
    let (_directory, store) = store().await;
    let gaps = conformance::run_all(&store, "run").await.unwrap();
    assert_eq!(gaps.all(), [], "it lacks nothing");
    let gaps = conformance::run_drift(&store, &store.database, "drift").await;
    assert_eq!(gaps.unwrap().all(), []);
}

#[tokio::test]
async fn the_capability_says_what_the_embedded_platform_takes() {
    let (_directory, store) = store().await;
    let capability = StoreCapability {
        kind: "platform",
        vendor: "the embedded platform",
        encoding: PayloadEncoding::Binary,
        // The store's own limits, far below SQLite's.
        max_payload_bytes: 65_536,
        name: NameRules {
            separator: "/",
            max_bytes: 512,
        },
        max_versions: None,
        deletes_versions: true,
    };
    assert_eq!(*store.capability(), capability);
}

#[tokio::test]
async fn describe_tells_a_replaced_version_from_a_missing_one() {
    let (_directory, store) = store().await;
    let name = name();
    let id = store.put(&name, b"PSE1", options(1)).await.unwrap();
    let describe = || {
        let options = DescribeOptions {
            version: id.clone(),
            others: Vec::new(),
            absence: Absence::Quick,
        };
        store.describe(&name, options)
    };
    store
        .database
        .replace_version(&name, &id, b"PSE1 theirs")
        .await;
    assert_eq!(describe().await.unwrap(), VersionStatus::Replaced);
    let error = store.get(&name, &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);

    let theirs = NativeVersionId::new(format!("{id}-again"));
    let versions = Deletion::Versions(vec![theirs]);
    store.delete(&name, versions).await.unwrap();
    assert_eq!(describe().await.unwrap(), VersionStatus::Missing);
}

//= docs/format.md#20-places
//= type=test
//# On the embedded platform, a writer MUST write an envelope at the place and in the form of
//# this table.
#[tokio::test]
async fn an_envelope_stands_where_it_is_published() {
    let (_directory, store) = store().await;
    let id = store.put(&name(), b"PSE1\xff", options(1)).await.unwrap();
    let query = "SELECT payload FROM versions JOIN objects ON objects.id = versions.object
                 WHERE objects.name = ?1 AND native_id = ?2";
    let found = store.database.read("look", move |transaction| {
        let named = (name().to_string(), id.to_string());
        transaction.query_row(query, named, |row| row.get::<_, Vec<u8>>(0))
    });
    assert_eq!(found.await.unwrap(), b"PSE1\xff");
}

#[tokio::test]
async fn a_version_cannot_be_changed_in_place() {
    let (_directory, store) = store().await;
    let id = store.put(&name(), b"PSE1", options(1)).await.unwrap();
    let changed = store
        .database
        .write("tamper", |t| {
            t.execute("UPDATE versions SET payload = x'00'", [])
        })
        .await;
    assert_eq!(changed.unwrap_err().kind(), DatabaseErrorKind::Corrupt);
    assert_eq!(store.get(&name(), &id).await.unwrap(), b"PSE1");
}

#[tokio::test]
async fn get_of_a_damaged_payload_is_corrupt() {
    let (_directory, store) = store().await;
    let id = store.put(&name(), b"PSE1", options(1)).await.unwrap();
    store
        .database
        .write("tamper", |t| {
            t.execute_batch(
                "DROP TRIGGER versions_never_change;
                 UPDATE versions SET payload = x'00'",
            )
        })
        .await
        .unwrap();
    let error = store.get(&name(), &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn put_after_delete_succeeds_at_once() {
    let (_directory, store) = store().await;
    let attempt = options(1);
    let old = store.put(&name(), b"PSE1", attempt.clone()).await.unwrap();
    let versions = vec![old.clone()];
    store
        .delete(&name(), Deletion::Object { versions })
        .await
        .unwrap();
    let new = store.put(&name(), b"PSE1", attempt).await.unwrap();
    assert_ne!(new, old);
}

#[tokio::test]
async fn a_refused_put_leaves_no_object_behind() {
    let (_directory, store) = store().await;
    let too_large = vec![0; CAPABILITY.max_payload_bytes + 1];
    let error = store
        .put(&name(), &too_large, options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let objects: i64 = store
        .database
        .read("count", |t| {
            t.query_row("SELECT count(*) FROM objects", [], |row| row.get(0))
        })
        .await
        .unwrap();
    assert_eq!(objects, 0);
}

#[tokio::test]
async fn errors_name_the_file_and_the_object_and_no_payload() {
    let (directory, store) = store().await;
    std::fs::rename(
        directory.path().join("planton.db"),
        directory.path().join("moved"),
    )
    .unwrap();
    let error = store
        .put(&name(), b"PSE1 the-payload", options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let source = std::error::Error::source(&error).unwrap();
    let text = format!("{error} {source} {error:?}");
    assert!(text.contains("planton.db") && text.contains(name().as_str()));
    assert!(!text.contains("the-payload"));
}
