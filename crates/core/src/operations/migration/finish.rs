//! The whole migration, and its end.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::Migration;
use super::copy::Copying;
use super::report::{Migrated, Unmoved};
use super::stage::{Held, Stage, held, overtaken, wraps};
use crate::catalog::{Catalog, Compared, Move, OrganizationRecord, OrganizationState};
use crate::deadline::{OperationContext, Stop, duration_in_tests};
use crate::operations::organization::key;
use crate::operations::{Interrupt, OperationError};

/// How long after the mark the names are listed for the last time. Whoever creates a record has
/// looked for the mark at most 10 s before the request is sent, and the request may be on its
/// way for the rest of the time.
const FENCE_WAIT: Duration = Duration::from_secs(60);

impl Migration {
    /// Moves the organization, or continues to.
    ///
    /// A record or a version that fails does not keep the others from being moved. The
    /// organization is then on neither platform, until a later call has moved the rest.
    ///
    /// # Errors
    ///
    /// `MigrationTargetTaken`; `KeyNotAllowed`; `Interrupted`; failures of catalogs and KEKs
    /// that concern everything.
    pub async fn run(
        &self,
        report: &(dyn Fn(&Migrated) + Sync),
        interrupt: &Interrupt,
    ) -> Result<Migrated, OperationError> {
        interrupt.before("migrate")?;
        let mut done = Migrated::default();
        match self.stage().await? {
            Stage::Done { source, target } => {
                done.is_complete = true;
                done.unopened = self.close(&source, &target, interrupt).await?;
                return Ok(done);
            }
            Stage::Complete { source, id } => {
                self.point(&source, id, interrupt).await?;
                done.is_complete = true;
                if let Stage::Done { source, target } = self.stage().await? {
                    done.unopened = self.close(&source, &target, interrupt).await?;
                }
                return Ok(done);
            }
            stage => {
                let show = |looked_at, total| {
                    report(&Migrated {
                        looked_at,
                        total,
                        ..Migrated::default()
                    });
                };
                done.failed = self.stragglers(&stage, &show, interrupt).await?;
                if !done.failed.is_empty() {
                    return Ok(done);
                }
                let begun = self.begin(stage, interrupt).await?;
                let marked = Instant::now();
                let mut copying = Copying::new(self, &begun, interrupt).await?;
                let former = copying.former_entries().await?;
                self.expect_arriving(&begun.moved).await?;
                copying.pass(&mut done, report).await?;
                wait_until(marked + fence_wait()).await?;
                interrupt.before("last listing")?;
                self.expect_arriving(&begun.moved).await?;
                // The last pass tries again what has failed in the first.
                done.failed.clear();
                copying.pass(&mut done, report).await?;
                if done.failed.is_empty() {
                    self.expect_arriving(&begun.moved).await?;
                    copying.remove_former_entries(&former).await?;
                    copying.verify(&mut done, report).await?;
                    if !done.failed.is_empty() {
                        // A target in use differs from the source, and nothing is wrong.
                        self.expect_arriving(&begun.moved).await?;
                    }
                }
                if done.failed.is_empty() {
                    self.finish(&begun.moved, interrupt).await?;
                    done.is_complete = true;
                    // An earlier call may have copied some of them.
                    done.unopened = copying.close().await?;
                }
            }
        }
        Ok(done)
    }

    /// Copies what has reached the source after its last listing. That takes a writer whose
    /// machine stopped between its look and its request, so there is nothing as a rule.
    ///
    /// # Errors
    ///
    /// `MigrationNotDone`; otherwise as [`run`](Self::run).
    pub async fn sweep(
        &self,
        report: &(dyn Fn(&Migrated) + Sync),
        interrupt: &Interrupt,
    ) -> Result<Migrated, OperationError> {
        let Stage::Done { source, target } = self.stage().await? else {
            return Err(OperationError::MigrationNotDone {
                organization: self.source.slug().clone(),
            });
        };
        let mac_key = self.source.keys().mac_key().await?;
        let mut done = Migrated {
            is_complete: true,
            ..Migrated::default()
        };
        if let Some(begun) = self.reopen(&source, &target, mac_key).await? {
            let mut copying = Copying::new(self, &begun, interrupt).await?;
            copying.sweeps = true;
            copying.pass(&mut done, report).await?;
            done.unopened = copying.close().await?;
        }
        Ok(done)
    }

