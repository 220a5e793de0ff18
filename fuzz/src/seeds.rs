//! The seeds of the corpus: what real writers encode, and what services answer.

use std::fs;
use std::io;
use std::path::Path;

use planton_core::catalog::{RecordKey, StoredRecord};
use planton_core::kek::KeyEncryptionKey as _;
use planton_core::operations::BackupHeader;
use planton_envelope::{
    Context, DataKey, Envelope, KekId, KeyFile, LocalKey, Purpose, Sealer, SecretBytes, WrappedKey,
};
use planton_plugin::{FieldWriter, PrivateData};
use planton_vendors::age::AgeIdentity;
use uuid::Uuid;

use crate::backup;
use crate::envelope::{COUNT_AT, HEADER_BYTES};
use crate::keys::{DEK, IDENTITY};
use crate::kms::{self, block_on};

/// A certificate that nothing was ever issued under: its key was thrown away.
const CERTIFICATE: &str = include_str!("../certificate.pem");

/// `v1:a:9:9:c0ffee` in base64.
const VAULT_INDEX: &str = "djE6YTo5Ojk6YzBmZmVl";

/// `{"cluster":"a","value":"12"}` in base64.
const INDEX: &str = "eyJjbHVzdGVyIjoiYSIsInZhbHVlIjoiMTIifQ==";

/// Names and contents of seeds.
pub(crate) type Seeds = Vec<(String, Vec<u8>)>;

/// Writes the seeds of each target into its folder below `corpus`. Those of records are
/// not made here: they were taken from the catalog of a run.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(corpus: &Path) -> io::Result<()> {
    for (target, seeds) in all() {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        let whole = seeds.first().map(|(_, bytes)| bytes.clone());
        let cut = whole.map(|bytes| ("cut".to_owned(), bytes[..bytes.len() / 2].to_vec()));
        for (name, bytes) in seeds.into_iter().chain(cut) {
            fs::write(folder.join(format!("seed-{name}")), bytes)?;
        }
    }
    Ok(())
}

fn all() -> Vec<(&'static str, Seeds)> {
    let envelopes = envelopes();
    let of = |form: fn(&Envelope) -> Vec<u8>| -> Seeds {
        let seeds = envelopes.iter();
        seeds
            .map(|(name, envelope)| (name.clone(), form(envelope)))
            .collect()
    };
    let mut all = vec![
        ("envelope", of(Envelope::encode)),
        (
            "envelope_text",
            of(|envelope| {
                let text = envelope.encode_text().into_bytes();
                text[b"pse1.".len()..].to_vec()
            }),
        ),
        ("wrapped_keys", of(list_of_wraps)),
        ("key_file", key_files()),
        ("backup", backups()),
        ("age_file", age_files()),
        (
            "age_identities",
            named(&[
                ("one", IDENTITY),
                (
                    "age-keygen",
                    &format!("# created: 2026-01-01\n# public key: age1\n{IDENTITY}\r\n\n"),
                ),
                (
                    "two",
                    &format!("{IDENTITY}\n{}\n", IDENTITY.to_ascii_lowercase()),
                ),
                ("encrypted", "-----BEGIN AGE ENCRYPTED FILE-----\n"),
            ]),
        ),
        ("private_data", vec![("two".to_owned(), private_data())]),
        ("private_fields", vec![("all".to_owned(), private_fields())]),
    ];
    all.extend(texts());
    all.extend(kms::seeds());
    all
}

fn named(texts: &[(&str, &str)]) -> Seeds {
    let seeds = texts.iter();
    seeds
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect()
}

/// Returns envelopes with one to four wraps, of each purpose.
fn envelopes() -> Vec<(String, Envelope)> {
    let local = KeyFile::generate().expect("randomness");
    let local = LocalKey::new(local.current(), "acme");
    let others = [
        (
            "transit",
            "11111111-1111-4111-8111-111111111111/transit/planton",
            89,
        ),
        (
            "aws_kms",
            "arn:aws:kms::123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab",
            480,
        ),
        (
            "azure_key_vault_key",
            "https://acme.vault.azure.net/keys/secrets/0123456789abcdef",
            256,
        ),
    ];
    let purposes = [
        Purpose::Secret,
        Purpose::BackendCredential,
        Purpose::KekCredential,
        Purpose::ValueForName,
    ];
    let sealed = purposes.into_iter().enumerate().map(|(at, purpose)| {
        let context = Context {
            purpose,
            organization: Uuid::from_bytes([1; 16]),
            object: Uuid::from_bytes([2; 16]),
            backend: Uuid::from_bytes([3; 16]),
            version: 4,
            extension: (purpose != Purpose::Secret).then_some([5; 32]),
        };
        let plaintext = SecretBytes::from(b"\0correct horse".as_slice());
        let sealer = Sealer::new(context, &plaintext).expect("randomness");
        let binding = sealer.binding(local.id());
        let own = local.wrap(sealer.data_key(), &binding).expect("randomness");
        let mut wraps = vec![(local.id().clone(), own)];
        wraps.extend(others[..at].iter().map(|(provider, id, length)| {
            let kek = KekId {
                provider: (*provider).to_owned(),
                id: (*id).to_owned(),
            };
            (kek, WrappedKey::new(vec![0xA5; *length]))
        }));
        let envelope = sealer.seal(wraps).expect("within the limits");
        (format!("{purpose:?}").to_lowercase(), envelope)
    });
    sealed.collect()
}

