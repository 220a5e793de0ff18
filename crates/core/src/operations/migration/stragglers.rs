//! Documents that were written to a platform after the organization had left it.

use super::Migration;
use super::copy::secrets;
use super::report::Unmoved;
use super::stage::Stage;
use crate::catalog::{BackendDocument, DefaultBackendRecord, Form, RecordKey, SecretDocument};
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
            Some(Form::Here(document)) => Some(Unmoved {
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
