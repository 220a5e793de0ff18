//! Deletes a backend that is no longer in use.
//!
//! 1. Marks the record as `deleting`.
//! 2. Lists the entries. A secret that a document names keeps the backend.
//! 3. Cleans up the objects that no document names (`cleanup.rs`).
//! 4. Replaces the record with a tombstone, if it is unchanged since the mark.
//! 5. Deletes the marker and the entries.
//!
//! A creation writes its entry before it reads the backend's record. It either finds the
//! mark, or its entry is in the listing.

use uuid::Uuid;

use super::BackendOnDestroy;
use super::Backends;
use super::record::{HeldBackend, TRIES};
use super::usage::Unfinished;
use crate::catalog::{BackendRecord, BackendState, Owner, Stamp};
use crate::names::Slug;
use crate::operations::crash_hooks::crash_point;
use crate::operations::{Interrupt, OperationError};

/// The backend to delete, as the caller's state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation that the caller saw; `None` right after an import.
    pub seen: Option<u64>,
    /// The stamp in the caller's state; `None` if it has none.
    pub stamp: Option<Stamp>,
}

/// Outcome of a destroy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// It is deleted, or was deleted already.
    Done,
    /// Its record is deleted. No request was sent to its place.
    Forgotten,
    /// Another state owns it. It stays unchanged.
    OwnedByAnotherState(Box<Owner>),
    /// This run had adopted it, and returned it to its former owner.
    ReturnedToOwner(Box<Owner>),
    /// Its record is missing without a tombstone. Objects may be left.
    RecordMissing,
}

/// Result of the deletion of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedBackend {
    /// Outcome.
    pub destroyed: Destroyed,
    /// Objects that may remain at its place, with the reasons. A place that is gone or
    /// inaccessible must not prevent the deletion of the record.
    pub left_behind: Vec<String>,
}

impl DeletedBackend {
    fn only(destroyed: Destroyed) -> Self {
        Self {
            destroyed,
            left_behind: Vec::new(),
        }
    }
}

