//! Cases that the two implementations must answer alike: refusals in their order,
//! plaintexts, key files, commitments, documents and configurations.

use planton_core::catalog::record_key_of_name;
use planton_core::kek::{KeyEncryptionKey as _, WrapNames};
use planton_core::names::SecretName;
use planton_core::store::StoreSettings;
use planton_envelope::{
    DataKey, Envelope, EnvelopeError, KeyFile, MacKey, SecretValue, WrapBinding, WrappedKey,
};
use planton_secret::SecretBytes;
use planton_vendors::age::AgeIdentity;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::{array, bytes, list, read_vectors, text};

const RULES: &str = include_str!("rules.json");

pub(super) fn read() -> Value {
    serde_json::from_str(RULES).expect("json")
}

//= docs/format.md#5-precedence-of-refusals
//= type=test
//# A reader MUST refuse a truncated envelope as *malformed* at the field that is cut, unless
//# an earlier field is already refused.
#[test]
fn the_first_of_several_refusals_is_reported() {
    let good = bytes(&list(&read_vectors(), "envelopes")[0], "envelope");
    for case in list(&read(), "refusals") {
        let mut stored = good.clone();
        for edit in list(case, "edits") {
            let at = edit[0].as_u64().expect("an offset") as usize;
            let new = hex::decode(edit[1].as_str().expect("digits")).expect("hexadecimal");
            stored[at..at + new.len()].copy_from_slice(&new);
        }
        if let Some(length) = case["length"].as_u64() {
            stored.truncate(length as usize);
        }
        if let Some(more) = case["append"].as_str() {
            stored.extend(hex::decode(more).expect("hexadecimal"));
        }
        let name = text(case, "name");
        let met = match Envelope::parse(&stored).expect_err(name) {
            EnvelopeError::Malformed(_) => "malformed",
            EnvelopeError::UnsupportedFormat(_) | EnvelopeError::UnsupportedSuite(_) => {
                "unsupported"
            }
            other => panic!("{name}: {other}"),
        };
        assert_eq!(met, text(case, "error"), "{name}");
    }
}

//= docs/format.md#30-age-recipient
//= type=test
//# A reader MUST refuse a `wrapped` of another length or layout.
#[test]
fn a_key_wrapped_by_another_implementation_of_age_unwraps_with_the_identity() {
    let cases = read();
    let cases = list(&cases, "age_wraps");
    assert!(!cases.is_empty());
    for case in cases {
        let identity = AgeIdentity::parse(text(case, "identity")).expect("an identity");
        assert_eq!(identity.id().provider, "age");
        assert_eq!(identity.id().id, text(case, "kek_id"));
        let names = WrapNames::mac_key(&"acme".parse().expect("a slug"));
        let organization = text(case, "organization").parse().expect("uuid");
        let binding = WrapBinding::for_mac_key(organization, identity.id());
        let unwrap = |wrapped: Vec<u8>| {
            let wrapped = WrappedKey::new(wrapped);
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(identity.unwrap(&wrapped, names.bound(binding)))
        };
        let key = unwrap(bytes(case, "wrapped")).expect("its own wrap");
        assert!(bool::from(
            key.ct_eq(&DataKey::copy_of(&array(case, "key")))
        ));
        let longer = [bytes(case, "wrapped"), vec![0]].concat();
        assert!(unwrap(longer).is_err());
    }
}

//= docs/format.md#22-values
//= type=test
//# A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
#[test]
fn plaintexts_of_no_canonical_form_are_refused() {
    for plaintext in list(&read(), "plaintexts_refused") {
        let digits = plaintext.as_str().expect("digits");
        let bytes = SecretBytes::new(hex::decode(digits).expect("hexadecimal"));
        assert!(SecretValue::from_plaintext(&bytes).is_err(), "{digits}");
    }
}

//= docs/format.md#13-local-kek
//= type=test
//# A reader MUST refuse a key file with another magic or format.
#[test]
fn key_files_of_another_form_are_refused() {
    for case in list(&read(), "key_files_refused") {
        let read = KeyFile::decode(&bytes(case, "key_file"));
        assert!(read.is_none(), "{}", text(case, "name"));
    }
}

//= docs/format.md#18-commitment-of-a-mac-key
//= type=test
//# A writer MUST compute the commitment by this equation.
#[test]
fn mac_keys_have_the_published_commitment() {
    for case in list(&read(), "mac_key_commitments") {
        let key = MacKey::from_data_key(DataKey::copy_of(&array(case, "mac_key")));
        assert_eq!(hex::encode(key.commitment()), text(case, "commitment"));
    }
}

//= docs/format.md#19-records
//= type=test
//# A writer MUST compute the 15 hexadecimal digits of a document as the first 60 bits of this
//# value.
#[test]
fn documents_stand_under_the_published_digits() {
    for case in list(&read(), "documents") {
        let slug = |text: &str| text.parse().expect("a slug");
        let name = SecretName {
            environment: case["environment"].as_str().map(slug),
            name: slug(text(case, "name")),
        };
        let expected = format!("secrets/{}", text(case, "digits"));
        assert_eq!(record_key_of_name(&name).as_str(), expected);
    }
}

//= docs/format.md#8-configuration-of-a-credential
//= type=test
//# A writer MUST encode the configuration without white space, with the members `kind`,
//# `name_prefix` and `configuration` in this order.
//= docs/format.md#8-configuration-of-a-credential
//= type=test
//# A writer MUST sort the keys of `configuration` by their UTF-8 bytes, in ascending order and
//# at every level.
//= docs/format.md#8-configuration-of-a-credential
//= type=test
//# A writer MUST escape the strings of the configuration as in [section 22](#22-values).
#[test]
fn configurations_have_the_published_digest() {
    for case in list(&read(), "configurations") {
        let arguments = case["configuration"].as_object().expect("arguments");
        let settings = StoreSettings {
            kind: text(case, "kind").to_owned(),
            name_prefix: text(case, "name_prefix").to_owned(),
            configuration: arguments.clone().into_iter().collect(),
        };
        let digest = settings.digest();
        assert_eq!(hex::encode(digest), text(case, "digest"), "{case}");
    }
}
