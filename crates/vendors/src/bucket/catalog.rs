//! The catalog in a bucket.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Bucket;
use super::client::{Client, Condition, Fault, FaultKind, Tag, Write};
use super::conditional::{ReadBack, Written, write};
use super::errors::explain;
use super::location::Places;
use super::marks;
use super::policy::Operation;
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore, ORGANIZATION_RECORD, RecordKey, Revision,
    StoredRecord,
};
use planton_core::marks::{ListedMarks, Mark, MarkQuery};
use planton_core::names::Slug;

/// The records of one organization in a bucket.
///
/// A record's revision is a number in its object. A write has the condition that the object
/// still has the ETag, or the generation, of the read that returned the expected revision.
/// Reads and listings of all three vendors are strongly consistent, so each is fenced:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>,
/// <https://cloud.google.com/storage/docs/consistency>,
/// <https://learn.microsoft.com/azure/storage/blobs/concurrency-manage>
#[derive(Debug)]
pub struct BucketCatalog {
    bucket: Bucket,
    organization: Slug,
    client: Client,
    places: Places,
    /// The revisions of each record that this process has read or written.
    seen: Mutex<HashMap<RecordKey, Vec<Seen>>>,
}

/// The content of a record's object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// Number of writes of the record, from 1.
    revision: u64,
    /// Identifies the write, so that a writer recognizes its own after a lost answer. It also
    /// makes each content unique, and with it the ETag.
    write_id: Uuid,
    body: String,
    mac: String,
}

/// A revision of a record.
///
/// After a restore of an older object, a revision comes again with another record. A task that
/// saw the first one must not overwrite the second.
#[derive(Debug)]
struct Seen {
    revision: Revision,
    /// The write that this process saw first under this revision.
    write_id: Uuid,
    /// The tag of that write's object. `None` after a write on it was refused, or another write
    /// was found under this revision. Then no write is based on it, until it is read again.
    tag: Option<Tag>,
}

/// A record as it was read.
struct Read {
    content: Content,
    tag: Tag,
}

impl BucketCatalog {
    /// Creates the catalog of `organization` in `bucket`.
    #[must_use]
    pub fn new(bucket: &Bucket, organization: Slug) -> Self {
        let client = bucket.client.clone();
        Self {
            places: Places::new(client.settings().location(), &organization),
            bucket: bucket.clone(),
            organization,
            client,
            seen: Mutex::default(),
        }
    }

    fn explain(&self, fault: Fault, operation: Operation, path: &Path) -> CatalogError {
        let place = (self.places.root(), path.as_ref());
        explain(&self.client, fault, operation, place)
    }

    fn error(&self, kind: CatalogErrorKind, operation: Operation, path: &Path) -> CatalogError {
        let location = self.client.settings().location();
        let operation = operation.name(location.vendor());
        CatalogError::new(kind, operation, location.url_of(path.as_ref()))
    }

    /// Remembers a revision that was read. The same write may have another tag: its object was
    /// copied, or encrypted again.
    fn remember_read(&self, key: &RecordKey, read: &Read) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(key.clone()).or_default();
        let (revision, write_id) = (Revision(read.content.revision), read.content.write_id);
        let tag = read.tag.clone();
        match seen.iter_mut().find(|seen| seen.revision == revision) {
            Some(seen) => seen.tag = (seen.write_id == write_id).then_some(tag),
            None => seen.push(Seen {
                revision,
                write_id,
                tag: Some(tag),
            }),
        }
    }

    /// Remembers a revision that this process has written.
    fn remember_written(&self, key: &RecordKey, written: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(key.clone()).or_default();
        seen.retain(|seen| seen.revision != written.revision);
        seen.push(written);
    }

    /// Remembers that a write on a revision was refused.
    fn remember_refused(&self, key: &RecordKey, revision: Revision) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = seen.get_mut(key).into_iter().flatten();
        if let Some(seen) = seen.find(|seen| seen.revision == revision) {
            seen.tag = None;
        }
    }

    fn forget(&self, key: &RecordKey) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(key);
    }

    /// Returns the tag of a revision: `None` if the revision was not seen, `Some(None)` if no
    /// write may be based on it.
    fn seen(&self, key: &RecordKey, revision: Revision) -> Option<Option<Tag>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = seen.get(key).into_iter().flatten();
        let found = seen.find(|seen| seen.revision == revision);
        found.map(|found| found.tag.clone())
    }

    /// Reads a record. A fault `NotFound` tells whether the object was deleted.
    async fn fetch(&self, path: &Path) -> Result<Result<Read, Fault>, CatalogError> {
        let object = match self.client.get(path).await {
            Ok(object) => object,
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Err(fault)),
            Err(fault) => return Err(self.explain(fault, Operation::Get, path)),
        };
        // The parser's error may quote the content.
        let content = serde_json::from_slice(&object.body).map_err(|_| {
            let corrupt = self.error(CatalogErrorKind::Corrupt, Operation::Get, path);
            corrupt.with_remedy(
                "The object is not a record of this provider. Restore it from a backup, or from \
                 an earlier version of the object.",
            )
        })?;
        Ok(Ok(Read {
            content,
            tag: object.tag,
        }))
    }

    /// Returns the condition of a write; `None` if the revision is not the expected one.
    async fn condition(
        &self,
        key: &RecordKey,
        path: &Path,
        expected: Revision,
    ) -> Result<Option<Condition>, CatalogError> {
        if expected == Revision::ABSENT {
            return Ok(Some(Condition::Absent));
        }
        if let Some(tag) = self.seen(key, expected) {
            return Ok(tag.map(Condition::Matches));
        }
        Ok(match self.fetch(path).await? {
            Ok(found) if Revision(found.content.revision) == expected => {
                Some(Condition::Matches(found.tag))
            }
            Ok(_) | Err(_) => None,
        })
    }
}

