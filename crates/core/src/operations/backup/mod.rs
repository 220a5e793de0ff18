//! Copies the records of a catalog to a file, writes them back, and accepts a catalog that is
//! older than what states have seen.

mod accept;
mod file;
mod moved;
mod restore;
mod restorer;

use std::io::Write;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::organization::key as organization_key;
use super::{Interrupt, Keys, OperationError};
use crate::catalog::{CatalogError, RecordKey, StoredRecord};
use planton_envelope::MacKey;

pub use accept::{AcceptRollback, AcceptedRollback};
pub use file::{BackupFileError, BackupHeader, BackupReader, BackupTrailer, BackupWriter};
pub use restore::{
    AfterRestore, BackupSource, DifferentRecord, Restore, RestoreProgress, Restored,
};

/// How many records are read or written at once.
const AT_ONCE: usize = 8;

/// How many records are read or written before progress is reported.
const CHUNK: usize = 100;

/// What the MAC of a backup's digest is computed for, in the place of a record's key.
const BACKUP: &str = "backup";

/// What a backup has copied so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Records that were read.
    pub looked_at: usize,
    /// Records that are known to exist. Each group of records is listed when its turn comes.
    pub listed: usize,
    /// Records in the backup.
    pub records: u64,
    /// Keys of records that are not in the backup, since their MAC does not verify.
    pub altered: Vec<RecordKey>,
}

impl Keys<'_> {
    /// Writes every record of the organization's catalog to `out`, exactly as the catalog stores
    /// it. Holds a few records in memory.
    ///
    /// Each record is as it was at some time during the backup. A record is read before those
    /// that it names, since they are written before it: a secret names its backend and the entries
    /// of its objects, and the default names a backend. So the backup has every backend and every
    /// entry that a record in it names, unless they were deleted meanwhile.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; `Backup` for failures of `out`; failures of catalog and KEK.
    pub async fn backup<W: Write + Send>(
        self,
        out: W,
        report: &(dyn Fn(&BackedUp) + Sync),
        interrupt: &Interrupt,
    ) -> Result<(BackupHeader, BackedUp), OperationError> {
        interrupt.before("back up")?;
        let header = BackupHeader::new(
            self.organization.slug().clone(),
            self.organization.existing().await?.uuid,
            self.fingerprint().await?.to_string(),
            Timestamp::now(),
        );
        let mac_key = self.mac_key().await?;
        let mut writer = BackupWriter::new(out, &header)?;
        let mut done = BackedUp::default();
        let catalog = &self.organization.catalog;
        for group in ["organization", "secrets", "default", "backends", "entries"] {
            let keys = match group {
                "organization" => vec![organization_key()],
                "default" => vec![RecordKey::new(group)],
                group => catalog.list(group).await?,
            };
            done.listed += keys.len();
            for some in keys.chunks(CHUNK) {
                interrupt.before("back up")?;
                let mut read = stream::iter(some)
                    .map(|key| async move { (key, catalog.glance_at_stored(key).await) })
                    .buffered(AT_ONCE);
                while let Some((key, found)) = read.next().await {
                    let Some((stored, _)) = found? else { continue };
                    if verifies(mac_key, key, &stored) && file::rank(key).is_some() {
                        writer.add(key, &stored)?;
                        done.records += 1;
                    } else {
                        done.altered.push(key.clone());
                    }
                }
                done.looked_at += some.len();
                report(&done);
            }
        }
        done.records = writer.finish(|sha256| hex::encode(mac_of(mac_key, sha256)))?;
        Ok((header, done))
    }
}

/// Returns whether a stored record has the MAC of the organization's key.
fn verifies(mac_key: &MacKey, key: &RecordKey, stored: &StoredRecord) -> bool {
    hex::decode(&stored.mac)
        .is_ok_and(|mac| mac_key.verify(key.as_str(), stored.body.as_bytes(), &mac))
}

/// Returns the MAC of a backup with this digest.
//= docs/format.md#31-backups
//# A writer MUST compute the MAC of a backup as that of a record with the key `backup` and the
//# body `sha256`.
fn mac_of(mac_key: &MacKey, sha256: &str) -> [u8; 32] {
    mac_key.mac(BACKUP, sha256.as_bytes())
}

impl From<BackupFileError> for OperationError {
    fn from(error: BackupFileError) -> Self {
        Self::Backup(error)
    }
}

/// Returns whether a failure of the catalog is about the content of one record.
fn is_unreadable(error: &CatalogError) -> bool {
    use crate::catalog::CatalogErrorKind as K;
    matches!(error.kind(), K::Corrupt | K::Altered)
}
