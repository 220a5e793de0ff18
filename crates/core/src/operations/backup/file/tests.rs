//! What a reader of backups accepts.

use super::*;

const SECRET: &str = "secrets/0123456789abcde";
const ENTRY: &str = "entries/00000000-0000-0000-0000-000000000001/\
                     00000000-0000-0000-0000-000000000002-0000000000000abc";

fn header() -> BackupHeader {
    BackupHeader::new(
        "acme".parse().expect("a slug"),
        Uuid::from_u128(7),
        "00".repeat(16),
        Timestamp::UNIX_EPOCH,
    )
}

fn written(keys: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BackupWriter::new(&mut bytes, &header()).expect("written");
    for key in keys {
        let record = StoredRecord {
            body: format!("{{\"of\":\"{key}\"}}"),
            mac: "ab".to_owned(),
        };
        writer.add(&RecordKey::new(*key), &record).expect("written");
    }
    writer
        .finish(|sha256| sha256.to_uppercase())
        .expect("written");
    bytes
}

/// Returns the keys of a backup.
fn read(bytes: &[u8]) -> Result<Vec<String>, BackupFileError> {
    let mut reader = BackupReader::new(bytes)?;
    let mut keys = Vec::new();
    while let Some((key, _)) = reader.next_record()? {
        keys.push(key.to_string());
    }
    let trailer = reader.trailer().expect("read to its end");
    assert_eq!(trailer.mac, trailer.sha256.to_uppercase());
    Ok(keys)
}

//= docs/format.md#31-backups
//= type=test
//# A writer MUST write a backup as lines of JSON: a header, the records in this order, and a
//# trailer.
#[test]
fn a_backup_is_read_as_it_was_written() {
    let keys = ["organization", SECRET, "default", "backends/vault", ENTRY];
    let bytes = written(&keys);
    assert_eq!(read(&bytes).expect("a backup"), keys);
    let text = String::from_utf8(bytes).expect("text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"format":"planton-backup","version":1,"organization":"acme","catalog":"00000000-0000-0000-0000-000000000007","fingerprint":"00000000000000000000000000000000","taken_at":"1970-01-01T00:00:00Z"}"#
    );
    assert_eq!(
        lines[1],
        r#"{"key":"organization","body":"{\"of\":\"organization\"}","mac":"ab"}"#
    );
    assert!(
        lines[6].starts_with(r#"{"records":5,"sha256":""#),
        "{}",
        lines[6]
    );
}

//= docs/format.md#31-backups
//= type=test
//# A reader MUST refuse a backup that has no trailer, or whose trailer disagrees with what
//# precedes it.
#[test]
fn a_backup_that_was_cut_off_anywhere_is_refused() {
    let bytes = written(&["organization", SECRET]);
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "the first {end} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(b'\n');
    assert!(matches!(read(&longer), Err(BackupFileError::Digest)));
}

#[test]
fn a_backup_with_any_changed_byte_is_refused() {
    let bytes = written(&["organization", SECRET]);
    let trailer = bytes.len()
        - 1
        - bytes
            .iter()
            .rev()
            .skip(1)
            .position(|it| *it == b'\n')
            .expect("lines");
    for at in 0..trailer {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn records_come_once_and_in_order() {
    for wrong in [
        &[SECRET, "organization"][..],
        &["organization", "organization"],
        &["backends/b", "backends/a"],
        &["backends/vault", "default"],
        &[ENTRY, SECRET],
    ] {
        let refused = read(&written(wrong));
        assert!(
            matches!(refused, Err(BackupFileError::Line(3))),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_key_that_no_record_has_is_refused() {
    for key in [
        "",
        "x",
        "secrets",
        "secrets/..",
        "secrets/0123456789abcdeF",
        "secrets/0123456789ABCDE",
        "backends/../organization",
        "backends/Upper",
        "entries/1/2-3",
        "fence/x",
    ] {
        let refused = read(&written(&[key]));
        assert!(matches!(refused, Err(BackupFileError::Line(2))), "{key:?}");
    }
}

#[test]
fn what_is_no_backup_is_named_and_so_is_a_later_version() {
    for text in [
        "",
        "\n",
        "{}\n",
        "{\"format\":\"tar\",\"version\":1}\n",
        "{\"format\"",
    ] {
        let refused = read(text.as_bytes());
        assert!(
            matches!(refused, Err(BackupFileError::NotABackup)),
            "{text:?}"
        );
    }
    let later = "{\"format\":\"planton-backup\",\"version\":2,\"chunks\":[]}\n";
    assert!(matches!(
        read(later.as_bytes()),
        Err(BackupFileError::Version(2))
    ));
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    let mut bytes = written(&[]);
    bytes.truncate(
        bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a header")
            + 1,
    );
    let source = io::Cursor::new(bytes).chain(io::repeat(b'x'));
    let mut reader = BackupReader::new(io::BufReader::new(source)).expect("a header");
    assert!(matches!(
        reader.next_record(),
        Err(BackupFileError::Line(2))
    ));
}
