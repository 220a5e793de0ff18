//! Encodes records as canonical JSON, and authenticates them with the organization's
//! MAC.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::last_look::LastLook;
use super::moved::error_of_moved;
use super::{
    CatalogError, CatalogErrorKind, CatalogStore, Epoch, GenerationFloor, Generations,
    ORGANIZATION_RECORD, OrganizationRecord, RecordKey, Revision, StoredRecord,
};
use crate::marks::{ListedMarks, Mark, MarkQuery};
use planton_envelope::MacKey;

/// A loaded record whose MAC is not verified yet.
///
/// A refresh needs no key. Every write of a record and every opening of an envelope
/// calls [`verify`](Self::verify) first.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<T> {
    /// The record.
    pub record: T,
    /// The revision that a write must expect.
    pub revision: Revision,
    key: RecordKey,
    stored: StoredRecord,
}

impl<T> Loaded<T> {
    /// Verifies the MAC over the key and the whole record.
    ///
    /// # Errors
    ///
    /// `Altered` if the record was changed without the MAC key.
    //= docs/format.md#17-catalog-mac
    //# A reader MUST NOT open an envelope by a record whose MAC does not verify.
    pub(crate) fn verify(&self, mac_key: &MacKey) -> Result<(), CatalogError> {
        let altered = || CatalogError::new(CatalogErrorKind::Altered, "verify", self.key.as_str());
        let mac = hex::decode(&self.stored.mac).map_err(|_| altered())?;
        let verified = mac_key.verify(self.key.as_str(), self.stored.body.as_bytes(), &mac);
        verified.then_some(()).ok_or_else(altered)
    }
}

/// The catalog of an organization.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    store: Arc<dyn CatalogStore>,
    epoch: Epoch,
    /// The least generation of each record, as far as the organization's record was loaded.
    pub(crate) floor: GenerationFloor,
    pub(super) last_look: Arc<LastLook>,
}

impl Catalog {
    /// Wraps the storage.
    #[must_use]
    pub(crate) fn new(store: Arc<dyn CatalogStore>) -> Self {
        Self {
            store,
            epoch: Epoch::default(),
            floor: GenerationFloor::default(),
            last_look: Arc::default(),
        }
    }

    /// Loads the record under `key`; `None` if it was never written.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::read`]; `Corrupt` if the body is not a record.
    pub(crate) async fn load<T: Generations>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<Loaded<T>>, CatalogError> {
        let Some(stored) = self.store.read(key).await? else {
            return Ok(None);
        };
        match self.parse(key, stored) {
            // It may be a stale read, from before the organization came back.
            Err(error) if error.kind() == CatalogErrorKind::Moved => self.load_fenced(key).await,
            parsed => parsed.map(Some),
        }
    }

