//! The file of a backup: one JSON object a line, a header first and a trailer last.
//!
//! It is described in docs/format.md. A writer streams it, and a reader needs one line at a time.

use std::io::{self, BufRead, Read as _, Write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::catalog::{EntryKey, ORGANIZATION_RECORD, RecordKey, StoredRecord};
use crate::names::Slug;

/// The name of the format, in the header.
const FORMAT: &str = "planton-backup";

/// The version that this release reads and writes.
const VERSION: u32 = 1;

/// The longest line. Records are far shorter: their platforms store at most a few hundred kB.
const MAX_LINE_BYTES: u64 = 8 << 20;

/// The first line of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupHeader {
    format: String,
    version: u32,
    /// Name of the organization.
    pub organization: Slug,
    /// UUID of its catalog.
    pub catalog: Uuid,
    /// Fingerprint of its MAC key, for humans: the records' own MACs decide.
    pub fingerprint: String,
    /// Time at which the backup began.
    pub taken_at: Timestamp,
}

impl BackupHeader {
    /// Describes a backup in the format of this release.
    #[must_use]
    pub fn new(
        organization: Slug,
        catalog: Uuid,
        fingerprint: String,
        taken_at: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            organization,
            catalog,
            fingerprint,
            taken_at,
        }
    }
}

/// A record, as the catalog stores it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    key: String,
    body: String,
    mac: String,
}

/// The last line of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupTrailer {
    /// Number of records.
    pub records: u64,
    /// SHA-256 of all bytes before this line, in hexadecimal.
    pub sha256: String,
    /// MAC of `sha256` under the organization's MAC key, in hexadecimal.
    pub mac: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Record(RecordLine),
    Trailer(BackupTrailer),
}

/// What is wrong with a backup, or the failure to read or write it.
#[derive(Debug, thiserror::Error)]
pub enum BackupFileError {
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    Io(#[from] io::Error),
    /// The first line is no header.
    #[error("the file is no backup")]
    NotABackup,
    /// The format has another version than this release reads.
    #[error("the backup has version {0} of the format")]
    Version(u32),
    /// The file ends before its trailer.
    #[error("the file is cut off after line {0}")]
    CutOff(u64),
    /// A line is neither a record nor the trailer, or its record is out of order.
    #[error("line {0} is damaged")]
    Line(u64),
    /// The number of records or their digest differs from the trailer's.
    #[error("the file is damaged: its contents are not those that its last line names")]
    Digest,
    /// A record or the whole file is not authenticated by the organization's MAC key.
    #[error("the MAC of {0} does not verify")]
    Mac(String),
    /// The backup is of another organization or another catalog.
    #[error("the backup is of organization {organization}, catalog {catalog}")]
    OfAnother {
        /// The organization in the backup.
        organization: Slug,
        /// The catalog in the backup.
        catalog: Uuid,
    },
}

/// Writes a backup.
//= docs/format.md#31-backups
//# A writer MUST write a backup as lines of JSON: a header, the records in this order, and a
//# trailer.
#[derive(Debug)]
pub struct BackupWriter<W: Write> {
    out: W,
    digest: Sha256,
    records: u64,
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup.
    ///
    /// # Errors
    ///
    /// Failures of `out`.
    pub fn new(out: W, header: &BackupHeader) -> Result<Self, BackupFileError> {
        let mut writer = Self {
            out,
            digest: Sha256::new(),
            records: 0,
        };
        writer.line(header)?;
        Ok(writer)
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// Failures of the writer below.
    pub fn add(&mut self, key: &RecordKey, record: &StoredRecord) -> Result<(), BackupFileError> {
        self.line(&RecordLine {
            key: key.as_str().to_owned(),
            body: record.body.clone(),
            mac: record.mac.clone(),
        })?;
        self.records += 1;
        Ok(())
    }

    /// Ends the backup with a trailer, whose MAC `authenticate` computes over its argument.
    /// Returns the number of records.
    ///
    /// # Errors
    ///
    /// Failures of the writer below.
    pub fn finish(
        mut self,
        authenticate: impl FnOnce(&str) -> String,
    ) -> Result<u64, BackupFileError> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        let trailer = BackupTrailer {
            records: self.records,
            mac: authenticate(&sha256),
            sha256,
        };
        self.line(&trailer)?;
        self.out.flush()?;
        Ok(self.records)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), BackupFileError> {
        let mut bytes = serde_json::to_vec(line).map_err(io::Error::from)?;
        bytes.push(b'\n');
        self.digest.update(&bytes);
        self.out.write_all(&bytes)?;
        Ok(())
    }
}

/// Reads a backup, one record at a time.
#[derive(Debug)]
pub struct BackupReader<R: BufRead> {
    source: R,
    header: BackupHeader,
    digest: Sha256,
    lines: u64,
    records: u64,
    last: Option<(u8, RecordKey)>,
    trailer: Option<BackupTrailer>,
}

impl<R: BufRead> BackupReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// `NotABackup`, `Version`; failures of `source`.
    pub fn new(mut source: R) -> Result<Self, BackupFileError> {
        let not_a_backup = |error| match error {
            BackupFileError::Io(error) => BackupFileError::Io(error),
            _ => BackupFileError::NotABackup,
        };
        let line = read_line(&mut source, 1).map_err(not_a_backup)?;
        let line = line.ok_or(BackupFileError::NotABackup)?;
        // A later version may have other fields.
        let any: serde_json::Value =
            serde_json::from_slice(&line).map_err(|_| BackupFileError::NotABackup)?;
        let version = any.get("version").and_then(serde_json::Value::as_u64);
        match (any.get("format").and_then(|it| it.as_str()), version) {
            (Some(FORMAT), Some(version)) if version != u64::from(VERSION) => {
                let version = u32::try_from(version).unwrap_or(u32::MAX);
                return Err(BackupFileError::Version(version));
            }
            (Some(FORMAT), Some(_)) => {}
            _ => return Err(BackupFileError::NotABackup),
        }
        let header = serde_json::from_value(any).map_err(|_| BackupFileError::NotABackup)?;
        let mut digest = Sha256::new();
        digest.update(&line);
        Ok(Self {
            source,
            header,
            digest,
            lines: 1,
            records: 0,
            last: None,
            trailer: None,
        })
    }

