//! Accepts that the catalog is older than what states have seen.

use jiff::Timestamp;

use crate::catalog::GenerationFloor;
use crate::operations::{Interrupt, Keys, OperationError};

/// How often the commit is tried again while others change the organization's record.
const TRIES: usize = 5;

/// How to accept a rollback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptRollback {
    /// Accept it; otherwise only tell what there is to accept.
    pub applies: bool,
    /// Accept it though no restoration is noted in the catalog: the platform itself was restored,
    /// which leaves no note.
    pub unnoted: bool,
}

/// What was accepted, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedRollback {
    /// Time of the backup whose restoration is noted in the catalog; `None` without a note.
    pub backup_of: Option<Timestamp>,
    /// Whether there is something to accept.
    pub is_due: bool,
    /// The least generation of each record before.
    pub floor_before: u64,
    /// The least generation of each record now.
    pub floor: u64,
}

impl Keys<'_> {
    /// Makes every record count as newer than any state has seen, in one commit of the
    /// organization's record. States then take the records as they are.
    ///
    /// A killed call is repeated. Once a restoration is accepted, a repeated call finds nothing
    /// to accept, unless the caller says that the platform was restored.
    ///
    /// # Errors
    ///
    /// `RestoreUnfinished`; `ClockOutOfRange`; `ChangedConcurrently`; failures of catalog and KEK.
    pub async fn accept_rollback(
        self,
        how: AcceptRollback,
        interrupt: &Interrupt,
    ) -> Result<AcceptedRollback, OperationError> {
        let mut held = self.hold_record().await?;
        for _ in 0..TRIES {
            let mut record = held.record.clone();
            self.organization.expect_restored(&record)?;
            let restoration = record.restoration.take();
            let mut accepted = AcceptedRollback {
                backup_of: restoration.as_ref().map(|it| it.backup_of),
                is_due: restoration.is_some() || how.unnoted,
                floor_before: record.floor,
                floor: record.floor,
            };
            if !accepted.is_due || !how.applies {
                return Ok(accepted);
            }
            let now = Timestamp::now();
            let floor = GenerationFloor::at(now, &record);
            let floor = floor.ok_or(OperationError::ClockOutOfRange { now })?;
            record.floor = floor;
            record.generation = floor;
            accepted.floor = floor;
            interrupt.before("accept rollback")?;
            match self.try_commit_record(&held, &record).await? {
                None => {
                    self.organization.catalog.floor.learn(&record);
                    return Ok(accepted);
                }
                Some(now) => held = now,
            }
        }
        Err(crate::operations::keys::overtaken())
    }
}
