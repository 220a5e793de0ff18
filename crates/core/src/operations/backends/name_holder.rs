//! Finds the backend that has a name already, for a plan that needs the name.

use super::Backends;
use crate::catalog::{BackendDocument, BackendRecord, BackendState, Loaded};
use crate::names::Slug;
use crate::operations::held_document::Document as _;
use crate::operations::ownership::OwnerRelation;
use crate::operations::{NameHolder, OperationError};

impl Backends<'_> {
    /// Returns the backend because of which a declaration under `name` fails. Returns `None` if
    /// the name is free, if the backend is being deleted, which a declaration finishes, and if
    /// this run resumes the run that declared it, so that a declaration may adopt it.
    ///
    /// Sends one request for a free name. Any other answer is read again behind a fence.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    ///
    /// # Security
    ///
    /// Verifies no MAC: a plan may be rejected because of the result, and nothing is opened or
    /// written.
    pub async fn name_holder(self, name: &Slug) -> Result<Option<NameHolder>, OperationError> {
        match self.organization.existing().await {
            Ok(_) => {}
            Err(OperationError::OrganizationMissing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let key = BackendDocument::key(name);
        // A stale read may return a backend that has been deleted since.
        let is_doubtful = |loaded: Option<&Loaded<BackendDocument>>| holder_in(loaded).is_some();
        let catalog = &self.organization.catalog;
        let loaded = catalog.load_fenced_if(&key, is_doubtful).await?;
        let holder = holder_in(loaded.as_ref()).filter(|holder| {
            let run = &self.organization.run;
            run.relation_to(&holder.owner, holder.is_untouched()) != OwnerRelation::ResumedRun
        });
        Ok(holder.map(|holder| NameHolder {
            uuid: holder.uuid,
            owner: holder.owner.clone(),
            kept: None,
        }))
    }
}

fn holder_in(loaded: Option<&Loaded<BackendDocument>>) -> Option<&BackendRecord> {
    let record = loaded?.record.backend.as_ref()?;
    (record.state == BackendState::Ready).then_some(record)
}
