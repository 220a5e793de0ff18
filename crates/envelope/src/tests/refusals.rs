//! Tests that an altered or moved envelope does not open.

use super::*;

const REFUSED: Refusal = Refusal::Envelope(EnvelopeError::Refused);

pub(super) fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    copy[bit / 8] ^= 1 << (bit % 8);
    copy
}

#[test]
fn every_single_bit_flip_is_refused_in_both_stored_forms() {
    let kek = local_key();
    let sealed = seal(&[&kek], context(), &plaintext());
    for stored in [sealed.encode(), sealed.encode_text().into_bytes()] {
        open_stored(&stored, &kek, &context()).expect("opened");
        for bit in 0..stored.len() * 8 {
            let outcome = open_stored(&flip(&stored, bit), &kek, &context());
            outcome.expect_err("refused");
        }
    }
}

#[test]
fn every_single_bit_flip_is_refused_by_the_reader_whose_wrap_it_meets() {
    let (kek, escrow) = (local_key(), local_key());
    let sealed = seal(&[&kek, &escrow], context(), &plaintext()).encode();
    let wrap_bytes = 6 + "local".len() + kek.id().id.len() + 60;
    let second_wrap = 65 + wrap_bytes..65 + 2 * wrap_bytes;
    let wrapped = 65 + wrap_bytes - 60..65 + wrap_bytes;
    for bit in 0..sealed.len() * 8 {
        let outcome = open_stored(&flip(&sealed, bit), &kek, &context());
        if second_wrap.contains(&(bit / 8)) {
            // This reader ignores a key that another KEK wrapped; that KEK's reader
            // rejects it.
            let outcome = open_stored(&flip(&sealed, bit), &escrow, &context());
            assert!(outcome.is_err(), "bit {bit}");
        } else {
            let refusal = outcome.expect_err("refused");
            if wrapped.contains(&(bit / 8)) {
                assert_eq!(refusal, Refusal::Unwrap, "bit {bit}");
            }
        }
    }
}

//= docs/format.md#7-context
//= type=test
//# A reader MUST refuse an envelope whose own identifiers differ from those of `CTX`.
#[test]
fn every_single_bit_flip_is_refused_even_with_the_right_data_key() {
    // Without the unwrap, the context, the commitment and the tag must each reject the
    // flip.
    let (envelope, key) = sealed_with_key(context());
    let sealed = envelope.encode();
    let wraps = 65..65 + 6 + "localx".len() + 1;
    for bit in (0..sealed.len() * 8).filter(|bit| !wraps.contains(&(bit / 8))) {
        let outcome = Envelope::parse(&flip(&sealed, bit)).and_then(|e| e.open(&key, &context()));
        assert!(outcome.is_err(), "bit {bit}");
    }
}

//= docs/format.md#7-context
//= type=test
//# A reader MUST take `CTX` from the catalog's record of the version, not from the envelope.
//= docs/format.md#11-opening
//= type=test
//# A reader MUST compute the binding from the catalog's `CTX`.
#[test]
fn envelope_moved_to_any_other_context_is_refused() {
    let kek = local_key();
    let contexts = neighbours();
    for home in &contexts {
        let sealed = seal(&[&kek], home.clone(), &plaintext());
        let (_, wrapped) = &sealed.wrapped_keys()[0];
        let key = kek
            .unwrap(wrapped, &sealed.binding_in(home, kek.id()))
            .expect("unwrapped");
        for expected in &contexts {
            let stored = open_stored(&sealed.encode(), &kek, expected);
            let with_key = sealed.open(&key, expected);
            if home == expected {
                stored.expect("at home");
                with_key.expect("at home");
            } else {
                assert_eq!(stored.expect_err("moved"), Refusal::Unwrap);
                assert_eq!(with_key.expect_err("moved"), EnvelopeError::Refused);
            }
        }
    }
}

#[test]
fn payload_moved_under_another_header_or_other_wraps_is_refused() {
    let kek = local_key();
    let (one, two) = (
        context(),
        Context {
            version: 5,
            ..context()
        },
    );
    let first = seal(&[&kek], one.clone(), &plaintext()).encode();
    let second = seal(&[&kek], two.clone(), &plaintext()).encode();
    let third = seal(&[&kek], one.clone(), &plaintext()).encode();
    let payload = first.len() - (84 + plaintext().len());

    let forged_header = [&second[..65], &first[65..]].concat();
    let forged_payload = [&second[..payload], &first[payload..]].concat();
    let forged_sibling = [&third[..payload], &first[payload..]].concat();
    for (forged, expected) in [
        (&forged_header, &two),
        (&forged_payload, &two),
        (&forged_header, &one),
        (&forged_sibling, &one),
    ] {
        open_stored(forged, &kek, expected).expect_err("forged");
    }
}

