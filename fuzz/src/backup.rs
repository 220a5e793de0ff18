//! Files of backups.

use planton_core::catalog::{RecordKey, StoredRecord};
use planton_core::operations::{BackupHeader, BackupReader, BackupWriter};

use crate::Verdict;

type Contents = (BackupHeader, Vec<(RecordKey, StoredRecord)>, String);

/// Reads a whole backup; `None` if it is refused.
fn read(bytes: &[u8]) -> Option<Contents> {
    let mut reader = BackupReader::new(bytes).ok()?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().ok()? {
        records.push(record);
    }
    let mac = reader.trailer().map(|trailer| trailer.mac.clone())?;
    Some((reader.header().clone(), records, mac))
}

/// What is read is written so that the same is read again.
pub(crate) fn backup(bytes: &[u8]) -> Verdict {
    let found = read(bytes);
    if let Some((header, records, mac)) = &found {
        let written = written(header, records, mac);
        assert_eq!(read(&written), found, "a backup survives a round trip");
    }
    Verdict::of(found)
}

/// Writes a backup.
pub(crate) fn written(
    header: &BackupHeader,
    records: &[(RecordKey, StoredRecord)],
    mac: &str,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BackupWriter::new(&mut bytes, header).expect("memory does not fail");
    for (key, record) in records {
        writer.add(key, record).expect("memory does not fail");
    }
    writer
        .finish(|_| mac.to_owned())
        .expect("memory does not fail");
    bytes
}
