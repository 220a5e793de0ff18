//! Forgets a backend, as `operations/secrets/forget.rs` forgets a secret.

use uuid::Uuid;

use super::BackendOnDestroy;
use super::Backends;
use super::delete::DeletedBackend;
use super::record::HeldBackend;
use super::usage::Unfinished;
use crate::catalog::{BackendDocument, BackendRecord, BackendState, Owner};
use crate::deadline::OperationContext;
use crate::names::Slug;
use crate::operations::Lookup;
use crate::operations::{Interrupt, OperationError};

/// A backend that may be forgotten.
#[derive(Debug)]
pub struct ForgettableBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// Its type, as in a configuration.
    pub kind: String,
    /// Its owner.
    pub owner: Owner,
    /// Whether its deletion has begun.
    pub is_deleting: bool,
    held: HeldBackend,
}

impl Backends<'_> {
    /// Finds a backend to forget.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of catalog and KEK.
    pub async fn find_to_forget(
        self,
        name: &Slug,
    ) -> Result<Lookup<ForgettableBackend>, OperationError> {
        self.organization.existing().await?;
        let held = self.hold(name).await?;
        if held.is_absent() {
            return Ok(Lookup::NeverExisted);
        }
        let Some(record) = held.document.backend.clone() else {
            let displaced = Vec::new();
            return Ok(Lookup::NoMatch { displaced });
        };
        Ok(Lookup::Found(Box::new(ForgettableBackend {
            name: record.name,
            uuid: record.uuid,
            kind: record.settings.kind,
            owner: record.owner,
            is_deleting: record.state == BackendState::Deleting,
            held,
        })))
    }

    /// Deletes a backend without a request to its place, if its record is unchanged since it
    /// was found.
    ///
    /// Secrets on the backend prevent it, including those under deletion. A failure leaves
    /// the record as it was, unless it is gone or was changed since.
    ///
    /// # Errors
    ///
    /// `BackendInUse`; `BackendChangedConcurrently`; failures of the catalog, `Removed`
    /// among them.
    pub async fn forget(
        self,
        found: ForgettableBackend,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        interrupt.before("delete backend")?;
        // The absence of a record proves nothing before the acceptance.
        let organization = self.organization.keys().hold_record().await?.record;
        self.organization.expect_accepted(&organization)?;
        let ForgettableBackend {
            name,
            uuid,
            mut held,
            ..
        } = found;
        let usage = self
            .settled_usage(uuid, Unfinished::Keep, interrupt)
            .await?;
        let is_default = self.organization.default_backend().is(&name).await?;
        self.refuse_if_needed(&name, &usage, is_default).await?;
        interrupt.before("mark backend deleting")?;
        let original = held.document.backend.clone();
        let before = match &mut held.document.backend {
            None => return Err(held.overtaken()),
            Some(record) => {
                record.state = BackendState::Deleting;
                // Stored with the mark, so that a process that continues the deletion sends
                // no request to the place either.
                std::mem::replace(&mut record.arguments.on_destroy, BackendOnDestroy::Forget)
            }
        };
        let marked = self.commit(&mut held).await;
        let mark = held.document.write_id;
        let outcome = match marked {
            Ok(()) => {
                let finish = self.finish_deletion(&mut held, uuid, before, interrupt);
                finish.await
            }
            // The mark may have landed.
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            OperationContext::committing(self.put_back(&name, mark, original)).await;
        }
        outcome
    }

    /// Restores a record if its last write is `mark`. A tombstone whose response was lost
    /// stays, and so does any later change.
    async fn put_back(self, name: &Slug, mark: Uuid, original: Option<BackendRecord>) {
        let put_back = async {
            let mut now = self
                .organization
                .hold_fenced::<BackendDocument>(name.clone())
                .await?;
            if now.document.write_id == mark {
                now.document.backend = original;
                self.organization.try_commit(&mut now).await?;
            }
            Ok::<_, OperationError>(())
        };
        if let Err(error) = put_back.await {
            tracing::warn!(%error, "could not remove the deletion mark of a backend that was not forgotten");
        }
    }
}
