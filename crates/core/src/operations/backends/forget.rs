//! Forgets a backend that an operator names: see `operations/forget.rs`.

use uuid::Uuid;

use super::BackendOnDestroy;
use super::delete::DeletedBackend;
use super::record::HeldBackend;
use super::usage::Unfinished;
use crate::catalog::{BackendRecord, BackendState, Owner};
use crate::names::Slug;
use crate::operations::Found;
use crate::operations::{Interrupt, OperationError, Organization};

/// A backend that may be forgotten.
#[derive(Debug)]
pub struct ForgettableBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// Its type, as in a configuration.
    pub kind: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether its deletion was begun.
    pub is_deleting: bool,
    held: HeldBackend,
}

impl Organization {
    /// Finds a backend to forget.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of catalog and KEK.
    pub async fn find_backend_to_forget(
        &self,
        name: &Slug,
    ) -> Result<Found<ForgettableBackend>, OperationError> {
        self.existing().await?;
        let held = self.hold_backend(name).await?;
        if held.is_absent() {
            return Ok(Found::Never);
        }
        let Some(record) = held.document.backend.clone() else {
            let displaced = Vec::new();
            return Ok(Found::Nothing { displaced });
        };
        Ok(Found::One(Box::new(ForgettableBackend {
            name: record.name,
            uuid: record.uuid,
            kind: record.settings.kind,
            owner: record.owner,
            is_deleting: record.state == BackendState::Deleting,
            held,
        })))
    }

    /// Deletes a backend without asking its place, if nobody has changed its record
    /// since it was found. Secrets on it, those being deleted included, keep it. Where
    /// this fails, the record is as it was, unless it is gone or was changed since.
    ///
    /// # Errors
    ///
    /// `BackendInUse`; `BackendChangedConcurrently`; failures of the catalog, `Removed`
    /// among them.
    pub async fn forget_found_backend(
        &self,
        found: ForgettableBackend,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        interrupt.before("delete backend")?;
        let ForgettableBackend {
            name,
            uuid,
            mut held,
            ..
        } = found;
        let usage = self
            .settled_usage(uuid, Unfinished::Keep, interrupt)
            .await?;
        let is_default = self.is_default(&name).await?;
        self.refuse_if_needed(&name, &usage, is_default).await?;
        interrupt.before("mark backend deleting")?;
        let original = held.document.backend.clone();
        let before = match &mut held.document.backend {
            None => return Err(held.overtaken()),
            Some(record) => {
                record.state = BackendState::Deleting;
                // Recorded with the mark: whoever finishes this does not ask either.
                std::mem::replace(&mut record.arguments.on_destroy, BackendOnDestroy::Forget)
            }
        };
        self.commit_backend(&mut held).await?;
        let marked = held.clone();
        let finish = self.finish_backend_deletion(&mut held, uuid, before, interrupt);
        let outcome = finish.await;
        match &outcome {
            // What refused has taken the mark back.
            Ok(_) | Err(OperationError::BackendInUse { .. }) => {}
            Err(_) => self.put_back(marked, original).await,
        }
        outcome
    }

    /// Puts a marked record back as it was, on the revision of its mark: a tombstone
    /// whose answer was lost stays, and so does what anybody has changed since.
    async fn put_back(&self, mut marked: HeldBackend, original: Option<BackendRecord>) {
        marked.document.backend = original;
        if let Err(error) = self.try_commit_backend(&mut marked).await {
            tracing::warn!(%error, "a backend that was not forgotten stays marked");
        }
    }
}
