//! How far a migration is, by the organization's records on both platforms, and its beginning.

use jiff::Timestamp;
use uuid::Uuid;

use super::Migration;
use crate::catalog::{
    Compared, Loaded, Move, OrganizationRecord, OrganizationState, Revision, WrappedMacKey,
};
use crate::deadline::OperationContext;
use crate::operations::organization::{Opened, key};
use crate::operations::{ChangedRecord, Interrupt, OperationError};
use planton_envelope::MacKey;

/// How often the beginning is tried again while others write.
const TRIES: usize = 5;

/// A loaded record of the organization.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) record: OrganizationRecord,
    pub(super) revision: Revision,
}

impl Held {
    /// Returns whether a migration has brought the organization here.
    pub(super) fn has_arrived(&self, migration: &Move) -> bool {
        self.record.arrived_by == Some(migration.id)
    }
}

/// How far a migration is.
#[derive(Debug)]
pub(super) enum Stage {
    /// It has not begun. The target has no record, or that of a migration away from it.
    Vacant { source: Held, target: Option<Held> },
    /// The target awaits it, and perhaps the source is marked.
    Begun {
        source: Held,
        target: Held,
        id: Uuid,
    },
    /// The target has all, and the source does not say so yet.
    Complete { source: Held, id: Uuid },
    /// It is done.
    Done { source: Held, target: Held },
}

/// A migration that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// The migration, as the source's records name it.
    pub(super) moved: Move,
    /// Whether an earlier call has begun it.
    pub(super) is_resumed: bool,
    /// Whether the organization was on the target before.
    pub(super) is_return: bool,
}

impl Migration {
    /// Opens the source, whatever a migration has made of it, and returns its MAC key.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; `RestoreNotAccepted`; failures of catalog and KEK.
    pub(super) async fn open_source(&self) -> Result<&MacKey, OperationError> {
        let source = &self.source;
        let key = key();
        let loaded = source.catalog.load_fenced::<OrganizationRecord>(&key);
        let loaded = loaded.await?.ok_or_else(|| source.missing())?;
        let record = &loaded.record;
        if record.state.mac_key().is_none() {
            return Err(source.missing());
        }
        if let OrganizationState::Arriving { .. } = &record.state {
            record.state.expect_in_place()?;
        }
        if let Some(restoration) = &record.restoration {
            return Err(OperationError::RestoreNotAccepted {
                organization: source.slug().clone(),
                backup_of: restoration.backup_of,
            });
        }
        source.expect_recorded_keys(record)?;
        source.catalog.floor.learn(record);
        // A second call finds it open.
        let _is_set = source.opened.set(Opened::Loaded(loaded));
        source.keys().mac_key().await
    }

    /// Returns how far the migration is.
    ///
    /// # Errors
    ///
    /// `MigrationTargetTaken` if the target has another organization of this name, or the
    /// source itself; `Catalog(Moved)` if the source was moved elsewhere; failures of the
    /// catalogs.
    pub(super) async fn stage(&self) -> Result<Stage, OperationError> {
        use OrganizationState as S;
        let mac_key = self.open_source().await?;
        let source = self.source.catalog.load_fenced(&key()).await?;
        let source = held(source.ok_or_else(|| self.source.missing())?, mac_key)?;
        let key = key();
        let target = self.target.catalog.load_fenced::<OrganizationRecord>(&key);
        let target = target.await?;
        let Some(target) = target else {
            source.record.state.expect_in_place()?;
            if !self.target.catalog.list("").await?.is_empty() {
                return Err(self.taken());
            }
            return Ok(Stage::Vacant {
                source,
                target: None,
            });
        };
        if target.record.uuid != source.record.uuid {
            return Err(self.taken());
        }
        let target = held(target, mac_key)?;
        Ok(match (&source.record.state, &target.record.state) {
            (S::Ready { .. }, S::Moved { .. }) => Stage::Vacant {
                source,
                target: Some(target),
            },
            (S::Ready { .. }, S::Arriving { migration, .. }) => {
                let id = migration.id;
                Stage::Begun { source, target, id }
            }
            (
                S::Moving { migration, .. },
                S::Arriving {
                    migration: other, ..
                },
            ) if migration.id == other.id => {
                let id = migration.id;
                Stage::Begun { source, target, id }
            }
            // Another target may have the organization from an earlier time.
            (S::Moving { migration, .. }, S::Ready { .. }) if target.has_arrived(migration) => {
                let id = migration.id;
                Stage::Complete { source, id }
            }
            (S::Moved { migration, .. }, S::Ready { .. }) if target.has_arrived(migration) => {
                Stage::Done { source, target }
            }
            (S::Moving { .. } | S::Moved { .. }, _) => {
                source.record.state.expect_in_place()?;
                return Err(self.taken());
            }
            _ => return Err(self.taken()),
        })
    }

