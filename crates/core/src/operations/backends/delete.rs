//! Lets go of a backend that nothing needs any more.
//!
//! The backend is marked; its entries are listed after that; what a document names
//! keeps it alive; what none names is cleaned up (`cleanup.rs`); then it becomes a
//! tombstone, if its record is still as it was marked. Only then go its marker and
//! the entries. A creation writes its entry before it looks at the backend, so it
//! either sees the mark or is in the listing.

use uuid::Uuid;

use super::BackendOnDestroy;
use super::Backends;
use super::record::{HeldBackend, TRIES};
use super::usage::Unfinished;
use crate::catalog::{BackendRecord, BackendState, Owner, Stamp};
use crate::names::Slug;
use crate::operations::crash_hooks::crash_point;
use crate::operations::{Interrupt, OperationError};

/// What to let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation of its record that was seen; absent right after an import.
    pub seen: Option<u64>,
    /// The stamp that the caller knows as its own; absent to take the one found.
    pub stamp: Option<Stamp>,
}

/// What became of an object that was to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// It is gone.
    Done,
    /// Its record is gone, and its place was not asked.
    Forgotten,
    /// It bears another stamp, and stays.
    LeftToOwner(Box<Owner>),
    /// This run had adopted it, and it is its former owner's again.
    GivenBack(Box<Owner>),
    /// Its record is missing, without a tombstone: nothing tells what may be left.
    RecordMissing,
}

/// A backend that was let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedBackend {
    /// What became of it.
    pub destroyed: Destroyed,
    /// What may still be at its place, and why: the place may be gone, or closed to
    /// us, and that must not keep the record alive.
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
    /// Deletes a backend: mark, list its entries, clean up what no document names,
    /// leave a tombstone, delete its marker object and the entries.
    ///
    /// Waits for secrets that are being deleted, and finishes those that nobody
    /// finishes. A creation that has not been committed yet is overtaken: it fails,
    /// and takes back what it puts. A backend under another stamp stays as it is, and
    /// so does one that this run has adopted: its former owner gets it back. Of one
    /// that is to be forgotten, the place is not asked.
    ///
    /// # Errors
    ///
    /// - `BackendInUse`: the backend stays as it was.
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
        let mut held = self.hold(&name).await?;
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
            return Ok(DeletedBackend::only(Destroyed::Done));
        };
        if !record.owner.is_known_as(stamp) {
            let owner = Box::new(record.owner.clone());
            return Ok(DeletedBackend::only(Destroyed::LeftToOwner(owner)));
        }
        if seen.is_some_and(|seen| record.generation > seen) {
            return Err(held.overtaken());
        }
        if let Some(former) = self.organization.run.former_owner_of(&record.owner) {
            return self.return_to_owner(held, former, interrupt).await;
        }
        let on_destroy = record.arguments.on_destroy;
        if record.state != BackendState::Deleting {
            // Before it is marked: a creation that meets the mark fails.
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

    /// Puts back whose the backend was before this run adopted it.
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
        Ok(DeletedBackend::only(Destroyed::GivenBack(owner)))
    }

    /// Goes on with a deletion that is marked; takes the mark back where the
    /// backend turns out to be needed, and puts back what a destroy was to do `before`
    /// that. Every round lists the entries anew: they must
    /// be listed after the mark that the tombstone replaces.
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
                // A change has taken it back into use.
                return Err(held.overtaken());
            }
            let unfinished = unfinished(&record);
            let usage = self.settled_usage(uuid, unfinished, interrupt).await?;
            // Whoever is about to make it the default reads its record again.
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
            // Opened while the record tells where it is.
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
