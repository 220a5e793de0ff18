//! The passes of a restoration over the records of a verified backup.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::file::{BackupFileError, BackupHeader};
use super::restore::{
    BackupSource, DifferentRecord, Present, Restore, RestoreProgress, Restored, reader,
};
use super::{AT_ONCE, CHUNK, verifies};
use crate::catalog::{
    CatalogErrorKind, Compared, Loaded, OrganizationRecord, RecordKey, Restoration,
    RestorationState, Revision, StoredRecord,
};
use crate::operations::organization::key as organization_key;
use crate::operations::{Interrupt, Keys, OperationError};
use planton_envelope::MacKey;

/// How often a record is read again while others write it.
const TRIES: usize = 4;

/// What became of one record.
enum Compare {
    Missing,
    Equal,
    Different(DifferentRecord),
}

/// Compares and writes the records of a verified backup.
pub(super) struct Restorer<'a> {
    pub(super) keys: Keys<'a>,
    pub(super) mac_key: &'a MacKey,
    pub(super) what: Restore,
    /// Revision of the organization's record that says that this restoration writes; `None`
    /// while it only compares.
    pub(super) marked: Option<Revision>,
    pub(super) report: &'a (dyn Fn(RestoreProgress) + Sync),
    pub(super) interrupt: &'a Interrupt,
}

impl Restorer<'_> {
    /// Compares the organization's record, whose restoration begins and ends all others. One
    /// that verifies stays as it is: its wraps are those of the present keys.
    pub(super) fn look_at_organization(
        &self,
        present: &Present,
        own: &Loaded<OrganizationRecord>,
        restored: &mut Restored,
    ) {
        match present {
            Present::Absent => restored.missing += 1,
            Present::Verified(_) => restored.equal += 1,
            present @ Present::Unreadable(_) => restored.different.push(DifferentRecord {
                key: organization_key(),
                in_backup: Some(own.record.generation),
                in_catalog: present.record().map(|record| record.generation),
                is_altered: true,
            }),
        }
    }

    /// Compares all other records, and writes them if that was asked for.
    pub(super) async fn look_at_all<R: BackupSource>(
        &self,
        source: &mut R,
        restored: &mut Restored,
    ) -> Result<(), OperationError> {
        let mut reader = reader(source)?;
        let mut looked_at = 0;
        loop {
            self.interrupt.before("restore")?;
            self.expect_marked().await?;
            let mut some = Vec::with_capacity(CHUNK);
            while some.len() < CHUNK
                && let Some(record) = reader.next_record()?
            {
                some.push(record);
            }
            if some.is_empty() {
                return Ok(());
            }
            looked_at += some.len() as u64;
            some.retain(|(key, _)| *key != organization_key());
            let mut each = stream::iter(some)
                .map(|(key, stored)| async move { self.look_at(&key, &stored).await })
                .buffered(AT_ONCE);
            while let Some(compared) = each.next().await {
                match compared? {
                    Compare::Missing => restored.missing += 1,
                    Compare::Equal => restored.equal += 1,
                    Compare::Different(record) => restored.different.push(record),
                }
            }
            (self.report)(RestoreProgress {
                looked_at,
                total: restored.records,
            });
        }
    }

    /// Checks that no other restoration has begun since, and none was accepted: this one would
    /// replace what was written afterwards.
    async fn expect_marked(&self) -> Result<(), OperationError> {
        let Some(marked) = self.marked else {
            return Ok(());
        };
        let catalog = &self.keys.organization.catalog;
        let found = catalog.read_stored(&organization_key()).await?;
        match found {
            Some((_, revision)) if revision == marked => Ok(()),
            _ => Err(crate::operations::keys::overtaken()),
        }
    }

    /// Compares one record, and writes it if it is missing, or replaces it if it differs and that
    /// was asked for.
    async fn look_at(
        &self,
        key: &RecordKey,
        stored: &StoredRecord,
    ) -> Result<Compare, OperationError> {
        // The file may have been replaced since it was verified.
        if !verifies(self.mac_key, key, stored) {
            return Err(BackupFileError::Mac(key.to_string()).into());
        }
        let catalog = &self.keys.organization.catalog;
        let mut found = catalog.glance_at_stored(key).await?;
        if found.as_ref().is_some_and(|(found, _)| found != stored) {
            found = catalog.read_stored(key).await?;
        }
        for _ in 0..TRIES {
            let (compared, expected) = match found {
                None => (Compare::Missing, Revision::ABSENT),
                Some((found, _)) if found == *stored => return Ok(Compare::Equal),
                Some((found, revision)) => {
                    let different = Compare::Different(DifferentRecord {
                        key: key.clone(),
                        in_backup: generation(stored),
                        in_catalog: generation(&found),
                        is_altered: !verifies(self.mac_key, key, &found),
                    });
                    if !self.what.overwrites {
                        return Ok(different);
                    }
                    (different, revision)
                }
            };
            if self.marked.is_none() {
                return Ok(compared);
            }
            crate::operations::crash_hooks::crash_point("restore record");
            match catalog.write_stored(key, stored, expected).await {
                Ok(_) => return Ok(compared),
                Err(error) if error.kind() == CatalogErrorKind::Conflict => {
                    found = catalog.read_stored(key).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(crate::operations::keys::overtaken())
    }

    /// Writes to the organization's record that a restoration is writing.
    ///
    /// The generation stays that of the record: a raise would hide from states that the record is
    /// older than one that they have seen.
    pub(super) async fn begin(
        &self,
        present: &Present,
        own: &Loaded<OrganizationRecord>,
        header: &BackupHeader,
    ) -> Result<(OrganizationRecord, Revision), OperationError> {
        let (record, revision) = match present {
            Present::Verified(found) => (&found.record, found.revision),
            Present::Unreadable(revision) => (&own.record, *revision),
            Present::Absent => {
                self.keys.organization.catalog.expect_usable().await?;
                (&own.record, Revision::ABSENT)
            }
        };
        let mut record = record.clone();
        record.floor = record
            .floor
            .max(self.keys.organization.catalog.floor.value());
        record.restoration = Some(Restoration {
            id: Uuid::new_v4(),
            state: RestorationState::Writing,
            backup_of: header.taken_at,
            began_at: Timestamp::now(),
        });
        self.interrupt.before("begin restore")?;
        let revision = self.commit(&record, revision).await?;
        Ok((record, revision))
    }

    /// Writes to the organization's record that all records are written.
    pub(super) async fn end(
        &self,
        (mut record, revision): (OrganizationRecord, Revision),
    ) -> Result<(), OperationError> {
        if let Some(restoration) = &mut record.restoration {
            restoration.state = RestorationState::Written;
        }
        self.interrupt.before("end restore")?;
        self.commit(&record, revision).await?;
        Ok(())
    }

    async fn commit(
        &self,
        record: &OrganizationRecord,
        expected: Revision,
    ) -> Result<Revision, OperationError> {
        let catalog = &self.keys.organization.catalog;
        let key = organization_key();
        let written = catalog.compare_and_set(&key, record, Some(self.mac_key), expected);
        match written.await? {
            Compared::Written(revision) => Ok(revision),
            Compared::Overtaken(_) => Err(crate::operations::keys::overtaken()),
        }
    }
}

/// Returns the generation of a record's document.
fn generation(stored: &StoredRecord) -> Option<u64> {
    #[derive(Deserialize)]
    struct Generation {
        generation: u64,
    }
    let parsed: Option<Generation> = serde_json::from_str(&stored.body).ok();
    parsed.map(|parsed| parsed.generation)
}