    /// Returns the error of a target that is no target.
    pub(super) fn taken(&self) -> OperationError {
        OperationError::MigrationTargetTaken {
            organization: self.target.slug().clone(),
        }
    }

    /// Marks both records, the target's first: a target that cannot be used is noticed before
    /// the source is out of use.
    pub(super) async fn begin(
        &self,
        stage: Stage,
        interrupt: &Interrupt,
    ) -> Result<Begun, OperationError> {
        let is_resumed = matches!(stage, Stage::Begun { .. });
        let is_return = match &stage {
            Stage::Vacant { target, .. } => target.is_some(),
            // Whatever an interrupted return has left to do.
            _ => true,
        };
        let mut stage = stage;
        for _ in 0..TRIES {
            let (source, target, id) = match stage {
                Stage::Vacant { source, target } => (source, target, Uuid::new_v4()),
                Stage::Begun { source, target, id } => (source, Some(target), id),
                Stage::Complete { .. } | Stage::Done { .. } => return Err(self.taken()),
            };
            self.open_target(&source, target.as_ref(), id, interrupt)
                .await?;
            if let Some(moved) = self.mark(&source, id, interrupt).await? {
                return Ok(Begun {
                    moved,
                    is_resumed,
                    is_return,
                });
            }
            stage = self.stage().await?;
        }
        Err(overtaken())
    }

    /// Marks the source as moving. Returns the migration that it names then; `None` if another
    /// process has changed the record first.
    async fn mark(
        &self,
        source: &Held,
        id: Uuid,
        interrupt: &Interrupt,
    ) -> Result<Option<Move>, OperationError> {
        if let OrganizationState::Moving { migration, .. } = &source.record.state {
            return Ok(Some(migration.clone()));
        }
        let migration = Move {
            id,
            place: self.to.clone(),
            since: Timestamp::now(),
        };
        let mut record = source.record.clone();
        record.generation += 1;
        record.state = OrganizationState::Moving {
            mac_key: wraps(&source.record),
            migration: migration.clone(),
        };
        interrupt.before("mark moving organization")?;
        let mac_key = self.source.keys().mac_key().await?;
        let key = key();
        let catalog = &self.source.catalog;
        let written = catalog.compare_and_set(&key, &record, Some(mac_key), source.revision);
        match OperationContext::committing(written).await? {
            Compared::Written(_) => Ok(Some(migration)),
            Compared::Overtaken(_) => Ok(None),
        }
    }
}

/// Verifies a record of the organization.
pub(super) fn held(
    loaded: Loaded<OrganizationRecord>,
    mac_key: &MacKey,
) -> Result<Held, OperationError> {
    loaded.verify(mac_key)?;
    Ok(Held {
        record: loaded.record,
        revision: loaded.revision,
    })
}

/// Returns the wraps of the MAC key in a record that has some.
pub(super) fn wraps(record: &OrganizationRecord) -> Vec<WrappedMacKey> {
    record.state.mac_key().unwrap_or_default().to_vec()
}

/// Returns the error of a commit that lost to others, again and again.
pub(super) fn overtaken() -> OperationError {
    OperationError::ChangedConcurrently {
        record: ChangedRecord::Organization,
    }
}
