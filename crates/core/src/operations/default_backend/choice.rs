//! Sets and unsets the default backend, for the owner of the choice.

use super::DefaultBackend;
use super::record::{Choice, DefaultBackendView, HeldDefault, TRIES, changed};
use crate::catalog::{Owner, Stamp};
use crate::names::Slug;
use crate::operations::ownership::OwnerRelation;
use crate::operations::{Destroyed, ExistingRecord, Interrupt, OperationError};

/// The default to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDefault {
    /// The backend's name.
    pub backend: Slug,
    /// The choice to change; `None` for a first choice.
    pub before: Option<KnownDefault>,
    /// For a first choice: the stamp of the choice that it replaces, which the caller's state
    /// owns and unsets later.
    pub replaces: Option<Stamp>,
}

/// A choice as its owner's state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDefault {
    /// The backend's name.
    pub backend: Slug,
    /// The stamp in the caller's state; `None` to accept any.
    pub stamp: Option<Stamp>,
}

/// Result of setting the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultSet {
    /// The default.
    pub view: DefaultBackendView,
    /// Its former owner, if this run adopted it from an interrupted run.
    pub adopted_from: Option<Owner>,
}

/// A committed choice, and the backend that it replaced.
struct InForce {
    owner: Option<Owner>,
    generation: u64,
    replaced: Slug,
}

