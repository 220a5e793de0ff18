//! The built-in backend of the embedded platform.

mod listing;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};

use super::marks;
use crate::embedded::sqlite::{DatabaseError, DatabaseErrorKind, EmbeddedDatabase};
use planton_core::marks::{ListedMarks, Mark, MarkQuery};
use planton_core::store::{
    Deletion, DescribeOptions, ListObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutOptions, RemoteName, SecretStore, StoreCapability, StoreError, StoreErrorKind,
    VersionStatus,
};

static CAPABILITY: StoreCapability = StoreCapability {
    kind: "platform",
    vendor: "the embedded platform",
    encoding: PayloadEncoding::Binary,
    max_payload_bytes: 65_536,
    name: NameRules {
        separator: "/",
        max_bytes: 512,
    },
    max_versions: None,
    deletes_versions: true,
};

/// Stores secret versions in the embedded platform's database.
///
/// A native identifier is `{version}-{attempt}-{random}`. The attempt distinguishes a
/// replaced version from a missing one. The random part makes the identifier unique for
/// every put.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    database: EmbeddedDatabase,
}

impl EmbeddedStore {
    /// Creates a store in `database`.
    #[must_use]
    pub fn new(database: EmbeddedDatabase) -> Self {
        Self { database }
    }

    /// Removes deleted data from SQLite's log. The deletion itself is committed
    /// already, so a failure here does not fail it. If another process holds a lock,
    /// its next checkpoint does the same.
    async fn purge_log(&self, name: &RemoteName) {
        match self.database.checkpoint().await {
            Ok(true) => {}
            Ok(false) => tracing::debug!(%name, "the log still holds what was deleted: busy"),
            Err(error) => tracing::warn!(%name, %error, "the log still holds what was deleted"),
        }
    }
}

/// The result of a transaction, or the kind of its failure.
type Found<T> = Result<T, StoreErrorKind>;

#[async_trait]
impl SecretStore for EmbeddedStore {
    fn capability(&self) -> &StoreCapability {
        &CAPABILITY
    }

    fn listing(&self) -> Option<&dyn ListObjects> {
        Some(self)
    }

    fn mark(&self, name: &RemoteName, version: &NativeVersionId) -> Option<Mark> {
        Some(marks::of_version(name.as_str(), version.as_str()))
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, StoreError> {
        let listed = marks::versions(&self.database, query).await;
        let name = RemoteName::new(query.folder.to_owned());
        listed.map_err(|error| store_error(&name, error))
    }

    //= docs/format.md#20-places
    //# On the embedded platform, a writer MUST write an envelope at the place and in the form
    //# of this table.
    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        const OPERATION: &str = "put version";
        let refused = |kind| StoreError::new(kind, OPERATION, name.as_str());
        if !is_valid(name) {
            return Err(refused(StoreErrorKind::InvalidName));
        }
        if payload.len() > CAPABILITY.max_payload_bytes {
            return Err(refused(StoreErrorKind::TooLarge));
        }
        let labels = serde_json::to_string(&options.labels)
            .map_err(|error| refused(StoreErrorKind::Corrupt).with_source(error))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| refused(StoreErrorKind::Unavailable).with_source(error))?;
        let attempt = options.attempt.simple().to_string();
        let version = NewVersion {
            native_id: format!("{}-{attempt}-{}", options.version, hex::encode(random)),
            attempt,
            digest: Sha256::digest(payload).to_vec(),
            payload: payload.to_owned(),
            labels,
            written_at: Timestamp::now(),
        };
        let object = name.as_str().to_owned();
        let is_further = !options.keep.is_empty();
        let found = self
            .database
            .write(OPERATION, move |transaction| {
                insert(transaction, &object, version, is_further)
            })
            .await
            .map_err(|error| store_error(name, error))?;
        found.map(NativeVersionId::new).map_err(refused)
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        const OPERATION: &str = "get version";
        let (object, id) = (name.as_str().to_owned(), version.as_str().to_owned());
        let found = self
            .database
            .read(OPERATION, move |transaction| {
                let row = transaction
                    .query_row(
                        "SELECT payload, digest FROM versions
                         JOIN objects ON objects.id = versions.object
                         WHERE objects.name = ?1 AND native_id = ?2",
                        params![object, id],
                        |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)),
                    )
                    .optional()?;
                let found: Found<Vec<u8>> = match row {
                    Some((payload, digest)) if digest == Sha256::digest(&payload)[..] => {
                        Ok(payload)
                    }
                    Some(_) => Err(StoreErrorKind::Corrupt),
                    None if stands_in_its_place(transaction, &object, &id)? => {
                        Err(StoreErrorKind::Corrupt)
                    }
                    None => Err(StoreErrorKind::NotFound),
                };
                Ok(found)
            })
            .await
            .map_err(|error| store_error(name, error))?;
        found.map_err(|kind| StoreError::new(kind, OPERATION, name.as_str()))
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "describe version";
        let (object, id) = (
            name.as_str().to_owned(),
            options.version.as_str().to_owned(),
        );
        let found = self
            .database
            .read(OPERATION, move |transaction| {
                let known: bool = transaction.query_row(
                    "SELECT EXISTS (SELECT 1 FROM objects WHERE name = ?1)",
                    params![object],
                    |row| row.get(0),
                )?;
                if !known {
                    return Ok(Err(StoreErrorKind::NotFound));
                }
                let present: bool = transaction.query_row(
                    "SELECT EXISTS (SELECT 1 FROM versions
                     JOIN objects ON objects.id = versions.object
                     WHERE objects.name = ?1 AND native_id = ?2)",
                    params![object, id],
                    |row| row.get(0),
                )?;
                Ok(Ok(if present {
                    VersionStatus::Present
                } else if stands_in_its_place(transaction, &object, &id)? {
                    VersionStatus::Replaced
                } else {
                    VersionStatus::Missing
                }))
            })
            .await
            .map_err(|error| store_error(name, error))?;
        found.map_err(|kind| StoreError::new(kind, OPERATION, name.as_str()))
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        let object = name.as_str().to_owned();
        let deleted = self
            .database
            .write("delete versions", move |transaction| match what {
                Deletion::Object { .. } | Deletion::Purge { .. } => {
                    transaction.execute("DELETE FROM objects WHERE name = ?1", params![object])
                }
                Deletion::Versions(ids) => {
                    let mut statement = transaction.prepare(
                        "DELETE FROM versions WHERE native_id = ?2
                         AND object = (SELECT id FROM objects WHERE name = ?1)",
                    )?;
                    let mut deleted = 0;
                    for id in &ids {
                        deleted += statement.execute(params![object, id.as_str()])?;
                    }
                    Ok(deleted)
                }
            })
            .await
            .map_err(|error| store_error(name, error))?;
        if deleted > 0 {
            self.purge_log(name).await;
        }
        Ok(())
    }
}