    /// Returns the header.
    pub fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Returns the trailer, once all records were read.
    pub fn trailer(&self) -> Option<&BackupTrailer> {
        self.trailer.as_ref()
    }

    /// Reads the next record; `None` after the last one, when the trailer agrees with what was
    /// read.
    ///
    /// # Errors
    ///
    /// `CutOff`, `Line`, `Digest`; failures of the source.
    pub fn next_record(&mut self) -> Result<Option<(RecordKey, StoredRecord)>, BackupFileError> {
        if self.trailer.is_some() {
            return Ok(None);
        }
        let number = self.lines + 1;
        let line = read_line(&mut self.source, number)?;
        let line = line.ok_or(BackupFileError::CutOff(self.lines))?;
        self.lines = number;
        let damaged = || BackupFileError::Line(number);
        match serde_json::from_slice(&line).map_err(|_| damaged())? {
            Line::Record(RecordLine { key, body, mac }) => {
                let key = RecordKey::new(key);
                let place = (rank(&key).ok_or_else(damaged)?, key.clone());
                if self.last.as_ref().is_some_and(|last| *last >= place) {
                    return Err(damaged());
                }
                self.last = Some(place);
                self.digest.update(&line);
                self.records += 1;
                Ok(Some((key, StoredRecord { body, mac })))
            }
            Line::Trailer(trailer) => {
                //= docs/format.md#31-backups
                //# A reader MUST refuse a backup that has no trailer, or whose trailer disagrees
                //# with what precedes it.
                let sha256 = hex::encode(self.digest.clone().finalize());
                let is_end = self.source.fill_buf()?.is_empty();
                if trailer.sha256 != sha256 || trailer.records != self.records || !is_end {
                    return Err(BackupFileError::Digest);
                }
                self.trailer = Some(trailer);
                Ok(None)
            }
        }
    }
}

/// Reads a line with its end; `None` at the end of the file.
fn read_line(source: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, BackupFileError> {
    let mut line = Vec::new();
    source
        .by_ref()
        .take(MAX_LINE_BYTES)
        .read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 == MAX_LINE_BYTES => Err(BackupFileError::Line(number)),
        Some(_) => Err(BackupFileError::CutOff(number - 1)),
    }
}

/// Returns the place of a record's key in a backup; `None` if no record has such a key.
///
/// The organization comes first, since its record has the key that verifies all others. Entries
/// come last: see [`backup`](crate::operations::Keys::backup).
pub(super) fn rank(key: &RecordKey) -> Option<u8> {
    let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match key.as_str().split_once('/') {
        None if key.as_str() == ORGANIZATION_RECORD => Some(0),
        Some(("secrets", bits)) => {
            (bits.len() == 15 && bits.bytes().all(is_hexadecimal)).then_some(1)
        }
        None if key.as_str() == "default" => Some(2),
        Some(("backends", name)) => name.parse::<Slug>().is_ok().then_some(3),
        Some(("entries", _)) => EntryKey::parse(key).map(|_| 4),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
