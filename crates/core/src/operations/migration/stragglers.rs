//! Documents that were written to a platform after the organization had left it.

use super::Migration;
use super::copy::{Copying, secrets};
use super::report::Unmoved;
use super::stage::Stage;
use crate::catalog::{
    BackendDocument, DefaultBackendRecord, EntryRecord, Form, MovedRecord, RecordKey,
    SecretDocument, record_key_of_name,
};
use crate::operations::OperationError;
use crate::operations::held_document::Document;

/// A document that may be a later state of another one.
pub(super) trait Succeeds: Document {
    /// Returns whether this document has what `former` had, or replaced it.
    fn succeeds(&self, former: &Self) -> bool;
}

impl Succeeds for SecretDocument {
    fn succeeds(&self, former: &Self) -> bool {
        secrets(former).all(|old| secrets(self).any(|secret| secret.uuid == old.uuid))
    }
}

impl Succeeds for BackendDocument {
    fn succeeds(&self, former: &Self) -> bool {
        let uuid = |document: &Self| document.backend.as_ref().map(|it| it.uuid);
        uuid(former).is_none() || uuid(former) == uuid(self)
    }
}

impl Succeeds for DefaultBackendRecord {
    fn succeeds(&self, former: &Self) -> bool {
        self.generation > former.generation || self.backend == former.backend
    }
}

impl Copying<'_> {
    /// Returns the entries of writes that began after the migration, and that no document
    /// names: their writers were killed. A sweep copies the others only with their secret, since
    /// users of the target may have removed them with their objects.
    ///
    /// # Errors
    ///
    /// Failures of the source's catalog; `Catalog(Altered)`.
    pub(super) async fn late_entries(
        &self,
        listed: Vec<RecordKey>,
    ) -> Result<Vec<RecordKey>, OperationError> {
        let source = &self.migration.source.catalog;
        let mac_key = self.migration.source.keys().mac_key().await?;
        let mut late = Vec::new();
        for key in listed {
            let Some(entry) = source.load::<EntryRecord>(&key).await? else {
                continue;
            };
            entry.verify(mac_key)?;
            let EntryRecord {
                name, written_at, ..
            } = entry.record;
            if written_at < self.begun.moved.since {
                continue;
            }
            let document = record_key_of_name(&name);
            let document = source.load::<Form<SecretDocument>>(&document).await?;
            let is_committed = document.is_some_and(|document| {
                let mut entries = secrets(document.record.document()).flat_map(|it| it.entries());
                entries.any(|entry| entry.record_key() == key)
            });
            if !is_committed {
                late.push(key);
            }
        }
        Ok(late)
    }
}

impl Migration {
    /// Returns the documents that were written to the target after the organization had left it
    /// for the source. Once the migration has begun, they would be taken for copies.
    ///
    /// # Errors
    ///
    /// Failures of the target's catalog.
    pub(super) async fn stragglers(&self, stage: &Stage) -> Result<Vec<Unmoved>, OperationError> {
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
        for key in catalog.list("secrets").await? {
            let name = |document: &SecretDocument| {
                let secret = secrets(document).next();
                secret.map(|secret| secret.name.to_string())
            };
            found.extend(self.straggler(&key, name).await?);
        }
        for key in catalog.list("backends").await? {
            let name = |document: &BackendDocument| {
                let backend = document.backend.as_ref();
                backend.map(|backend| format!("backend {}", backend.name))
            };
            found.extend(self.straggler(&key, name).await?);
        }
        let default = DefaultBackendRecord::key(&());
        let name = |_: &DefaultBackendRecord| None;
        found.extend(self.straggler(&default, name).await?);
        Ok(found)
    }

    async fn straggler<T: Document>(
        &self,
        key: &RecordKey,
        name: impl Fn(&T) -> Option<String>,
    ) -> Result<Option<Unmoved>, OperationError> {
        let found = self.target.catalog.load_fenced::<Form<T>>(key).await?;
        Ok(match found.map(|found| found.record) {
            // The second one was fenced by a sweep that has not copied it.
            Some(
                Form::Here(document)
                | Form::Moved(MovedRecord {
                    document,
                    late: true,
                    ..
                }),
            ) => Some(Unmoved {
                subject: name(&document).unwrap_or_else(|| key.to_string()),
                version: None,
                reason: STRAGGLER.to_owned(),
            }),
            Some(Form::Moved(_)) | None => None,
        })
    }
}

const STRAGGLER: &str = "it was written to the target after the organization had left it. Sweep \
                         that migration (`platform migrate --sweep` with the target's variables \
                         and the present platform as its target), or remove the record";
