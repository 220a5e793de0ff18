//! The catalog in the embedded platform's database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, params};

use super::marks;
use crate::embedded::sqlite::{DatabaseError, DatabaseErrorKind, EmbeddedDatabase};
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord,
};
use planton_core::deadline::{OperationContext, Stop};
use planton_core::marks::{ListedMarks, Mark, MarkQuery, SeenMarks};
use planton_core::names::Slug;

/// The records of one organization in the embedded platform.
///
/// Only entries are ever deleted, and revisions increase by one; the database's
/// triggers enforce both. There is no standby, so every read is fenced.
#[derive(Clone, Debug)]
pub struct EmbeddedCatalog {
    database: EmbeddedDatabase,
    organization: Slug,
    marks: Arc<SeenMarks>,
}

impl EmbeddedCatalog {
    /// Creates the catalog of `organization` in `database`.
    #[must_use]
    pub fn new(database: EmbeddedDatabase, organization: Slug) -> Self {
        Self {
            database,
            organization,
            marks: Arc::default(),
        }
    }

    fn organization(&self) -> String {
        self.organization.as_str().to_owned()
    }

    fn note(&self, key: &RecordKey, StoredRecord { body, mac }: &StoredRecord, revision: u64) {
        let mark = marks::of_record(key.as_str(), revision, (body, mac));
        self.marks
            .note(&[key.as_str(), &revision.to_string()], mark);
    }

    fn error(&self, key: &str, error: DatabaseError) -> CatalogError {
        let kind = match error.kind() {
            DatabaseErrorKind::PermissionDenied => CatalogErrorKind::PermissionDenied,
            DatabaseErrorKind::Unavailable => CatalogErrorKind::Unavailable,
            DatabaseErrorKind::Corrupt => CatalogErrorKind::Corrupt,
            DatabaseErrorKind::NewerSchema
            | DatabaseErrorKind::NotOurs
            | DatabaseErrorKind::KeyMissing
            | DatabaseErrorKind::Misconfigured => CatalogErrorKind::Misconfigured,
        };
        let path = format!("{}/{key}", self.organization);
        let remedy = error.remedy().map(str::to_owned);
        let outer = CatalogError::new(kind, error.operation(), path).with_source(error);
        match remedy {
            Some(remedy) => outer.with_remedy(remedy),
            None => outer,
        }
    }
}