/// Returns what a read after an unclear write means.
async fn read_back(client: &Client, write: &Write, id: Uuid) -> Result<ReadBack, Fault> {
    let object = match client.get(&write.path).await {
        Ok(object) => object,
        Err(fault) if fault.kind == FaultKind::NotFound => {
            return Ok(match write.condition {
                Condition::Absent => ReadBack::Unchanged,
                // The record was removed.
                Condition::Matches(_) => ReadBack::Other,
            });
        }
        Err(fault) => return Err(fault),
    };
    let found = serde_json::from_slice::<Content>(&object.body);
    match (&write.condition, found) {
        (_, Ok(found)) if found.write_id == id => Ok(ReadBack::Own(object.tag)),
        (Condition::Matches(tag), _) if *tag == object.tag => Ok(ReadBack::Unchanged),
        (Condition::Matches(_) | Condition::Absent, Ok(_)) => Ok(ReadBack::Other),
        // The page of a gateway is no other write.
        (Condition::Matches(_) | Condition::Absent, Err(_)) => {
            let said = "the object is not a record";
            Err(Fault::new(FaultKind::Unexpected, said))
        }
    }
}

#[async_trait]
impl CatalogStore for BucketCatalog {
    async fn read(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        let path = self.places.record(key);
        let read = match self.fetch(&path).await? {
            Ok(found) => found,
            Err(fault) => {
                self.forget(key);
                if fault.is_deleted && key.as_str() == ORGANIZATION_RECORD {
                    let corrupt = self.error(CatalogErrorKind::Corrupt, Operation::Get, &path);
                    return Err(corrupt.with_remedy(
                        "The organization's record was deleted. All its secrets depend on it, and \
                         it is never made anew. Restore the last version of the object: delete \
                         its delete marker.",
                    ));
                }
                return Ok(None);
            }
        };
        self.remember_read(key, &read);
        let Content {
            revision,
            body,
            mac,
            ..
        } = read.content;
        Ok(Some((StoredRecord { body, mac }, Revision(revision))))
    }

    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.read(key).await
    }

    /// Probes the bucket with parallel writes.
    async fn expect_usable(&self) -> Result<(), CatalogError> {
        self.bucket.probe(&self.organization).await
    }

    /// Detects a deletion in a bucket of S3 that keeps versions. No other bucket keeps a trace
    /// that a read shows.
    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let path = self.places.record(key);
        match self.fetch(&path).await? {
            Err(fault) if fault.is_deleted => {
                let removed = self.error(CatalogErrorKind::Removed, Operation::Get, &path);
                Err(removed.with_remedy(
                    "Restore the last version of the object: delete its delete marker. To give \
                     the secret up for good, delete all versions of the object.",
                ))
            }
            Ok(_) | Err(_) => Ok(()),
        }
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
        let path = self.places.record(key);
        let conflict = || self.error(CatalogErrorKind::Conflict, Operation::Put, &path);
        let revision = Revision(expected.0.checked_add(1).ok_or_else(conflict)?);
        let condition = self.condition(key, &path, expected).await?;
        let condition = condition.ok_or_else(conflict)?;
        let id = Uuid::new_v4();
        let content = serde_json::to_vec(&Content {
            revision: revision.0,
            write_id: id,
            body: record.body.clone(),
            mac: record.mac.clone(),
        });
        let content = content.map_err(|error| conflict().with_source(error))?;
        let put = Write {
            path: path.clone(),
            body: Bytes::from(content),
            condition,
            content_type: "application/json",
            metadata: Vec::new(),
        };
        let read_back = || read_back(&self.client, &put, id);
        let outcome = write(&self.client, &put, read_back).await;
        match outcome.map_err(|fault| self.explain(fault, Operation::Put, &path))? {
            Written::Done(tag) => {
                let written = Seen {
                    revision,
                    write_id: id,
                    tag: Some(tag),
                };
                self.remember_written(key, written);
                Ok(revision)
            }
            Written::Refused => {
                self.remember_refused(key, expected);
                Err(conflict())
            }
        }
    }

    /// Does nothing: a bucket that keeps versions expires them by its own rules.
    async fn forget_history(&self, _: &RecordKey, _: Revision) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let path = self.places.record(key);
        self.forget(key);
        let removed = self.client.delete(&path).await;
        removed.map_err(|fault| self.explain(fault, Operation::Delete, &path))
    }

    fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        let tag = self.seen(key, revision)??;
        marks::mark(&self.places.record(key), &tag)
    }

    async fn list_marks(&self, query: MarkQuery<'_>) -> Result<ListedMarks, CatalogError> {
        let folder = self.places.records(query.folder);
        let listed = marks::list(&self.client, &folder, query).await;
        listed.map_err(|fault| self.explain(fault, Operation::List, &folder))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        let folder = self.places.records(prefix);
        let listed = self.client.list(&folder).await;
        let listed = listed.map_err(|fault| self.explain(fault, Operation::List, &folder))?;
        let keys = listed
            .iter()
            .filter_map(|found| self.places.record_key(&found.path));
        let mut keys: Vec<RecordKey> = keys.collect();
        keys.sort_unstable();
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
