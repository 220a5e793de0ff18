//! Replaces a record unless another writer changed it first.

use serde::Serialize;

use super::{
    Catalog, CatalogError, CatalogErrorKind, Form, Generations, Loaded, ORGANIZATION_RECORD,
    RecordKey, Revision,
};
use planton_envelope::MacKey;

/// Number of tries of a write that conflicts although no other writer changed the
/// record.
const TRIES: usize = 4;

/// A record that several processes may change.
pub(crate) trait Record: Clone + Serialize + Generations + Send + Sync {
    /// Returns true if both records come from the same write.
    fn is_same_write(&self, other: &Self) -> bool;
}

/// The outcome of a compare-and-set.
#[derive(Debug)]
pub(crate) enum Compared<T> {
    /// The record was written, at this revision.
    Written(Revision),
    /// Another writer changed the record first. Contains its record, unverified.
    Overtaken(Option<Loaded<T>>),
}

impl Catalog {
    /// Writes `record` if its revision is still `expected`.
    ///
    /// A conflict may follow a write that succeeded and whose response was lost. So the
    /// record is read again, behind a fence, and compared with this write. If the
    /// revision is still `expected`, the conflict came from a stale node, and the write
    /// is retried.
    ///
    /// # Errors
    ///
    /// `Altered` if this write is found under another MAC; `Conflict` if retries are
    /// exhausted; otherwise as [`CatalogStore::write`](super::CatalogStore::write).
    pub(crate) async fn compare_and_set<T: Record>(
        &self,
        key: &RecordKey,
        record: &T,
        mac_key: Option<&MacKey>,
        expected: Revision,
    ) -> Result<Compared<T>, CatalogError> {
        let mut tries = 0;
        loop {
            let saved = match expected {
                Revision::ABSENT if key.as_str() != ORGANIZATION_RECORD => {
                    // On the heap, since few commits need it.
                    Box::pin(self.create(key, record, mac_key)).await
                }
                _ => self.save(key, record, mac_key, expected).await,
            };
            let conflict = match saved {
                Ok(revision) => return Ok(Compared::Written(revision)),
                Err(error) if error.kind() == CatalogErrorKind::Conflict => error,
                Err(error) => return Err(error),
            };
            let found = match self.load_fenced::<T>(key).await {
                Err(moved) if moved.kind() == CatalogErrorKind::Moved => {
                    let before = self.before_migration(key, record, mac_key, moved);
                    return Box::pin(before).await;
                }
                found => found?,
            };
            if let Some(found) = &found
                && found.record.is_same_write(record)
            {
                if let Some(mac_key) = mac_key {
                    found.verify(mac_key)?;
                }
                return Ok(Compared::Written(found.revision));
            }
            let revision = found.as_ref().map_or(Revision::ABSENT, |it| it.revision);
            if revision != expected {
                return Ok(Compared::Overtaken(found));
            }
            tries += 1;
            if tries == TRIES {
                return Err(conflict);
            }
        }
    }

    /// Returns the outcome of a write whose record a migration has replaced: it landed before,
    /// or it never will.
    async fn before_migration<T: Record>(
        &self,
        key: &RecordKey,
        record: &T,
        mac_key: Option<&MacKey>,
        moved: CatalogError,
    ) -> Result<Compared<T>, CatalogError> {
        match self.load_fenced::<Form<T>>(key).await? {
            Some(found) if found.record.document().is_same_write(record) => {
                if let Some(mac_key) = mac_key {
                    found.verify(mac_key)?;
                }
                Ok(Compared::Written(found.revision))
            }
            _ => Err(moved),
        }
    }

    /// Loads the record under `key`, and loads it again behind a fence if
    /// `is_doubtful`.
    ///
    /// The first response may be a stale read.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub(crate) async fn load_fenced_if<T: Generations>(
        &self,
        key: &RecordKey,
        is_doubtful: impl FnOnce(Option<&Loaded<T>>) -> bool,
    ) -> Result<Option<Loaded<T>>, CatalogError> {
        let loaded = self.load(key).await?;
        if is_doubtful(loaded.as_ref()) {
            return self.load_fenced(key).await;
        }
        Ok(loaded)
    }
}
