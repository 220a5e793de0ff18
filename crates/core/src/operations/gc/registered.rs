//! Objects of a registered backend that only an entry knows.

use futures_util::{StreamExt as _, stream};
use tokio::sync::OnceCell;

use super::{AT_ONCE, Age, CHUNK, Collection, Collector, Disposal};
use crate::catalog::{EntryKey, EntryRecord, record_key_of_uuid};
use crate::operations::OperationError;
use crate::operations::backends::holder_of;
use crate::operations::held_document::HeldSecret;
use crate::store::{Deletion, RemoteName};

impl Collector<'_> {
    /// Finds the entries whose objects no document names and that are old enough.
    pub(super) async fn entries(
        &self,
        age: Age,
        found: &mut Collection,
    ) -> Result<(), OperationError> {
        let entries = self.keys.organization.entries();
        let entries = entries.of_backend(self.backend.uuid).await?;
        found.total += entries.len();
        let there = OnceCell::new();
        for some in entries.chunks(CHUNK) {
            self.entries_of(some, (age, &there), found).await?;
        }
        Ok(())
    }

    async fn entries_of(
        &self,
        entries: &[EntryKey],
        (age, there): (Age, &OnceCell<()>),
        found: &mut Collection,
    ) -> Result<(), OperationError> {
        let looks: Vec<_> = entries
            .iter()
            .map(|entry| self.unnamed(entry.clone()))
            .collect();
        // All looks end before anything is deleted, as for the built-in backend.
        let looked: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        for (entry, unnamed) in looked {
            self.interrupt.before("collect")?;
            match unnamed {
                Ok(None) => {}
                Ok(Some(record)) if !age.is_enough(record.written_at) => found.too_young += 1,
                Ok(Some(record)) => {
                    let orphan = self.orphan(record.remote_name.clone(), Some(record.written_at));
                    let attempt = self.delete_unnamed(&entry, &record, there).await;
                    self.settle(found, orphan, attempt)?;
                }
                Err(error) => {
                    let record = RemoteName::new(entry.record_key().to_string());
                    self.unclear(found, record, error)?;
                }
            }
            self.looked(found);
        }
        Ok(())
    }

    /// Returns the record of an entry whose object no document names.
    async fn unnamed(
        &self,
        entry: EntryKey,
    ) -> (EntryKey, Result<Option<EntryRecord>, OperationError>) {
        let organization = self.keys.organization;
        let unnamed = async {
            if let Some(key) = record_key_of_uuid(entry.secret) {
                let held: HeldSecret = organization.hold(key).await?;
                if holder_of(&held.document, &entry).is_some() {
                    return Ok(None);
                }
            }
            organization.entries().read(&entry).await
        };
        let unnamed = unnamed.await;
        (entry, unnamed)
    }

    /// Raises the document, deletes the object, and then its entry; `None` if a record names
    /// it.
    async fn delete_unnamed(
        &self,
        entry: &EntryKey,
        record: &EntryRecord,
        there: &OnceCell<()>,
    ) -> Result<Option<Disposal>, OperationError> {
        if let Some(key) = record_key_of_uuid(entry.secret) {
            let names = |document: &_| holder_of(document, entry).is_some();
            if self.unless_named(key, names).await?.is_none() {
                return Ok(None);
            }
        }
        if !self.deletes {
            return Ok(Some(Disposal::Found));
        }
        // In a place that is not the backend's, the object would count as deleted.
        there
            .get_or_try_init(|| self.backend.expect_marker())
            .await?;
        self.interrupt.before("collect orphan")?;
        // A creation has the version of its object; a collection does not.
        let whole = Deletion::Object {
            versions: Vec::new(),
        };
        self.backend
            .store
            .delete(&record.remote_name, whole)
            .await?;
        self.keys.organization.entries().remove(entry).await?;
        Ok(Some(Disposal::Deleted))
    }
}