impl DefaultBackend<'_> {
    /// Sets the default, or changes it.
    ///
    /// # Errors
    ///
    /// `DefaultBackendExists` and `DefaultBackendDeclaredTwice` if it is set already;
    /// `DefaultBackendOwnedByAnother` under another stamp; `DefaultBackendRecordMissing`;
    /// `UnknownBackend`; `BackendDeleting`; `CommitUnclear`; failures of the catalog.
    pub async fn set(
        self,
        request: SetDefault,
        interrupt: &Interrupt,
    ) -> Result<DefaultSet, OperationError> {
        interrupt.before("set default backend")?;
        self.organization.ensure().await?;
        let SetDefault {
            backend,
            before,
            replaces,
        } = request;
        let (set, adopted_from) = match before {
            None => self.create(&backend, replaces, interrupt).await?,
            Some(known) => (self.change(&backend, known, interrupt).await?, None),
        };
        let InForce {
            owner,
            generation,
            replaced,
        } = set;
        self.organization.connections.learn_default(Some(&backend));
        crate::operations::crash_hooks::crash_point("clear default backend");
        if replaced != backend {
            self.clear_is_default(&replaced).await?;
        }
        Ok(DefaultSet {
            view: DefaultBackendView {
                backend,
                owner,
                generation,
                catalog: self.organization.existing().await?.uuid,
            },
            adopted_from,
        })
    }

    /// Makes the first choice, replaces the choice with the stamp `replaces`, or adopts that of
    /// the resumed run.
    async fn create(
        self,
        backend: &Slug,
        replaces: Option<Stamp>,
        interrupt: &Interrupt,
    ) -> Result<(InForce, Option<Owner>), OperationError> {
        let mut sent: Option<(InForce, Option<Owner>)> = None;
        for _ in 0..TRIES {
            let mut held = self.hold().await?;
            let generation = held.document.generation;
            if let Some((set, adopted_from)) = sent.take()
                && set.owner == held.document.owner
            {
                // Our commit landed, and the record was written again before its response
                // arrived.
                return Ok((InForce { generation, ..set }, adopted_from));
            }
            let adopted_from = self.expect_unset(&held, replaces)?;
            self.set_is_default(backend, true).await?;
            interrupt.before("commit default backend")?;
            let replaced = held.document.backend.clone();
            let own = self.organization.run.owner(generation + 1);
            let owner = Some(match adopted_from.clone() {
                None => own,
                Some(former) => own.adopting(former),
            });
            let choice = Choice {
                backend: backend.clone(),
                owner: owner.clone(),
                is_changed: replaced != *backend || adopted_from.is_none(),
            };
            let committed = self.commit(&mut held, choice).await;
            let is_committed =
                committed.map_err(|error| error.unclear_in(self.organization.run.id))?;
            let set = InForce {
                owner,
                generation: generation + 1,
                replaced,
            };
            if is_committed {
                return Ok((set, adopted_from));
            }
            sent = Some((set, adopted_from));
        }
        Err(changed())
    }

    /// Changes the caller's choice.
    async fn change(
        self,
        backend: &Slug,
        known: KnownDefault,
        interrupt: &Interrupt,
    ) -> Result<InForce, OperationError> {
        for _ in 0..TRIES {
            let mut held = self.hold().await?;
            let owner = expect_own(&held, &known, backend)?;
            self.set_is_default(backend, true).await?;
            interrupt.before("commit default backend")?;
            let set = InForce {
                owner: Some(owner.clone()),
                generation: held.document.generation,
                replaced: known.backend.clone(),
            };
            if held.document.backend == *backend {
                return Ok(set);
            }
            let choice = Choice {
                backend: backend.clone(),
                owner: Some(owner),
                is_changed: true,
            };
            if self.commit(&mut held, choice).await? {
                let generation = held.document.generation;
                return Ok(InForce { generation, ..set });
            }
        }
        Err(changed())
    }

    /// Makes the built-in backend the default again, if the caller owns the choice.
    ///
    /// Another owner's choice stays unchanged, as does the choice with which this run has replaced
    /// the caller's. An adopted choice returns to its former owner.
    ///
    /// # Errors
    ///
    /// Failures of the catalog.
    pub async fn unset(
        self,
        known: KnownDefault,
        interrupt: &Interrupt,
    ) -> Result<Destroyed, OperationError> {
        interrupt.before("unset default backend")?;
        for _ in 0..TRIES {
            let mut held = self.hold().await?;
            if held.is_absent() {
                return Ok(Destroyed::RecordMissing);
            }
            let Some(owner) = held.document.owner.clone() else {
                return Ok(Destroyed::Done);
            };
            if known.stamp.is_some_and(|stamp| stamp != owner.stamp) {
                let is_replaced =
                    owner.stamp.run == self.organization.run.id && owner.former().is_none();
                return Ok(match is_replaced {
                    true => Destroyed::Done,
                    false => Destroyed::OwnedByAnotherState(Box::new(owner)),
                });
            }
            let present = held.document.backend.clone();
            let former = self.organization.run.former_owner_of(&owner);
            let choice = match &former {
                Some(former) => Choice {
                    backend: present.clone(),
                    owner: Some(former.clone()),
                    is_changed: false,
                },
                None => Choice {
                    backend: Slug::platform_backend(),
                    owner: None,
                    is_changed: true,
                },
            };
            interrupt.before("commit default backend")?;
            if !self.commit(&mut held, choice).await? {
                continue;
            }
            if let Some(former) = former {
                return Ok(Destroyed::ReturnedToOwner(Box::new(former)));
            }
            self.organization.connections.learn_default(None);
            crate::operations::crash_hooks::crash_point("clear default backend");
            self.clear_is_default(&present).await?;
            return Ok(Destroyed::Done);
        }
        Err(changed())
    }

    /// Checks that no run has set the default, except the resumed one, and except under the stamp
    /// `replaces`. Returns the owner of a choice to adopt.
    fn expect_unset(
        self,
        held: &HeldDefault,
        replaces: Option<Stamp>,
    ) -> Result<Option<Owner>, OperationError> {
        let record = &held.document;
        let Some(owner) = &record.owner else {
            return Ok(None);
        };
        if replaces == Some(owner.stamp) {
            return Ok(None);
        }
        let is_untouched = record.is_untouched(owner);
        match self.organization.run.relation_to(owner, is_untouched) {
            OwnerRelation::ResumedRun => Ok(Some(owner.clone())),
            OwnerRelation::ThisRun => Err(OperationError::DefaultBackendDeclaredTwice),
            OwnerRelation::Other => Err(OperationError::DefaultBackendExists {
                backend: record.backend.clone(),
                existing: Box::new(ExistingRecord::new(owner.clone(), is_untouched)),
            }),
        }
    }
}

/// Checks that the caller owns the choice, and that the default is the known or the wanted
/// backend. Returns the owner.
fn expect_own(
    held: &HeldDefault,
    known: &KnownDefault,
    wanted: &Slug,
) -> Result<Owner, OperationError> {
    if held.is_absent() {
        return Err(OperationError::DefaultBackendRecordMissing);
    }
    let record = &held.document;
    // The default was unset since.
    let owner = record.owner.as_ref().ok_or_else(changed)?;
    if known.stamp.is_some_and(|stamp| stamp != owner.stamp) {
        return Err(OperationError::DefaultBackendOwnedByAnother {
            backend: record.backend.clone(),
            owner: Box::new(owner.clone()),
        });
    }
    if record.backend != known.backend && record.backend != *wanted {
        return Err(changed());
    }
    Ok(owner.clone())
}