#[async_trait]
impl CatalogStore for EmbeddedCatalog {
    async fn read(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        let (organization, name) = (self.organization(), key.as_str().to_owned());
        let row = self
            .database
            .read("read record", move |transaction| {
                transaction
                    .query_row(
                        "SELECT body, mac, revision FROM records WHERE organization = ?1 AND key = ?2",
                        params![organization, name],
                        |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?)),
                    )
                    .optional()
            })
            .await
            .map_err(|error| self.error(key.as_str(), error))?;
        let Some((body, mac, revision)) = row else {
            return Ok(None);
        };
        let revision = u64::try_from(revision).map_err(|error| {
            let path = format!("{}/{key}", self.organization);
            CatalogError::new(CatalogErrorKind::Corrupt, "read record", path).with_source(error)
        })?;
        let record = StoredRecord { body, mac };
        self.note(key, &record, revision);
        Ok(Some((record, Revision(revision))))
    }

    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.read(key).await
    }

    //= docs/format.md#20-places
    //# A writer MUST write a record at the place of its platform in this table, with `mac` in
    //# lower-case hexadecimal.
    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        let conflict = || {
            let path = format!("{}/{key}", self.organization);
            CatalogError::new(CatalogErrorKind::Conflict, "write record", path)
        };
        // A revision beyond SQLite's integers was never issued.
        let Some(next) = expected.0.checked_add(1).map(i64::try_from) else {
            return Err(conflict());
        };
        let Ok(next) = next else {
            return Err(conflict());
        };
        let (organization, name) = (self.organization(), key.as_str().to_owned());
        let StoredRecord { body, mac } = record.clone();
        let context = OperationContext::current();
        let changed = self
            .database
            .write("write record", move |transaction| {
                // The transaction may have waited for others.
                if !context.sends_after(Duration::ZERO) {
                    return Ok(None);
                }
                let changed = if expected == Revision::ABSENT {
                    transaction.execute(
                        "INSERT INTO records (organization, key, revision, body, mac)
                         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                        params![organization, name, next, body, mac],
                    )
                } else {
                    transaction.execute(
                        "UPDATE records SET revision = ?3, body = ?4, mac = ?5
                         WHERE organization = ?1 AND key = ?2 AND revision = ?3 - 1",
                        params![organization, name, next, body, mac],
                    )
                };
                changed.map(Some)
            })
            .await
            .map_err(|error| self.error(key.as_str(), error))?;
        match changed {
            None => {
                let path = format!("{}/{key}", self.organization);
                let late = CatalogError::new(CatalogErrorKind::Unavailable, "write record", path);
                Err(late.with_source(Stop::DeadlinePassed))
            }
            Some(0) => Err(conflict()),
            Some(_) => {
                self.note(key, record, expected.0 + 1);
                Ok(Revision(expected.0 + 1))
            }
        }
    }

    async fn forget_history(&self, key: &RecordKey, _: Revision) -> Result<(), CatalogError> {
        // The rows contain only current records. Only SQLite's log has older ones.
        self.database
            .checkpoint()
            .await
            .map(|_emptied| ())
            .map_err(|error| self.error(key.as_str(), error))
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let (organization, name) = (self.organization(), key.as_str().to_owned());
        self.database
            .write("remove record", move |transaction| {
                transaction.execute(
                    "DELETE FROM records WHERE organization = ?1 AND key = ?2",
                    params![organization, name],
                )
            })
            .await
            .map(|_removed| ())
            .map_err(|error| self.error(key.as_str(), error))
    }

    fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        self.marks.of(&[key.as_str(), &revision.0.to_string()])
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, CatalogError> {
        let listed = marks::records(&self.database, self.organization(), query).await;
        listed.map_err(|error| self.error(query.folder, error))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        let organization = self.organization();
        let below = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        // Compares the prefix: LIKE has wildcards and ignores case.
        let keys = self
            .database
            .read("list records", move |transaction| {
                transaction
                    .prepare(
                        "SELECT key FROM records WHERE organization = ?1
                         AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
                    )?
                    .query_map(params![organization, below], |row| row.get::<_, String>(0))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .await
            .map_err(|error| self.error(prefix, error))?;
        Ok(keys.into_iter().map(RecordKey::new).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;
    use crate::embedded::sqlite::DatabaseOptions;
    use planton_core::boot_time::BootTime;
    use planton_core::catalog::conformance;

    async fn catalogs(organizations: [&str; 2]) -> (tempfile::TempDir, [EmbeddedCatalog; 2]) {
        let directory = tempfile::tempdir().unwrap();
        let key = Arc::new(|_: &Path, _| Ok(()));
        let database =
            EmbeddedDatabase::awaited(directory.path(), DatabaseOptions::default(), key).unwrap();
        let catalogs = organizations
            .map(|slug| EmbeddedCatalog::new(database.clone(), Slug::parse(slug).unwrap()));
        (directory, catalogs)
    }

    fn record(body: &str) -> StoredRecord {
        StoredRecord {
            body: body.to_owned(),
            mac: "00".to_owned(),
        }
    }

    #[tokio::test]
    async fn embedded_conforms() {
        let (_directory, [acme, _]) = catalogs(["acme", "other"]).await;
        conformance::run_all(&acme, "run").await;
    }

    #[tokio::test]
    async fn organizations_do_not_see_each_other() {
        let (_directory, [acme, other]) = catalogs(["acme", "acme-2"]).await;
        let key = RecordKey::new("default");
        acme.write(&key, &record("acme"), Revision::ABSENT)
            .await
            .unwrap();
        assert_eq!(other.read(&key).await.unwrap(), None);
        assert_eq!(other.list("").await.unwrap(), []);
        other
            .write(&key, &record("other"), Revision::ABSENT)
            .await
            .unwrap();
        let (stored, revision) = acme.read(&key).await.unwrap().unwrap();
        assert_eq!((stored.body.as_str(), revision), ("acme", Revision(1)));
        assert_eq!(acme.list("").await.unwrap(), [key]);
    }

    #[tokio::test]
    async fn a_record_that_waited_too_long_for_the_lock_is_not_written() {
        let (_directory, [acme, _]) = catalogs(["acme", "other"]).await;
        let key = RecordKey::new("secrets/db");
        let late = OperationContext {
            send_until: Some(BootTime::now()),
            ..OperationContext::default()
        };
        let (catalog, written) = (acme.clone(), key.clone());
        let writing = async move {
            let record = record("{}");
            catalog.write(&written, &record, Revision::ABSENT).await
        };
        let error = late.scope(writing).await.unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
        assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
        assert_eq!(acme.read(&key).await.unwrap(), None);
    }

    #[tokio::test]
    async fn records_survive_closing_and_opening_again() {
        let (directory, [acme, other]) = catalogs(["acme", "other"]).await;
        let key = RecordKey::new("secrets/db");
        acme.write(&key, &record("{}"), Revision::ABSENT)
            .await
            .unwrap();
        drop((acme, other));
        let database = EmbeddedDatabase::open(directory.path(), DatabaseOptions::default())
            .await
            .unwrap();
        let acme = EmbeddedCatalog::new(database, Slug::parse("acme").unwrap());
        let (_, revision) = acme.read(&key).await.unwrap().unwrap();
        assert_eq!(revision, Revision(1));
    }

    #[tokio::test]
    async fn no_hand_makes_a_revision_go_back_or_a_record_vanish() {
        let (_directory, [acme, _]) = catalogs(["acme", "other"]).await;
        let key = RecordKey::new("secrets/db");
        acme.write(&key, &record("{}"), Revision::ABSENT)
            .await
            .unwrap();
        for sql in [
            "UPDATE records SET revision = 1",
            "UPDATE records SET revision = 9",
            "DELETE FROM records",
        ] {
            let refused = acme
                .database
                .write("tamper", move |t| t.execute(sql, []))
                .await;
            assert_eq!(refused.unwrap_err().kind(), DatabaseErrorKind::Corrupt);
        }
        let (_, revision) = acme.read(&key).await.unwrap().unwrap();
        assert_eq!(revision, Revision(1));
    }

    //= docs/format.md#20-places
    //= type=test
    //# A writer MUST write a record at the place of its platform in this table, with `mac` in
    //# lower-case hexadecimal.
    #[tokio::test]
    async fn a_record_stands_where_it_is_published() {
        let (_directory, [acme, _]) = catalogs(["acme", "other"]).await;
        let key = RecordKey::new("secrets/db");
        acme.write(&key, &record("{}"), Revision::ABSENT)
            .await
            .unwrap();
        let query = "SELECT body || ' ' || mac FROM records
                     WHERE organization = 'acme' AND key = 'secrets/db'";
        let found = acme.database.read("look", move |transaction| {
            transaction.query_row(query, [], |row| row.get::<_, String>(0))
        });
        assert_eq!(found.await.unwrap(), "{} 00");
    }

    #[tokio::test]
    async fn a_revision_beyond_sqlites_integers_is_conflict() {
        let (_directory, [acme, _]) = catalogs(["acme", "other"]).await;
        let key = RecordKey::new("secrets/db");
        for revision in [i64::MAX as u64, u64::MAX] {
            let error = acme
                .write(&key, &record("{}"), Revision(revision))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), CatalogErrorKind::Conflict);
        }
    }
}