impl Backends<'_> {
    /// Deletes a backend: marks it, lists its entries, and cleans up the objects that no
    /// document names. Then writes a tombstone, and deletes the marker and the entries.
    ///
    /// Waits for secrets under deletion, and finishes a deletion that makes no progress. A
    /// creation that is not committed yet fails, and deletes the object that it put.
    ///
    /// A backend with another stamp stays unchanged. A backend that this run adopted returns
    /// to its former owner. No request is sent to the place of a backend that is to be
    /// forgotten.
    ///
    /// # Errors
    ///
    /// - `BackendInUse`: the backend stays as it was.
    /// - `RestoreNotAccepted`: the backend stays as it was.
    /// - The catalog's `Removed` if a document was deleted by hand: the backend stays as it
    ///   was, or, if that happened during the cleanup, stays marked until the next deletion.
    /// - `BackendChangedConcurrently` if the backend was changed since it was seen.
    /// - Failures of catalog and store.
    pub async fn delete(
        self,
        request: DeleteBackend,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        let DeleteBackend {
            name,
            uuid,
            seen,
            stamp,
        } = request;
        interrupt.before("delete backend")?;
        // The entries of secrets that this process has deleted are removed first.
        let settled = self.organization.settle_in_time();
        // Fenced, since the cleanup deletes what no record names. This process may have opened
        // the organization before a restoration.
        let keys = self.organization.keys();
        let (held, (), organization) = tokio::join!(self.hold(&name), settled, keys.hold_record());
        let mut held = held?;
        if held.is_absent() {
            return Ok(DeletedBackend::only(Destroyed::RecordMissing));
        }
        let found = held.document.generation;
        if let Some(seen) = seen.filter(|&seen| found < seen) {
            return Err(OperationError::BackendRolledBack {
                backend: name,
                seen,
                found,
            });
        }
        let record = held.document.backend.as_ref();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            let floor = self.organization.catalog.floor.value();
            let is_abandoned = |seen| held.document.may_be_abandoned(uuid, seen, floor);
            return Ok(DeletedBackend::only(match seen.is_some_and(is_abandoned) {
                true => Destroyed::RecordMissing,
                false => Destroyed::Done,
            }));
        };
        if !record.owner.is_known_as(stamp) {
            let owner = Box::new(record.owner.clone());
            return Ok(DeletedBackend::only(Destroyed::OwnedByAnotherState(owner)));
        }
        if seen.is_some_and(|seen| record.generation > seen) {
            return Err(held.overtaken());
        }
        if let Some(former) = self.organization.run.former_owner_of(&record.owner) {
            return self.return_to_owner(held, former, interrupt).await;
        }
        let on_destroy = record.arguments.on_destroy;
        self.organization.expect_accepted(&organization?.record)?;
        if record.state != BackendState::Deleting {
            // Before the mark, since a creation that reads the mark fails.
            let unfinished = unfinished(record);
            let usage = self.settled_usage(uuid, unfinished, interrupt).await?;
            let is_default = self.organization.default_backend().is(&name).await?;
            self.refuse_if_needed(&name, &usage, is_default).await?;
            interrupt.before("mark backend deleting")?;
            self.set_state(&mut held, BackendState::Deleting).await?;
        }
        let before = on_destroy;
        self.finish_deletion(&mut held, uuid, before, interrupt)
            .await
    }

    /// Returns the backend to the owner from which this run adopted it.
    async fn return_to_owner(
        self,
        mut held: HeldBackend,
        former: Owner,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        if let Some(record) = &mut held.document.backend {
            record.owner = former.clone();
        }
        interrupt.before("give backend back")?;
        self.commit(&mut held).await?;
        let owner = Box::new(former);
        Ok(DeletedBackend::only(Destroyed::ReturnedToOwner(owner)))
    }

    /// Continues the deletion of a marked backend.
    ///
    /// If the backend is needed, removes the mark and restores `before`, its `on_destroy`
    /// from before the mark. Every round lists the entries again, since the listing must
    /// follow the mark that the tombstone replaces.
    pub(crate) async fn finish_deletion(
        self,
        held: &mut HeldBackend,
        uuid: Uuid,
        before: BackendOnDestroy,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        for _ in 0..TRIES {
            let record = held.document.backend.clone();
            let Some(record) = record.filter(|record| record.uuid == uuid) else {
                return Ok(DeletedBackend::only(Destroyed::Done));
            };
            if record.state != BackendState::Deleting {
                // An update has put it back into use.
                return Err(held.overtaken());
            }
            let unfinished = unfinished(&record);
            let usage = self.settled_usage(uuid, unfinished, interrupt).await?;
            // A process that is about to make it the default then fails its compare-and-set
            // and reads its record again.
            let is_default = self.organization.default_backend().fence().await? == record.name;
            let refused = self.refuse_if_needed(&record.name, &usage, is_default);
            if let Err(refused) = refused.await {
                crash_point("take mark back");
                if let Some(record) = &mut held.document.backend {
                    record.arguments.on_destroy = before;
                }
                self.set_state(held, BackendState::Ready).await?;
                return Err(refused);
            }
            let Some(cleaned) = self.clean_up(&record, &usage.unnamed, interrupt).await? else {
                continue;
            };
            // Opened while the record still contains its settings.
            let marker = self.open_marker(&record).await;
            interrupt.before("backend tombstone")?;
            held.document.backend = None;
            if let Some(now) = self.try_commit(held).await? {
                *held = now;
                continue;
            }
            self.organization.connections.forget(&record.name);
            let left_behind = self.clear(held, cleaned, marker).await;
            return Ok(DeletedBackend {
                destroyed: match record.arguments.on_destroy {
                    BackendOnDestroy::Delete => Destroyed::Done,
                    BackendOnDestroy::Forget => Destroyed::Forgotten,
                },
                left_behind,
            });
        }
        Err(held.overtaken())
    }

    async fn set_state(
        self,
        held: &mut HeldBackend,
        state: BackendState,
    ) -> Result<(), OperationError> {
        if let Some(record) = &mut held.document.backend {
            record.state = state;
        }
        self.commit(held).await
    }
}

fn unfinished(record: &BackendRecord) -> Unfinished {
    match record.arguments.on_destroy {
        BackendOnDestroy::Delete => Unfinished::Finish,
        BackendOnDestroy::Forget => Unfinished::Keep,
    }
}
