//! Writes the records of a backup to a catalog that lacks them.

use std::io::{BufRead, Seek};

use super::file::{BackupFileError, BackupHeader, BackupReader};
use super::restorer::Restorer;
use super::{is_unreadable, mac_of, verifies};
use crate::catalog::{Loaded, OrganizationRecord, RecordKey, RestorationState, Revision};
use crate::kek::KekErrorKind;
use crate::operations::organization::{Opened, key as organization_key};
use crate::operations::{Interrupt, Keys, OperationError};

/// A file to restore from. It is read more than once.
pub trait BackupSource: BufRead + Seek + Send {}

impl<T: BufRead + Seek + Send> BackupSource for T {}

/// What to do with the records of a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// Write what is missing; otherwise only compare.
    pub applies: bool,
    /// Also replace the records that differ from the backup.
    pub overwrites: bool,
}

/// How far a restoration has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreProgress {
    /// Records that were compared or written.
    pub looked_at: u64,
    /// Records in the backup.
    pub total: u64,
}

/// A record that differs from that of the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferentRecord {
    /// Its key.
    pub key: RecordKey,
    /// Its generation in the backup; `None` for a record that has none.
    pub in_backup: Option<u64>,
    /// Its generation in the catalog.
    pub in_catalog: Option<u64>,
    /// Whether the catalog's record has a MAC that does not verify.
    pub is_altered: bool,
}

/// Result of a restoration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The backup.
    pub header: BackupHeader,
    /// Records in the backup.
    pub records: u64,
    /// Records that were missing in the catalog. They are written, if that was asked for.
    pub missing: u64,
    /// Records that the catalog has as the backup has them.
    pub equal: u64,
    /// Records that differ. They are replaced, if that was asked for.
    pub different: Vec<DifferentRecord>,
    /// Whether this call wrote to the catalog.
    pub applied: bool,
    /// What has to follow.
    pub next: AfterRestore,
}

/// What has to follow a comparison or a restoration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRestore {
    /// Nothing.
    Nothing,
    /// A restoration with the same backup, since one was interrupted. Until then, no other
    /// process opens the organization.
    Restore,
    /// [`accept_rollback`](Keys::accept_rollback).
    AcceptRollback,
}

/// The organization's record in the catalog, if there is one.
pub(super) enum Present {
    Absent,
    /// It is no record, or its MAC does not verify.
    Unreadable(Revision),
    Verified(Box<Loaded<OrganizationRecord>>),
}