/// Returns the number of wraps, and the wraps.
fn list_of_wraps(envelope: &Envelope) -> Vec<u8> {
    let bytes = envelope.encode();
    let payload = 32 + 32 + 4 + b"\0correct horse".len() + 16;
    let wraps = &bytes[HEADER_BYTES..bytes.len() - payload];
    [&bytes[COUNT_AT..=COUNT_AT], wraps].concat()
}

/// Returns key files without their checksum.
fn key_files() -> Seeds {
    let body = |file: &KeyFile| {
        let bytes = file.encode();
        bytes[..bytes.len() - 32].to_vec()
    };
    let mut file = KeyFile::generate().expect("randomness");
    let one = body(&file);
    file.rotate().expect("randomness");
    let two = body(&file);
    while file.rotate().expect("randomness") {}
    vec![
        ("one".to_owned(), one),
        ("two".to_owned(), two),
        ("full".to_owned(), body(&file)),
    ]
}

fn backups() -> Seeds {
    let header = BackupHeader::new(
        "acme".parse().expect("a slug"),
        Uuid::from_u128(7),
        "00".repeat(16),
        "2026-01-01T00:00:00Z".parse().expect("a time"),
    );
    let entry = format!("entries/{}/{}-{:016x}", Uuid::nil(), Uuid::max(), 1);
    let keys = [
        "organization",
        "secrets/0123456789abcde",
        "default",
        "backends/vault",
        &entry,
    ];
    let records = keys.map(|key| {
        let record = StoredRecord {
            body: r#"{"generation":1}"#.to_owned(),
            mac: "00".repeat(32),
        };
        (RecordKey::new(key), record)
    });
    let mac = "11".repeat(32);
    vec![
        ("all".to_owned(), backup::written(&header, &records, &mac)),
        ("none".to_owned(), backup::written(&header, &[], &mac)),
    ]
}

fn age_files() -> Seeds {
    let identity = AgeIdentity::parse(IDENTITY).expect("an identity");
    let dek = DataKey::copy_of(&DEK);
    let wrapped = block_on(identity.wrap(&dek, kms::context(identity.id())));
    let bytes = wrapped.expect("wrapped").as_bytes().to_vec();
    let mut altered = bytes.clone();
    altered[200] ^= 1;
    vec![("own".to_owned(), bytes), ("altered".to_owned(), altered)]
}

fn private_data() -> Vec<u8> {
    PrivateData::new()
        .with(
            "catalog",
            b"11111111-1111-4111-8111-111111111111".as_slice(),
        )
        .with("generation", b"7".as_slice())
        .encode()
}

/// Returns an entry with a field of each kind.
fn private_fields() -> Vec<u8> {
    let mut to = FieldWriter::new();
    to.fixed(&[0x11; 16]);
    to.text("acme");
    to.optional(Some(1 << 53), FieldWriter::number);
    to.optional(None, FieldWriter::number);
    to.flag(true);
    to.bytes(b"{}");
    to.number(300);
    [&[2, 4, 5, 5, 6, 3, 1, 0], &to.finish()[..]].concat()
}

/// Returns the seeds of the targets that parse a text.
fn texts() -> Vec<(&'static str, Seeds)> {
    vec![
        (
            "certificates",
            named(&[("one", CERTIFICATE), ("none", "no certificate")]),
        ),
        (
            "consistency_index",
            named(&[("openbao", INDEX), ("vault", VAULT_INDEX), ("none", "x")]),
        ),
        (
            "duration",
            named(&[("minutes", "90m"), ("mixed", "1h30m5s"), ("zero", "0s")]),
        ),
        (
            "import_id",
            named(&[
                ("secret", "prod/db-password"),
                ("bare", "db"),
                ("none", "A/b/c"),
            ]),
        ),
        (
            "resume",
            named(&[
                (
                    "value",
                    "11111111-1111-4111-8111-111111111111@2026-01-02T03:04:05Z",
                ),
                ("none", "now"),
            ]),
        ),
        (
            "retry_after",
            named(&[
                ("seconds", "7"),
                ("date", "Thu, 01 Jan 2026 00:01:40 GMT"),
                ("none", "soon"),
            ]),
        ),
        ("value", values()),
    ]
}

/// Returns values of each kind of type: a type's JSON, a zero byte, and the value.
fn values() -> Seeds {
    let object = br#"["object",{"name":"string","data":["map","string"],"on":"bool","n":"number","list":["list","dynamic"]}]"#;
    // A map of five: data, list, n, name and on, in this order.
    let value = b"\x85\xa4data\x81\xa1k\xa1v\xa4list\x91\x92\xa8\"string\"\xa1x\xa1n\x2a\xa4name\xa2db\xa2on\xc3";
    let unknown = b"\"string\"\0\xd4\0\0";
    let refined = b"\"string\"\0\xc7\x03\x0c\x81\x01\xc2";
    vec![
        ("object".to_owned(), [&object[..], b"\0", value].concat()),
        ("unknown".to_owned(), unknown.to_vec()),
        ("refined".to_owned(), refined.to_vec()),
        ("null".to_owned(), b"[\"set\",\"number\"]\0\xc0".to_vec()),
        (
            "set".to_owned(),
            b"[\"set\",\"number\"]\0\x93\x01\xcb\x3f\xf8\0\0\0\0\0\0\xa41e40".to_vec(),
        ),
        (
            "tuple".to_owned(),
            b"[\"tuple\",[\"string\",\"bool\"]]\0\x92\xa1a\xc2".to_vec(),
        ),
        (
            "cut".to_owned(),
            b"[\"list\",\"string\"]\0\xdd\xff\xff\xff\xff\xa1a".to_vec(),
        ),
    ]
}