    /// Deletes what a migration that is done has superseded. Returns the versions that it has
    /// copied without opening them.
    async fn close(
        &self,
        source: &Held,
        target: &Held,
        interrupt: &Interrupt,
    ) -> Result<Vec<Unmoved>, OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        match self.reopen(source, target, mac_key).await? {
            Some(begun) => Copying::new(self, &begun, interrupt).await?.close().await,
            None => Ok(Vec::new()),
        }
    }

    /// Checks that the target still awaits this migration. While this call waited, another may
    /// have finished, and others may use the target.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently`; failures of the catalog.
    pub(super) async fn expect_arriving(&self, moved: &Move) -> Result<(), OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        let target = self.target.catalog.load_fenced(&key()).await?;
        let target = held(target.ok_or_else(|| self.target.missing())?, mac_key)?;
        match &target.record.state {
            OrganizationState::Arriving { migration, .. } if migration.id == moved.id => Ok(()),
            _ => Err(overtaken()),
        }
    }

    /// Lets others use the target, and leaves the way to it on the source.
    async fn finish(&self, moved: &Move, interrupt: &Interrupt) -> Result<(), OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        let target = self.target.catalog.load_fenced(&key()).await?;
        let target = held(target.ok_or_else(|| self.target.missing())?, mac_key)?;
        let source = self.source.catalog.load_fenced(&key()).await?;
        let source = held(source.ok_or_else(|| self.source.missing())?, mac_key)?;
        expect_left(&source, moved)?;
        if let OrganizationState::Arriving { migration, .. } = &target.record.state
            && migration.id == moved.id
        {
            let mut record = target.record.clone();
            record.generation = record.generation.max(source.record.generation) + 1;
            record.state = OrganizationState::Ready {
                mac_key: wraps(&record),
            };
            record.arrived_by = Some(moved.id);
            interrupt.before("finish arriving organization")?;
            self.commit(&self.target.catalog, &target, record).await?;
        } else if !target.has_arrived(moved) {
            return Err(overtaken());
        }
        self.point(&source, moved.id, interrupt).await
    }

    /// Leaves the way to the target of the migration `id` on the source.
    async fn point(
        &self,
        source: &Held,
        id: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let migration = match &source.record.state {
            OrganizationState::Moving { migration, .. } if migration.id == id => migration,
            // Another call has finished.
            OrganizationState::Moved { migration, .. } if migration.id == id => return Ok(()),
            _ => return Err(overtaken()),
        };
        let mut record = source.record.clone();
        record.generation += 1;
        record.state = OrganizationState::Moved {
            mac_key: wraps(&record),
            migration: migration.clone(),
        };
        interrupt.before("point to target")?;
        self.commit(&self.source.catalog, source, record).await
    }

    /// Commits a record of the organization. Another call may have committed the same.
    async fn commit(
        &self,
        catalog: &Catalog,
        present: &Held,
        record: OrganizationRecord,
    ) -> Result<(), OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        let key = key();
        let written = catalog.compare_and_set(&key, &record, Some(mac_key), present.revision);
        match OperationContext::committing(written).await? {
            Compared::Written(revision) => {
                if let Err(error) = catalog.forget_history(&key, revision).await {
                    tracing::warn!(%error, "earlier wraps of the MAC key stay in the history");
                }
                Ok(())
            }
            Compared::Overtaken(Some(now))
                if std::mem::discriminant(&now.record.state)
                    == std::mem::discriminant(&record.state)
                    && now.record.arrived_by == record.arrived_by =>
            {
                Ok(now.verify(mac_key)?)
            }
            Compared::Overtaken(_) => Err(overtaken()),
        }
    }
}

/// Checks that the source is out of use by this migration, before the target comes into use. A
/// record that something else has put there would leave both in use.
fn expect_left(source: &Held, moved: &Move) -> Result<(), OperationError> {
    match &source.record.state {
        OrganizationState::Moving { migration, .. }
        | OrganizationState::Moved { migration, .. }
            if migration.id == moved.id =>
        {
            Ok(())
        }
        _ => Err(overtaken()),
    }
}

fn fence_wait() -> Duration {
    duration_in_tests("PLANTON_TEST_MOVE_WAIT_MS", FENCE_WAIT)
}

/// Waits until `time`.
async fn wait_until(time: Instant) -> Result<(), OperationError> {
    let wait = time.saturating_duration_since(Instant::now());
    let paused = OperationContext::current().pause(wait).await;
    paused.map_err(|stop| OperationError::Interrupted {
        step: "last listing",
        timed_out: stop == Stop::DeadlinePassed,
    })
}
