//! Tests the frozen vectors of format 1 and further cases, through the public interface
//! and through the second implementation.

mod commands;
mod offline;
mod rules;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use planton_envelope::{
    Context, DataKey, Envelope, EnvelopeError, KekId, KeyFile, LocalKey, MacKey, Purpose,
    SecretValue, WrapBinding,
};
use planton_secret::{SecretBytes, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

const VECTORS: &str = include_str!("format-1.json");
const FORMAT_DOCUMENT: &str = include_str!("../../docs/format.md");

#[test]
fn every_frozen_envelope_opens_in_both_forms() {
    let vectors = read_vectors();
    let keks = read_local_keks(&vectors);
    let mut unwrapped = 0;
    for vector in list(&vectors, "envelopes") {
        let name = text(vector, "name");
        let context = read_context(&vector["context"]);
        let data_key = read_data_key(vector);
        let plaintext = bytes(vector, "plaintext");
        for stored in [bytes(vector, "envelope"), text(vector, "text").into()] {
            let envelope = Envelope::parse_stored(&stored).expect(name);
            assert_eq!(envelope.encode(), bytes(vector, "envelope"), "{name}");
            assert_eq!(envelope.encode_text(), text(vector, "text"), "{name}");
            let digest = hex::encode(envelope.payload_digest());
            assert_eq!(digest, text(vector, "payload_digest"), "{name}");
            let digest = hex::encode(envelope.wraps_digest());
            assert_eq!(digest, text(vector, "wraps_digest"), "{name}");

            for ((id, wrapped), wrap) in envelope.wrapped_keys().iter().zip(list(vector, "wraps")) {
                let binding = envelope.binding_in(&context, id);
                assert_eq!(
                    binding.as_bytes().to_vec(),
                    bytes(wrap, "binding"),
                    "{name}"
                );
                if let Some(kek) = keks.iter().find(|kek| kek.id() == id) {
                    let key = kek.unwrap(wrapped, &binding).expect(name);
                    assert!(bool::from(key.ct_eq(&data_key)), "{name}");
                    unwrapped += 1;
                }
            }

            let opened = envelope.open(&data_key, &context).expect(name);
            assert_eq!(opened.plaintext.expose(), plaintext, "{name}");
            let fingerprint = opened.fingerprint(&opened.plaintext).to_string();
            assert_eq!(fingerprint, text(vector, "fingerprint"), "{name}");
        }
    }
    assert_eq!(unwrapped, 2 * 12);
}

#[test]
fn every_frozen_refusal_is_refused_for_its_reason() {
    let vectors = read_vectors();
    let refused = list(&vectors, "refused");
    assert_eq!(refused.len(), 25);
    for vector in refused {
        let outcome = Envelope::parse_stored(&bytes(vector, "stored"))
            .and_then(|e| e.open(&read_data_key(vector), &read_context(&vector["context"])));
        let met = match outcome.expect_err(text(vector, "name")) {
            EnvelopeError::Malformed(_) => "malformed",
            EnvelopeError::UnsupportedFormat(_) | EnvelopeError::UnsupportedSuite(_) => {
                "unsupported"
            }
            EnvelopeError::Refused => "refused",
        };
        assert_eq!(met, text(vector, "error"), "{}", text(vector, "name"));
    }
}

//= docs/format.md#17-catalog-mac
//= type=test
//# A writer MUST bind each wrap of a MAC key to this value, in which `organization` is the
//# UUID.
//= docs/format.md#17-catalog-mac
//= type=test
//# A writer MUST compute the MAC of a record by this equation, over the record's exact bytes.
#[test]
fn every_frozen_record_mac_and_its_binding_hold() {
    let vectors = read_vectors();
    for vector in list(&vectors, "record_macs") {
        let key = MacKey::from_data_key(DataKey::copy_of(&array(vector, "mac_key")));
        let (record_key, body) = (text(vector, "record_key"), bytes(vector, "body"));
        assert_eq!(key.mac(record_key, &body), array(vector, "mac"));
        assert!(key.verify(record_key, &body, &bytes(vector, "mac")));

        let organization = text(vector, "organization").parse().expect("uuid");
        let id = KekId {
            provider: text(vector, "provider").to_owned(),
            id: text(vector, "kek_id").to_owned(),
        };
        let binding = WrapBinding::for_mac_key(organization, &id);
        assert_eq!(*binding.as_bytes(), array(vector, "binding"));
    }
}

//= docs/format.md#13-local-kek
//= type=test
//# Writers and readers MUST derive the keys of an organization by these equations, in which
//# `organization` is the organization's slug.
//= docs/format.md#13-local-kek
//= type=test
//# A writer MUST write `local` as `provider`, and as `kek_id` the root key's UUID in lower
//# case, `/` and the slug.
#[test]
fn every_frozen_local_key_gives_its_identifier_and_mac() {
    let vectors = read_vectors();
    let keks = read_local_keks(&vectors);
    for (kek, vector) in keks.iter().zip(list(&vectors, "local_keks")) {
        assert_eq!(kek.id().provider, "local");
        assert_eq!(kek.id().id, text(vector, "kek_id"));
        assert_eq!(kek.mac(&bytes(vector, "message")), array(vector, "mac"));
    }
}

//= docs/format.md#22-values
//= type=test
//# A writer MUST write the keys in ascending order of their UTF-8 bytes, none of them twice.
#[test]
fn every_frozen_value_has_its_one_plaintext() {
    let vectors = read_vectors();
    for vector in list(&vectors, "values") {
        let value = match &vector["value"] {
            Value::Null => SecretValue::Binary(SecretBytes::new(bytes(vector, "bytes"))),
            Value::String(text) => SecretValue::Text(SecretString::from(text.as_str())),
            pairs => {
                let pairs: BTreeMap<String, String> =
                    serde_json::from_value(pairs.clone()).expect("texts by key");
                let pairs = pairs.into_iter();
                SecretValue::KeyValue(pairs.map(|(k, v)| (k, SecretString::new(v))).collect())
            }
        };
        let plaintext = SecretBytes::new(bytes(vector, "plaintext"));
        assert!(
            bool::from(value.to_plaintext().ct_eq(&plaintext)),
            "{vector}"
        );
        let back = SecretValue::from_plaintext(&plaintext).expect("value");
        assert!(bool::from(back.ct_eq(&value)), "{vector}");
    }
}

#[test]
fn worked_example_in_the_format_document_is_a_frozen_vector() {
    let vectors = read_vectors();
    let document = FORMAT_DOCUMENT.split_whitespace().collect::<String>();
    let vector = &list(&vectors, "envelopes")[0];
    let names = [
        "data_key",
        "salt",
        "encoded_context",
        "encryption_key",
        "commitment",
        "fingerprint_key",
        "plaintext",
        "fingerprint",
        "payload_digest",
        "envelope",
        "text",
    ];
    for name in names {
        assert!(document.contains(text(vector, name)), "{name}");
    }
    for name in ["binding", "nonce", "wrapped", "kek_id"] {
        assert!(document.contains(text(&vector["wraps"][0], name)), "{name}");
    }
    for name in ["key_file", "wrap_key"] {
        assert!(
            document.contains(text(&list(&vectors, "local_keks")[0], name)),
            "{name}"
        );
    }
}

#[test]
fn second_implementation_opens_every_vector_and_refuses_every_altered_bit() {
    let vectors = read_vectors();
    let said = run_python("open_envelope.py", &["format-1.json", "rules.json"]);
    let rules = rules::read();
    let kept = rules.as_object().expect("lists by name").values();
    let expected = format!(
        "opened {}, refused {}, kept {} rules\n",
        list(&vectors, "envelopes").len(),
        list(&vectors, "refused").len(),
        kept.map(|list| list.as_array().expect("a list").len())
            .sum::<usize>()
    );
    assert_eq!(said, expected);
}

#[test]
fn second_implementation_still_seals_the_frozen_vectors() {
    // Not assert_eq, which would print both files.
    assert!(run_python("make_format_1.py", &[]).replace("\r\n", "\n") == VECTORS);
}

/// Runs a script of the second implementation, and returns its output.
fn run_python(script: &str, arguments: &[&str]) -> String {
    let python = std::env::var_os("PLANTON_TEST_PYTHON").expect(
        "PLANTON_TEST_PYTHON must name a Python that has the package `cryptography`: run \
         `cargo xtask test`, which installs one",
    );
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("PLANTON_TEST_PYTHON must name an executable");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .replace("\r\n", "\n")
}

fn read_vectors() -> Value {
    serde_json::from_str(VECTORS).expect("json")
}

fn read_local_keks(vectors: &Value) -> Vec<LocalKey> {
    let keks = list(vectors, "local_keks").iter();
    keks.map(|vector| {
        let file = KeyFile::decode(&bytes(vector, "key_file")).expect("key file");
        let index = vector["index"].as_u64().expect("number") as usize;
        let mut roots = std::iter::once(file.current()).chain(file.former());
        let root = roots.nth(index).expect("in the file");
        LocalKey::new(root, text(vector, "organization"))
    })
    .collect()
}

fn read_context(vector: &Value) -> Context {
    let uuid = |name| text(vector, name).parse::<Uuid>().expect("uuid");
    Context {
        purpose: match vector["purpose"].as_u64() {
            Some(1) => Purpose::Secret,
            Some(2) => Purpose::BackendCredential,
            Some(3) => Purpose::KekCredential,
            Some(4) => Purpose::ValueForName,
            other => panic!("purpose {other:?}"),
        },
        organization: uuid("organization"),
        object: uuid("object"),
        backend: uuid("backend"),
        version: vector["version"].as_u64().expect("number"),
        extension: vector["extension"]
            .is_string()
            .then(|| array(vector, "extension")),
    }
}

fn read_data_key(vector: &Value) -> DataKey {
    DataKey::copy_of(&array(vector, "data_key"))
}

fn list<'a>(vector: &'a Value, name: &str) -> &'a [Value] {
    vector[name].as_array().expect(name)
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect(name)
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(vector, name)).expect(name)
}

fn array<const N: usize>(vector: &Value, name: &str) -> [u8; N] {
    bytes(vector, name).try_into().expect(name)
}
