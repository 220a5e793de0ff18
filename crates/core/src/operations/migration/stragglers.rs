//! Documents that were written to a platform after the organization had left it.

use futures_util::{StreamExt as _, stream};

use super::copy::{Copying, secrets};
use super::fence::{There, removed};
use super::report::{Copied, Migrated, Unmoved};
use super::stage::Stage;
use super::{AT_ONCE, CHUNK, Migration};
use crate::catalog::{
    BackendDocument, DefaultBackendRecord, EntryRecord, Form, MovedRecord, RecordKey,
    SecretDocument, record_key_of_name,
};
use crate::operations::held_document::Document;
use crate::operations::{Interrupt, OperationError};

/// A document that may be a later state of another one.
pub(super) trait Succeeds: Document {
    /// Returns whether this document has what `former` had, or replaced it.
    fn succeeds(&self, former: &Self) -> bool;

    /// Returns how the document is called in a report; `None` if it names nothing.
    fn title(&self) -> Option<String>;
}

impl Succeeds for SecretDocument {
    fn succeeds(&self, former: &Self) -> bool {
        self.copy_of == Some(former.write_id)
            || secrets(former).all(|old| secrets(self).any(|secret| secret.uuid == old.uuid))
    }

    fn title(&self) -> Option<String> {
        let secret = secrets(self).next();
        secret.map(|secret| secret.name.to_string())
    }
}

impl Succeeds for BackendDocument {
    fn succeeds(&self, former: &Self) -> bool {
        let uuid = |document: &Self| document.backend.as_ref().map(|it| it.uuid);
        uuid(former).is_none() || uuid(former) == uuid(self)
    }

    fn title(&self) -> Option<String> {
        let backend = self.backend.as_ref();
        backend.map(|backend| format!("backend {}", backend.name))
    }
}

impl Succeeds for DefaultBackendRecord {
    fn succeeds(&self, former: &Self) -> bool {
        self.generation > former.generation || self.backend == former.backend
    }

    fn title(&self) -> Option<String> {
        None
    }
}

/// Returns a document that cannot stay where it is.
pub(super) fn in_the_way<T: Succeeds>(key: &RecordKey, document: &T, reason: &str) -> Unmoved {
    Unmoved {
        subject: document.title().unwrap_or_else(|| key.to_string()),
        version: None,
        reason: reason.replace("{key}", key.as_str()),
    }
}

impl Copying<'_> {
    /// Returns the entries of writes that began after the migration, and that no document
    /// names: their writers were killed. A sweep copies the others only with their secret, since
    /// users of the target may have removed them with their objects.
    ///
    /// An entry that cannot be read or verified is a failure of its own. It does not keep a sweep
    /// from copying the rest.
    ///
    /// # Errors
    ///
    /// `Interrupted`; failures of the source's catalog that no other entry would escape.
    pub(super) async fn late_entries(
        &self,
        listed: Vec<RecordKey>,
        done: &mut Migrated,
        report: &(dyn Fn(&Migrated) + Sync),
    ) -> Result<Vec<RecordKey>, OperationError> {
        let mut late = Vec::new();
        done.total += listed.len();
        for some in listed.chunks(CHUNK) {
            self.interrupt.before("migrate records")?;
            let each: Vec<_> = some
                .iter()
                .map(|key| Box::pin(self.is_late_entry(key)))
                .collect();
            let found: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
            for (key, found) in some.iter().zip(found) {
                match found {
                    Ok(true) => late.push(key.clone()),
                    Ok(false) => {}
                    Err(error) if error.ends_all() => return Err(error),
                    Err(error) => done.failed.push(Unmoved::record(key, &error)),
                }
            }
            done.looked_at += some.len();
            report(done);
        }
        Ok(late)
    }

    async fn is_late_entry(&self, key: &RecordKey) -> Result<bool, OperationError> {
        let source = &self.migration.source.catalog;
        let mac_key = self.migration.source.keys().mac_key().await?;
        let Some(entry) = source.load::<EntryRecord>(key).await? else {
            return Ok(false);
        };
        entry.verify(mac_key)?;
        let EntryRecord {
            name, written_at, ..
        } = entry.record;
        if written_at < self.begun.moved.since {
            return Ok(false);
        }
        let document = record_key_of_name(&name);
        let document = source.load::<Form<SecretDocument>>(&document).await?;
        let is_committed = document.is_some_and(|document| {
            let mut entries = secrets(document.record.document()).flat_map(|it| it.entries());
            entries.any(|entry| entry.record_key() == *key)
        });
        Ok(!is_committed)
    }
}