    /// Loads the record behind a fence, so the result is not a stale read.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) async fn load_fenced<T: Generations>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<Loaded<T>>, CatalogError> {
        let Some(stored) = self.store.read_fenced(key).await? else {
            return Ok(None);
        };
        match self.parse(key, stored) {
            Ok(loaded) => Ok(Some(loaded)),
            Err(error) => Err(self.checked(key, error).await),
        }
    }

    /// Returns the error of a document that says that it has moved: `Altered` if the
    /// organization is here.
    ///
    /// # Security
    ///
    /// Whoever writes the catalog can put such a record in the place of a document without any
    /// key. The organization's record is marked before its documents move.
    async fn checked(&self, key: &RecordKey, error: CatalogError) -> CatalogError {
        let organization = RecordKey::new(ORGANIZATION_RECORD);
        if error.kind() != CatalogErrorKind::Moved || *key == organization {
            return error;
        }
        let Ok(Some(stored)) = self.store.read_fenced(&organization).await else {
            return error;
        };
        match parse::<OrganizationRecord>(&organization, stored) {
            Ok(loaded) if loaded.record.state.is_in_place() => {
                CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str())
            }
            _ => error,
        }
    }

    /// Loads a record at least as new as every write of this process.
    ///
    /// The result includes the writes of other processes that came before the last of
    /// those writes.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) async fn load_since_own_writes<T: Generations>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<Loaded<T>>, CatalogError> {
        let Some(stored) = self.store.read_since_own_writes(key).await? else {
            return Ok(None);
        };
        match self.parse(key, stored) {
            Err(error) if error.kind() == CatalogErrorKind::Moved => self.load_fenced(key).await,
            parsed => parsed.map(Some),
        }
    }

    /// Checks that the storage keeps its promises, before the organization's record exists.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::expect_usable`].
    pub(crate) async fn expect_usable(&self) -> Result<(), CatalogError> {
        self.store.expect_usable().await
    }

    /// Checks that the record under `key` was not deleted.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::expect_never_deleted`].
    pub(crate) async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        self.store.expect_never_deleted(key).await
    }

    /// Writes `record` under `key` if its revision is still `expected`.
    ///
    /// An organization that is still initializing has no MAC key. Without one, the
    /// record is stored with an empty MAC, which never verifies.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::write`].
    //= docs/format.md#19-records
    //# A writer MUST encode a record as JSON without white space.
    pub(crate) async fn save<T: Serialize + Sync>(
        &self,
        key: &RecordKey,
        record: &T,
        mac_key: Option<&MacKey>,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        let body = serde_json::to_string(record).map_err(|error| {
            CatalogError::new(CatalogErrorKind::Corrupt, "serialize", key.as_str())
                .with_source(error)
        })?;
        let mac = mac_key.map(|mac_key| mac_key.mac(key.as_str(), body.as_bytes()));
        //= docs/format.md#20-places
        //# A writer MUST write a record at the place of its platform in this table, with `mac`
        //# in lower-case hexadecimal.
        let mac = mac.map(hex::encode).unwrap_or_default();
        let _epoch = self.epoch.of_write();
        self.store
            .write(key, &StoredRecord { body, mac }, expected)
            .await
    }

    /// Deletes the history of the record before its `present` revision.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::forget_history`].
    pub(crate) async fn forget_history(
        &self,
        key: &RecordKey,
        present: Revision,
    ) -> Result<(), CatalogError> {
        self.store.forget_history(key, present).await
    }

    /// Removes a record whose key is never written again.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::remove`].
    pub(crate) async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        let _epoch = self.epoch.of_write();
        self.store.remove(key).await
    }

    /// Returns the epoch, which each write of this process ends.
    pub(crate) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Returns the mark of a revision.
    ///
    /// See [`CatalogStore::mark`].
    pub(crate) fn mark(&self, key: &RecordKey, revision: Revision) -> Option<Mark> {
        self.store.mark(key, revision)
    }

    /// Returns a page of the marks of records.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::list_marks`].
    pub(crate) async fn list_marks(
        &self,
        query: MarkQuery<'_>,
    ) -> Result<ListedMarks, CatalogError> {
        self.store.list_marks(query).await
    }

    /// Returns the keys under `prefix`.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::list`].
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        self.store.list(prefix).await
    }
}

/// The position of a syntax or type error in a record's body.
#[derive(Debug, thiserror::Error)]
#[error("{category:?} error at line {line}, column {column}")]
struct NotARecord {
    category: Category,
    line: usize,
    column: usize,
}

impl Catalog {
    /// Parses a stored record, raised to the floor of the catalog's generations.
    ///
    /// # Errors
    ///
    /// `Corrupt` if the body is not a record; `Altered` if it is that of another key.
    pub(crate) fn parse<T: Generations>(
        &self,
        key: &RecordKey,
        stored: (StoredRecord, Revision),
    ) -> Result<Loaded<T>, CatalogError> {
        let mut loaded: Loaded<T> = parse(key, stored)?;
        if !loaded.record.may_be_of(key) {
            return Err(CatalogError::new(
                CatalogErrorKind::Altered,
                "read",
                key.as_str(),
            ));
        }
        loaded.record.raise_to(self.floor.value());
        Ok(loaded)
    }

    /// Reads a record in its stored form, behind a fence.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::read_fenced`].
    pub(crate) async fn read_stored(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.store.read_fenced(key).await
    }

    /// As [`read_stored`](Self::read_stored), without a fence: a present record may be a stale
    /// read, an absent one never is.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::read`].
    pub(crate) async fn glance_at_stored(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.store.read(key).await
    }