struct NewVersion {
    native_id: String,
    attempt: String,
    payload: Vec<u8>,
    digest: Vec<u8>,
    labels: String,
    written_at: Timestamp,
}

/// Adds a version, or returns the one that an earlier try of the attempt added.
fn insert(
    transaction: &Transaction<'_>,
    object: &str,
    version: NewVersion,
    is_further: bool,
) -> rusqlite::Result<Found<String>> {
    if !is_further {
        transaction.execute(
            "INSERT INTO objects (name) VALUES (?1) ON CONFLICT DO NOTHING",
            params![object],
        )?;
    }
    let id = transaction
        .query_row(
            "SELECT id FROM objects WHERE name = ?1",
            params![object],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(id) = id else {
        return Ok(Err(StoreErrorKind::NotFound));
    };
    let earlier = transaction
        .query_row(
            "SELECT native_id, payload FROM versions WHERE object = ?1 AND attempt = ?2",
            params![id, version.attempt],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)),
        )
        .optional()?;
    match earlier {
        Some((native_id, payload)) if payload == version.payload => Ok(Ok(native_id)),
        Some(_) => Ok(Err(StoreErrorKind::Conflict)),
        None => {
            transaction.execute(
                "INSERT INTO versions
                     (object, attempt, native_id, payload, digest, labels, written_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    id,
                    version.attempt,
                    version.native_id,
                    version.payload,
                    version.digest,
                    version.labels,
                    version.written_at.as_second()
                ],
            )?;
            Ok(Ok(version.native_id))
        }
    }
}

/// Returns true if another version has the attempt that `native_id` names.
fn stands_in_its_place(
    transaction: &Transaction<'_>,
    object: &str,
    native_id: &str,
) -> rusqlite::Result<bool> {
    let Some(attempt) = native_id.split('-').nth(1) else {
        return Ok(false);
    };
    transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM versions
         JOIN objects ON objects.id = versions.object
         WHERE objects.name = ?1 AND attempt = ?2 AND native_id <> ?3)",
        params![object, attempt, native_id],
        |row| row.get(0),
    )
}

fn is_valid(name: &RemoteName) -> bool {
    let name = name.as_str();
    !name.is_empty()
        && name.len() <= CAPABILITY.name.max_bytes
        && !name.chars().any(char::is_control)
}

fn store_error(name: &RemoteName, error: DatabaseError) -> StoreError {
    let kind = match error.kind() {
        DatabaseErrorKind::PermissionDenied => StoreErrorKind::PermissionDenied,
        DatabaseErrorKind::Unavailable => StoreErrorKind::Unavailable,
        DatabaseErrorKind::Corrupt => StoreErrorKind::Corrupt,
        DatabaseErrorKind::NewerSchema
        | DatabaseErrorKind::NotOurs
        | DatabaseErrorKind::KeyMissing
        | DatabaseErrorKind::Misconfigured => StoreErrorKind::Misconfigured,
    };
    let remedy = error.remedy().map(str::to_owned);
    let outer = StoreError::new(kind, error.operation(), name.as_str()).with_source(error);
    match remedy {
        Some(remedy) => outer.with_remedy(remedy),
        None => outer,
    }
}