//= docs/format.md#11-opening
//= type=test
//# A reader MUST report every refusal of steps 4 and 5 as one and the same error.
#[test]
fn every_refusal_of_a_well_formed_envelope_is_the_same_error() {
    let (envelope, key) = sealed_with_key(context());
    let bytes = envelope.encode();
    let payload = bytes.len() - (84 + plaintext().len());
    let altered = |at: usize| Envelope::parse(&flip(&bytes, at * 8)).expect("well-formed");
    let (other_envelope, other_key) = sealed_with_key(context());
    let elsewhere = Context {
        version: 5,
        ..context()
    };
    let foreign_digest = Context {
        extension: Some([0; 32]),
        ..context()
    };
    let refusals = [
        ("context", envelope.open(&key, &elsewhere)),
        ("purpose", envelope.open(&key, &foreign_digest)),
        ("claim", altered(64).open(&key, &context())),
        ("claim and context", altered(64).open(&key, &elsewhere)),
        ("key", envelope.open(&other_key, &context())),
        ("envelope", other_envelope.open(&key, &context())),
        ("salt", altered(payload).open(&key, &context())),
        ("commitment", altered(payload + 32).open(&key, &context())),
        ("ciphertext", altered(payload + 68).open(&key, &context())),
        ("tag", altered(bytes.len() - 1).open(&key, &context())),
    ];
    for (reason, outcome) in refusals {
        let error = outcome.expect_err(reason);
        assert_eq!(error, EnvelopeError::Refused, "{reason}");
        assert_eq!(error.to_string(), EnvelopeError::Refused.to_string());
    }
}

//= docs/format.md#12-wrapped-deks
//= type=test
//# A writer MUST bind each wrap to this value, so that it opens neither in another envelope
//# nor under another KEK's name.
#[test]
fn wrap_redirected_to_another_kek_is_refused() {
    let (kek, other) = (local_key(), local_key());
    let mut envelope = seal(&[&kek], context(), &plaintext());
    let (_, wrapped) = envelope.wrapped_keys()[0].clone();
    envelope
        .replace_wrapped_keys(vec![(other.id().clone(), wrapped)])
        .expect("well-formed");
    let outcome = open_stored(&envelope.encode(), &other, &context());
    assert_eq!(outcome.expect_err("redirected"), Refusal::Unwrap);
    let outcome = open_stored(&envelope.encode(), &kek, &context());
    assert_eq!(outcome.expect_err("redirected"), Refusal::NoWrapOfOurs);
}

#[test]
fn envelope_of_a_strangers_key_is_refused_although_its_wrap_opens() {
    // A token with wrap rights can wrap its own key, but the payload is not encrypted
    // under it.
    let kek = local_key();
    let mut envelope = seal(&[&kek], context(), &plaintext());
    let (_, stranger) = sealed_with_key(context());
    let wrapped = kek
        .wrap(&stranger, &envelope.binding(kek.id()))
        .expect("wrapped");
    envelope
        .replace_wrapped_keys(vec![(kek.id().clone(), wrapped)])
        .expect("well-formed");
    let outcome = open_stored(&envelope.encode(), &kek, &context());
    assert_eq!(outcome.expect_err("not its key"), REFUSED);
}

/// Returns an envelope with a wrapped key of one byte, and its data key.
pub(super) fn sealed_with_key(context: Context) -> (Envelope, crate::DataKey) {
    let plaintext = plaintext();
    let sealer = Sealer::new(context, &plaintext).expect("sealer");
    let key = *sealer.data_key().expose();
    let wraps = vec![(kek_id("local", "x"), WrappedKey::new(vec![0]))];
    let envelope = sealer.seal(wraps).expect("envelope");
    (envelope, crate::DataKey::copy_of(&key))
}

/// Returns contexts that differ in one part each, or have two parts swapped.
fn neighbours() -> Vec<Context> {
    let base = context();
    let credential = Context {
        purpose: Purpose::BackendCredential,
        extension: Some([9; 32]),
        ..base.clone()
    };
    vec![
        Context {
            organization: Uuid::nil(),
            ..base.clone()
        },
        Context {
            object: Uuid::nil(),
            ..base.clone()
        },
        Context {
            backend: Uuid::nil(),
            ..base.clone()
        },
        Context {
            version: 5,
            ..base.clone()
        },
        Context {
            version: 4 << 56,
            ..base.clone()
        },
        Context {
            organization: base.object,
            object: base.organization,
            ..base.clone()
        },
        Context {
            object: base.backend,
            backend: base.object,
            ..base.clone()
        },
        Context {
            extension: Some([8; 32]),
            ..credential.clone()
        },
        Context {
            purpose: Purpose::KekCredential,
            ..credential.clone()
        },
        Context {
            purpose: Purpose::ValueForName,
            ..credential.clone()
        },
        credential,
        base,
    ]
}

#[test]
fn a_key_is_known_without_a_decryption() {
    let (envelope, key) = sealed_with_key(context());
    let (_, other) = sealed_with_key(context());
    assert!(envelope.is_key(&key, &context()));
    assert!(!envelope.is_key(&other, &context()));
    let elsewhere = Context {
        version: 5,
        ..context()
    };
    assert!(!envelope.is_key(&key, &elsewhere));
}