    /// Writes a record in its stored form, if its revision is still `expected`.
    ///
    /// # Errors
    ///
    /// As [`CatalogStore::write`].
    pub(crate) async fn write_stored(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        let _epoch = self.epoch.of_write();
        self.store.write(key, record, expected).await
    }
}

fn parse<T: DeserializeOwned>(
    key: &RecordKey,
    (stored, revision): (StoredRecord, Revision),
) -> Result<Loaded<T>, CatalogError> {
    let record = serde_json::from_str(&stored.body).map_err(|error| {
        if let Some(moved) = error_of_moved(key, &stored.body) {
            return moved;
        }
        // The parser's own message would quote the body.
        let source = NotARecord {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        };
        CatalogError::new(CatalogErrorKind::Corrupt, "parse", key.as_str()).with_source(source)
    })?;
    Ok(Loaded {
        record,
        revision,
        key: key.clone(),
        stored,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CatalogVerb, EntryRecord, InMemoryCatalog, SecretDocument};
    use crate::store::RemoteName;

    //= docs/format.md#19-records
    //= type=test
    //# A writer MUST encode a record as JSON without white space.
    //= docs/format.md#20-places
    //= type=test
    //# A writer MUST write a record at the place of its platform in this table, with `mac` in
    //# lower-case hexadecimal.
    #[tokio::test]
    async fn a_record_is_json_without_white_space_and_its_mac_in_lower_case() {
        let store = Arc::new(InMemoryCatalog::new());
        let catalog = Catalog::new(store.clone());
        let key = RecordKey::new("entries/x");
        let record = EntryRecord {
            name: "prod/db".parse().expect("a name"),
            remote_name: RemoteName::new("a b".to_owned()),
            written_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        };
        let mac_key = MacKey::generate().expect("randomness");
        let written = catalog.save(&key, &record, Some(&mac_key), Revision::ABSENT);
        written.await.expect("written");
        let (stored, _) = store.read(&key).await.expect("read").expect("there");
        let body = r#"{"name":{"environment":"prod","name":"db"},"remote_name":"a b","#.to_owned()
            + r#""written_at":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(stored.body, body);
        let mac = mac_key.mac("entries/x", body.as_bytes());
        assert_eq!(stored.mac, mac.map(|byte| format!("{byte:02x}")).concat());
    }

    /// Returns a catalog whose standby still has `stale` under a key, and the key.
    fn lagging(stale: &str) -> (Arc<InMemoryCatalog>, Catalog, RecordKey) {
        let store = Arc::new(InMemoryCatalog::new());
        let key = RecordKey::new("secrets/db");
        let record = |body: &str| StoredRecord {
            body: body.to_owned(),
            mac: String::new(),
        };
        store.overwrite(&key, record(stale));
        store.serve_stale(&key);
        let document = SecretDocument {
            generation: 7,
            ..SecretDocument::default()
        };
        let body = serde_json::to_string(&document).expect("plain JSON");
        store.overwrite(&key, record(&body));
        (Arc::clone(&store), Catalog::new(store), key)
    }

    /// A document that a migration had replaced before the organization came back.
    const MOVED: &str = r#"{"moved":{"id":"00000000-0000-0000-0000-000000000000","place":{"block":"embedded","arguments":{}},"since":"2026-01-01T00:00:00Z"},"document":{}}"#;

    #[tokio::test]
    async fn a_moved_document_of_a_lagging_standby_is_read_again_behind_a_fence() {
        let (store, catalog, key) = lagging(MOVED);
        let loaded = catalog.load::<SecretDocument>(&key).await;
        let loaded = loaded.expect("read").expect("there");
        assert_eq!(loaded.record.generation, 7);
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 1);
    }

    #[tokio::test]
    async fn a_document_that_does_not_parse_is_corrupt_at_once() {
        let (store, catalog, key) = lagging("{}}");
        let loaded = catalog.load::<SecretDocument>(&key).await;
        let error = loaded.expect_err("no document");
        assert_eq!(error.kind(), CatalogErrorKind::Corrupt);
        assert_eq!(store.calls(CatalogVerb::ReadFenced), 0);
    }
}
