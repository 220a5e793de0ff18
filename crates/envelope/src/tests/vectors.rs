//! Tests the frozen vectors in the direction that needs a given key and salt.
//!
//! `tests/vectors.rs` opens them through the public interface.

use serde_json::Value;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::*;
use crate::derive::VersionKeys;
use crate::{DataKey, KeyFile, Purpose, WrapBinding};

const VECTORS: &str = include_str!("../../../../tests/vectors/format-1.json");

//= docs/format.md#3-layout
//= type=test
//# A writer MUST encode an envelope as the fields of this table, in this order.
//= docs/format.md#6-text-form
//= type=test
//# A writer MUST encode the text form as `pse1.` and the envelope in base64url without padding
//# (RFC 4648, section 5).
//= docs/format.md#10-payload
//= type=test
//# A writer MUST encrypt the payload by this equation, in which `length` is the four bytes of
//# the plaintext's length.
//= docs/format.md#12-wrapped-deks
//= type=test
//# A writer MUST bind each wrap to this value, so that it opens neither in another envelope
//# nor under another KEK's name.
//= docs/format.md#13-local-kek
//= type=test
//# Writers and readers MUST derive the keys of an organization by these equations, in which
//# `organization` is the organization's slug.
//= docs/format.md#15-fingerprint
//= type=test
//# A writer MUST compute the fingerprint of a version by this equation.
//= docs/format.md#16-payload-digest
//= type=test
//# A writer MUST record as payload digest SHA-256 of the payload part in its binary form.
#[test]
fn sealing_gives_the_frozen_vectors_byte_for_byte() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("json");
    let keks = read_local_keks(&vectors);
    let envelopes = list(&vectors, "envelopes");
    assert_eq!(envelopes.len(), 9);
    for vector in envelopes {
        let name = text(vector, "name");
        let plaintext = SecretBytes::new(bytes(vector, "plaintext"));
        let sealer = Sealer::from_parts(
            read_context(&vector["context"]),
            &plaintext,
            read_data_key(vector),
            array(vector, "salt"),
        )
        .expect("sealer");
        let wraps = list(vector, "wraps")
            .iter()
            .map(|wrap| seal_wrap(&sealer, &keks, wrap))
            .collect();
        let fingerprint = sealer.fingerprint().to_string();
        assert_eq!(fingerprint, text(vector, "fingerprint"), "{name}");

        let envelope = sealer.seal(wraps).expect("envelope");
        assert_eq!(
            hex::encode(envelope.encode()),
            text(vector, "envelope"),
            "{name}"
        );
        assert_eq!(envelope.encode_text(), text(vector, "text"), "{name}");
        let digest = hex::encode(envelope.payload_digest());
        assert_eq!(digest, text(vector, "payload_digest"), "{name}");
        let digest = hex::encode(envelope.wraps_digest());
        assert_eq!(digest, text(vector, "wraps_digest"), "{name}");
    }
}

//= docs/format.md#9-keys-of-a-version
//= type=test
//# Writers and readers MUST derive the keys of a version by these equations, in which the salt
//# is the salt of the extraction and the DEK its input key.
#[test]
fn derivation_gives_the_frozen_keys() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("json");
    for vector in list(&vectors, "envelopes") {
        let context = read_context(&vector["context"]).encode();
        assert_eq!(context, bytes(vector, "encoded_context"));
        let keys = VersionKeys::derive(&read_data_key(vector), &array(vector, "salt"), &context);
        assert_eq!(**keys.encryption, array(vector, "encryption_key"));
        assert_eq!(*keys.commitment.as_bytes(), array(vector, "commitment"));
    }
}

//= docs/format.md#12-wrapped-deks
//= type=test
//# For a KEK that takes no associated data, a writer MUST wrap the 64 bytes `DEK ‖ binding` in
//# place of the DEK.
#[test]
fn every_frozen_bound_key_comes_out_for_its_binding() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("json");
    let vectors = list(&vectors, "bound_keys");
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let id = kek_id(text(vector, "provider"), text(vector, "kek_id"));
        let context = read_context(&vector["context"]).encode();
        let binding = WrapBinding::for_data_key(&context, &id, &array(vector, "commitment"));
        assert_eq!(*binding.as_bytes(), array(vector, "binding"));
        let bound = SecretBytes::new(bytes(vector, "plaintext"));
        let key = DataKey::from_bound(&bound, &binding).expect("its binding");
        assert!(bool::from(key.ct_eq(&read_data_key(vector))));
        assert_eq!(key.with_binding(&binding).expose(), bound.expose());
    }
}

/// Wraps again with a local KEK; returns the frozen wrapped key of any other KEK.
fn seal_wrap(sealer: &Sealer, keks: &[LocalKey], wrap: &Value) -> (KekId, WrappedKey) {
    let id = kek_id(text(wrap, "provider"), text(wrap, "kek_id"));
    let binding = sealer.binding(&id);
    assert_eq!(hex::encode(binding.as_bytes()), text(wrap, "binding"));
    let frozen = WrappedKey::new(bytes(wrap, "wrapped"));
    if let Some(kek) = keks.iter().find(|kek| *kek.id() == id) {
        let nonce = array(wrap, "nonce");
        let wrapped = kek.wrap_with_nonce(sealer.data_key(), &binding, &nonce);
        assert_eq!(wrapped, frozen);
    }
    (id, frozen)
}

fn read_local_keks(vectors: &Value) -> Vec<LocalKey> {
    let keks = list(vectors, "local_keks").iter();
    keks.map(|vector| {
        let file = KeyFile::decode(&bytes(vector, "key_file")).expect("key file");
        let id = text(vector, "kek_id").split_once('/').expect("a UUID").0;
        let mut roots = std::iter::once(file.current()).chain(file.former());
        let root = roots.find(|root| root.id().to_string() == id);
        LocalKey::new(root.expect("in the file"), text(vector, "organization"))
    })
    .collect()
}

fn read_context(vector: &Value) -> Context {
    let uuid = |name| text(vector, name).parse::<Uuid>().expect("uuid");
    let purpose = vector["purpose"].as_u64().expect("number");
    Context {
        purpose: Purpose::from_byte(purpose as u8).expect("purpose"),
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