impl Keys<'_> {
    /// Compares a backup with the catalog, and on request writes what the catalog lacks. A killed
    /// call is repeated with the same backup.
    ///
    /// The backup is verified as a whole before anything is written. While records are written,
    /// the organization's record says so, and no other process opens the organization: it could
    /// take the absence of a record for a fact.
    ///
    /// Requires a process of its own ([`for_restoring`](crate::operations::Organization::for_restoring)).
    ///
    /// # Errors
    ///
    /// `Backup` for a file that is damaged, or of another catalog; `PinsMissing` if neither the
    /// catalog nor a pin vouches for the MAC key; `Catalog(Moved)` for a platform that the
    /// organization has left; `Catalog(Altered)`; `ChangedConcurrently`; failures of catalog and
    /// KEK.
    pub async fn restore<R: BackupSource>(
        self,
        source: &mut R,
        what: Restore,
        report: &(dyn Fn(RestoreProgress) + Sync),
        interrupt: &Interrupt,
    ) -> Result<Restored, OperationError> {
        interrupt.before("restore")?;
        let (header, own) = self.expect_own(source)?;
        let present = self.open_for_restoring(&own, what, interrupt).await?;
        let records = self.verify_backup(source).await?;
        let mut restored = Restored {
            header,
            records,
            missing: 0,
            equal: 0,
            different: Vec::new(),
            applied: false,
            next: present.next(),
        };
        let mut restorer = Restorer {
            keys: self,
            mac_key: self.mac_key().await?,
            what,
            marked: None,
            report,
            interrupt,
        };
        restorer.look_at_organization(&present, &own, &mut restored);
        restorer.look_at_all(source, &mut restored).await?;
        let replaced = match what.overwrites {
            true => restored.different.len(),
            false => 0,
        };
        let is_due = restored.missing > 0 || replaced > 0 || restored.next == AfterRestore::Restore;
        if !what.applies || !is_due {
            return Ok(restored);
        }
        let marked = restorer.begin(&present, &own, &restored.header).await?;
        restorer.marked = Some(marked.1);
        // What others have written since the comparison is part of the result.
        let mut written = Restored {
            missing: 0,
            equal: 0,
            different: Vec::new(),
            applied: true,
            next: AfterRestore::AcceptRollback,
            ..restored
        };
        restorer.look_at_organization(&present, &own, &mut written);
        restorer.look_at_all(source, &mut written).await?;
        restorer.end(marked).await?;
        Ok(written)
    }

    /// Checks that a backup is of this organization. Returns its header and the organization's
    /// record in it.
    fn expect_own<R: BackupSource>(
        self,
        source: &mut R,
    ) -> Result<(BackupHeader, Loaded<OrganizationRecord>), OperationError> {
        let mut reader = reader(source)?;
        let header = reader.header().clone();
        let of_another = || BackupFileError::OfAnother {
            organization: header.organization.clone(),
            catalog: header.catalog,
        };
        if header.organization != *self.organization.slug() {
            return Err(of_another().into());
        }
        let key = organization_key();
        let Some((first, stored)) = reader.next_record()? else {
            return Err(BackupFileError::Line(2).into());
        };
        if first != key {
            return Err(BackupFileError::Line(2).into());
        }
        let own: Loaded<OrganizationRecord> = self
            .organization
            .catalog
            .parse(&key, (stored, Revision::ABSENT))?;
        let record = &own.record;
        if record.organization != header.organization || record.uuid != header.catalog {
            return Err(of_another().into());
        }
        if !record.state.is_ready() {
            return Err(BackupFileError::Line(2).into());
        }
        Ok((header, own))
    }

    /// Opens the organization by its record in the catalog, or else by that in the backup.
    async fn open_for_restoring(
        self,
        own: &Loaded<OrganizationRecord>,
        what: Restore,
        interrupt: &Interrupt,
    ) -> Result<Present, OperationError> {
        let organization = self.organization;
        let key = organization_key();
        let found = organization.catalog.read_stored(&key).await?;
        let revision = found.as_ref().map(|(_, revision)| *revision);
        let parsed = found.map(|found| {
            organization
                .catalog
                .parse::<OrganizationRecord>(&key, found)
        });
        let present = match parsed.transpose() {
            Ok(None) => None,
            Ok(Some(found)) => {
                if found.record.uuid != own.record.uuid {
                    return Err(OperationError::DifferentPlatform {
                        expected: own.record.uuid,
                        found: Some(found.record.uuid),
                    });
                }
                Some(found)
            }
            Err(error) if what.overwrites && is_unreadable(&error) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(found) = present {
            match self.open_by(&found).await {
                Ok(()) => {
                    if let Err(moved) = found.record.state.expect_in_place() {
                        return Err(Box::pin(self.checked_move(&found, moved)).await);
                    }
                    self.expect_openable(own).await?;
                    return Ok(Present::Verified(Box::new(found)));
                }
                Err(error) if what.overwrites && self.is_replaceable(&found.record, &error) => {}
                Err(error) => return Err(error),
            }
        }
        // Whoever may encrypt under the KEK could have made up this MAC key, and all records.
        if what.applies && organization.pins.organization.is_none() {
            return Err(OperationError::PinsMissing {
                fingerprint: true,
                allowed_key_ids: false,
            });
        }
        self.open_by(own).await?;
        self.expect_nothing_moved(interrupt).await?;
        Ok(revision.map_or(Present::Absent, Present::Unreadable))
    }

    /// Returns whether this failure to open the organization's record comes from the content of
    /// the record.
    ///
    /// A pin must vouch for the record in the backup. Without one, nothing says which of two
    /// records with different MAC keys is the organization's. A record that says that the
    /// organization has moved stays: without its key, nobody can tell whether that is true.
    fn is_replaceable(self, found: &OrganizationRecord, error: &OperationError) -> bool {
        let is_pinned =
            self.organization.pins.organization.is_some() && found.state.expect_in_place().is_ok();
        match error {
            OperationError::Catalog(error) => is_unreadable(error),
            // No key at all, a wrap that was changed, or the MAC key of somebody else.
            OperationError::OrganizationMissing { .. }
            | OperationError::AnotherFingerprint { .. } => is_pinned,
            OperationError::Kek(error) => is_pinned && error.kind() == KekErrorKind::Refused,
            _ => false,
        }
    }

    /// Checks that the present keys open the MAC key of the backup. Otherwise they would not
    /// open the versions of its records either: the organization has moved, or has another key.
    async fn expect_openable(self, own: &Loaded<OrganizationRecord>) -> Result<(), OperationError> {
        let organization = self.organization;
        let wraps = own.record.state.mac_key();
        let wraps = wraps.ok_or_else(|| organization.missing())?;
        organization.expect_recorded_keys(&own.record)?;
        let mac_key = self.unwrap_mac_key(own.record.uuid, wraps).await?;
        own.verify(&mac_key)?;
        Ok(())
    }

    /// Opens the organization by this record, and unwraps its MAC key.
    async fn open_by(self, loaded: &Loaded<OrganizationRecord>) -> Result<(), OperationError> {
        let organization = self.organization;
        let wraps = loaded.record.state.mac_key();
        let wraps = wraps.ok_or_else(|| organization.missing())?;
        organization.expect_recorded_keys(&loaded.record)?;
        let mac_key = self.unwrap_mac_key(loaded.record.uuid, wraps).await?;
        self.expect_pinned(&mac_key)?;
        loaded.verify(&mac_key)?;
        organization.catalog.floor.learn(&loaded.record);
        let open = async || Ok::<_, OperationError>(Opened::Loaded(loaded.clone()));
        organization.opened.get_or_try_init(open).await?;
        let unwrapped = async || Ok::<_, OperationError>(mac_key);
        organization.mac_key.get_or_try_init(unwrapped).await?;
        Ok(())
    }

    /// Verifies the MAC of each record and of the whole backup. Returns the number of records.
    //= docs/format.md#31-backups
    //# A reader MUST NOT write a record of a backup before it has verified the MACs of all
    //# records and of the backup.
    async fn verify_backup<R: BackupSource>(self, source: &mut R) -> Result<u64, OperationError> {
        let mac_key = self.mac_key().await?;
        let mut reader = reader(source)?;
        while let Some((key, stored)) = reader.next_record()? {
            if !verifies(mac_key, &key, &stored) {
                return Err(BackupFileError::Mac(key.to_string()).into());
            }
        }
        let trailer = reader.trailer().ok_or(BackupFileError::Digest)?;
        let mac = hex::encode(mac_of(mac_key, &trailer.sha256));
        if !bool::from(subtle::ConstantTimeEq::ct_eq(
            mac.as_bytes(),
            trailer.mac.as_bytes(),
        )) {
            return Err(BackupFileError::Mac("the backup".to_owned()).into());
        }
        Ok(trailer.records)
    }
}

impl Present {
    pub(super) fn record(&self) -> Option<&OrganizationRecord> {
        match self {
            Self::Verified(loaded) => Some(&loaded.record),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    fn next(&self) -> AfterRestore {
        let restoration = self.record().and_then(|it| it.restoration.as_ref());
        match restoration.map(|it| it.state) {
            None => AfterRestore::Nothing,
            Some(RestorationState::Writing) => AfterRestore::Restore,
            Some(RestorationState::Written) => AfterRestore::AcceptRollback,
        }
    }
}

pub(super) fn reader<R: BackupSource>(
    source: &mut R,
) -> Result<BackupReader<&mut R>, BackupFileError> {
    source.rewind()?;
    BackupReader::new(source)
}