impl Copying<'_> {
    /// Returns the outcome for a document that the target has. One that came late may have been
    /// fenced by a sweep that was killed, and its name may have been used anew on the target
    /// before it was copied.
    ///
    /// # Errors
    ///
    /// Failures of the source's catalog.
    pub(super) async fn found<T: Succeeds>(
        &self,
        key: &RecordKey,
        fenced: &MovedRecord<T>,
        there: &T,
    ) -> Result<Copied, OperationError> {
        if !fenced.late {
            return Ok(Copied::default());
        }
        if !there.succeeds(&fenced.document) {
            let taken = in_the_way(key, &fenced.document, TAKEN);
            return Ok(Copied::taken(taken));
        }
        self.migration.note_copied(key, fenced).await?;
        Ok(Copied::default())
    }

    /// Returns what keeps a document from being copied, where others use the target already or
    /// had it open before: somebody has written there what is still to be fenced here.
    pub(super) async fn in_the_way<T: Succeeds>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<Copied>, OperationError> {
        if !self.sweeps && !self.begun.is_return {
            return Ok(None);
        }
        let found = self.migration.source.catalog.load_fenced::<Form<T>>(key);
        let (found, there) = (found.await?, self.migration.there::<T>(key).await?);
        let taken = match (found.map(|found| found.record), there) {
            (Some(Form::Here(document)), There::Copied(_)) if self.sweeps => {
                in_the_way(key, &document, TAKEN)
            }
            (Some(Form::Here(_)), There::Copied(there)) => in_the_way(key, &there, STRAGGLER),
            _ => return Ok(None),
        };
        Ok(Some(Copied::taken(taken)))
    }

    /// Returns the outcome for a document that another process has written first: another call
    /// has copied it, or a user of the target has created the name.
    pub(super) async fn overtaken<T: Succeeds>(
        &self,
        key: &RecordKey,
        fenced: &MovedRecord<T>,
    ) -> Result<Copied, OperationError> {
        match self.migration.there::<T>(key).await? {
            There::Copied(there) => self.found(key, fenced, &there).await,
            There::Vacant(_) => Err(removed(key)),
        }
    }
}

impl Migration {
    /// Returns the documents that were written to the target after the organization had left it
    /// for the source. Once the migration has begun, they would be taken for copies.
    ///
    /// `report` gets the number of records that were looked at, and that of all.
    ///
    /// # Errors
    ///
    /// `Interrupted`; failures of the target's catalog that no other record would escape.
    pub(super) async fn stragglers(
        &self,
        stage: &Stage,
        report: &(dyn Fn(usize, usize) + Sync),
        interrupt: &Interrupt,
    ) -> Result<Vec<Unmoved>, OperationError> {
        let mut found = Vec::new();
        if !matches!(
            stage,
            Stage::Vacant {
                target: Some(_),
                ..
            }
        ) {
            return Ok(found);
        }
        let catalog = &self.target.catalog;
        let mut keys = vec![DefaultBackendRecord::key(&())];
        for prefix in ["backends", "secrets"] {
            keys.extend(catalog.list(prefix).await?);
        }
        let mut looked_at = 0;
        for some in keys.chunks(CHUNK) {
            interrupt.before("survey")?;
            let each: Vec<_> = some
                .iter()
                .map(|key| Box::pin(self.straggler_under(key)))
                .collect();
            let looked: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
            for (key, looked) in some.iter().zip(looked) {
                match looked {
                    Ok(straggler) => found.extend(straggler),
                    Err(error) if error.ends_all() => return Err(error),
                    Err(error) => found.push(Unmoved::record(key, &error)),
                }
            }
            looked_at += some.len();
            report(looked_at, keys.len());
        }
        Ok(found)
    }

    async fn straggler_under(&self, key: &RecordKey) -> Result<Option<Unmoved>, OperationError> {
        match key.as_str().split_once('/') {
            Some(("secrets", _)) => self.straggler::<SecretDocument>(key).await,
            Some(("backends", _)) => self.straggler::<BackendDocument>(key).await,
            _ => self.straggler::<DefaultBackendRecord>(key).await,
        }
    }

    /// Looks at one document of the target. No stale read hides one that was there when the
    /// target's record was read, which is behind a fence.
    async fn straggler<T: Succeeds>(
        &self,
        key: &RecordKey,
    ) -> Result<Option<Unmoved>, OperationError> {
        let found = self.target.catalog.load::<Form<T>>(key).await?;
        Ok(match found.map(|found| found.record) {
            // The second one was fenced by a sweep that has not copied it.
            Some(
                Form::Here(document)
                | Form::Moved(MovedRecord {
                    document,
                    late: true,
                    ..
                }),
            ) => Some(in_the_way(key, &document, STRAGGLER)),
            Some(Form::Moved(_)) | None => None,
        })
    }
}

/// Why an organization does not come back.
pub(super) const STRAGGLER: &str = "it was written to the target after the organization had left it. Sweep that migration \
     (`platform migrate --sweep` with the target's variables and the present platform as its \
     target), or remove the record {key} from the target";

/// Why a document that came late is not copied.
pub(super) const TAKEN: &str = "it came too late, and the new platform has used its name since. Remove the record {key} from \
     the former platform; what it names stays sealed in its backend. If the value is still \
     needed, create the secret on the new platform under another name";
