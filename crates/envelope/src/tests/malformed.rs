//! Tests that malformed envelopes are rejected before any key is used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

use super::refusals::{flip, sealed_with_key};
use super::*;

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *unsupported* an envelope of another format than 1.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *unsupported* an envelope of another suite than 0x0001.
#[test]
fn suites_and_formats_are_an_exact_list_of_one() {
    let (envelope, _) = sealed_with_key(context());
    let good = envelope.encode();
    for suite in (0..=u16::MAX).filter(|suite| *suite != 1) {
        let mut bytes = good.clone();
        bytes[6..8].copy_from_slice(&suite.to_be_bytes());
        let error = Envelope::parse(&bytes).expect_err("another suite");
        assert_eq!(error, EnvelopeError::UnsupportedSuite(suite));
    }
    for format in (0..=u8::MAX).filter(|format| *format != 1) {
        let mut bytes = good.clone();
        bytes[4] = format;
        let error = Envelope::parse(&bytes).expect_err("another format");
        assert_eq!(error, EnvelopeError::UnsupportedFormat(format));
    }
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with another magic.
#[test]
fn another_magic_is_malformed() {
    let (envelope, _) = sealed_with_key(context());
    for bit in 0..32 {
        assert_malformed(&flip(&envelope.encode(), bit));
    }
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with another purpose than 1 to 4.
#[test]
fn unknown_purpose_or_number_of_keys_is_malformed() {
    let (envelope, _) = sealed_with_key(context());
    for (at, good) in [(8, 1..=4), (5, 1..=1)] {
        for byte in (0..=u8::MAX).filter(|byte| !good.contains(byte)) {
            let mut bytes = envelope.encode();
            bytes[at] = byte;
            assert_malformed(&bytes);
        }
    }
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope that ends before its last field is
//# complete.
#[test]
fn envelope_cut_at_any_length_is_malformed() {
    let (envelope, _) = sealed_with_key(context());
    let bytes = envelope.encode();
    for length in 0..bytes.len() {
        assert_malformed(&bytes[..length]);
    }
    let text = envelope.encode_text();
    for length in 0..text.len() {
        let error = Envelope::parse_stored(&text.as_bytes()[..length]).expect_err("cut");
        assert!(matches!(error, EnvelopeError::Malformed(_)), "{length}");
    }
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope that continues after the tag.
#[test]
fn anything_after_the_tag_is_malformed() {
    let (envelope, _) = sealed_with_key(context());
    for tail in [&[0][..], b"\n", &envelope.encode()] {
        assert_malformed(&[envelope.encode().as_slice(), tail].concat());
    }
}

//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with zero or more than four wrapped DEKs.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with an empty `provider`, `kek_id` or
//# `wrapped`.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with a `provider`, `kek_id` or `wrapped`
//# beyond its limit.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope whose `provider` or `kek_id` is not UTF-8.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope with the same pair of `provider` and
//# `kek_id` twice.
//= docs/format.md#4-well-formed-envelopes
//= type=test
//# A reader MUST refuse as *malformed* an envelope whose wrapped DEKs take more than 6,296
//# bytes together.
#[test]
fn wrapped_key_that_breaks_the_rules_is_malformed() {
    let (envelope, _) = sealed_with_key(context());
    let good = envelope.encode();
    let (header, payload) = (&good[..65], &good[65 + 6 + "localx".len() + 1..]);
    let part = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let wrap = |provider: &[u8], id: &[u8], wrapped: &[u8]| {
        [part(provider), part(id), part(wrapped)].concat()
    };
    let with = |count: u8, wraps: &[u8]| {
        let mut bytes = [header, wraps, payload].concat();
        bytes[5] = count;
        bytes
    };
    Envelope::parse(&with(1, &wrap(b"p", b"i", b"w"))).expect("the rules as they are");
    Envelope::parse(&with(1, &wrap(&[b'p'; 32], &[b'i'; 512], &[0; 2048]))).expect("limits");
    for bad in [
        wrap(b"", b"i", b"w"),
        wrap(b"p", b"", b"w"),
        wrap(b"p", b"i", b""),
        wrap(&[b'p'; 33], b"i", b"w"),
        wrap(b"p", &[b'i'; 513], b"w"),
        wrap(b"p", b"i", &[0; 2049]),
        wrap(b"\xff", b"i", b"w"),
        wrap(b"p", b"\xc3\x28", b"w"),
    ] {
        assert_malformed(&with(1, &bad));
    }
    let together = |last: usize| {
        let three = (0..3).flat_map(|n| wrap(b"p", &[b'a' + n], &[0; 2040]));
        let mut wraps: Vec<u8> = three.collect();
        wraps.extend(wrap(b"p", b"d", &vec![0; last]));
        assert_eq!(wraps.len(), 3 * 2048 + 8 + last);
        with(4, &wraps)
    };
    Envelope::parse(&together(6296 - 3 * 2048 - 8)).expect("the limit of all together");
    assert_malformed(&together(6296 - 3 * 2048 - 8 + 1));
    let twice = wrap(b"p", b"i", b"w").repeat(2);
    assert_malformed(&with(2, &twice));
    for number in 0..=6 {
        let wraps = (0..number).flat_map(|n| wrap(b"p", &[b'a' + n], b"w"));
        let bytes = with(number, &wraps.collect::<Vec<u8>>());
        match number {
            1..=4 => drop(Envelope::parse(&bytes).expect("one to four")),
            _ => assert_malformed(&bytes),
        }
    }
}

#[test]
fn length_that_lies_is_malformed_before_anything_is_allocated() {
    let (envelope, _) = sealed_with_key(context());
    let length_at = envelope.encode().len() - plaintext().len() - 16 - 4;
    for lie in [
        0,
        plaintext().len() as u32 - 1,
        plaintext().len() as u32 + 1,
        u32::MAX,
    ] {
        let mut bytes = envelope.encode();
        bytes[length_at..length_at + 4].copy_from_slice(&lie.to_be_bytes());
        assert_malformed(&bytes);
    }
}

//= docs/format.md#6-text-form
//= type=test
//# A reader MUST refuse as *malformed* any text but the canonical encoding: no `=`, no white
//# space, unused bits zero.
#[test]
fn text_has_one_form_only() {
    // Its length leaves unused bits in the last character.
    let (envelope, _) = sealed_with_key(context());
    let text = envelope.encode_text();
    assert_eq!((text.len() - 5) % 4, 3);
    Envelope::parse_stored(text.as_bytes()).expect("canonical");

    let body = &text[5..];
    let last = body.bytes().last().expect("text");
    let unused_bit_set = format!("{}{}", &text[..text.len() - 1], char::from(last + 1));
    let binary = envelope.encode();
    for bad in [
        format!("{text}="),
        format!("{text}\n"),
        format!(" {text}"),
        format!("Pse1.{body}"),
        format!("pse2.{body}"),
        format!("pse1.{}", URL_SAFE.encode(&binary)),
        format!("pse1.{}+{}", &body[..8], &body[9..]),
        format!("pse1.{}/{}", &body[..8], &body[9..]),
        format!("pse1.{} {}", &body[..8], &body[8..]),
        unused_bit_set,
        body.to_owned(),
        "pse1.".to_owned(),
    ] {
        let error = Envelope::parse_stored(bad.as_bytes()).expect_err("another form");
        assert!(matches!(error, EnvelopeError::Malformed(_)), "{bad}");
    }
    assert_malformed(text.as_bytes());
}

fn assert_malformed(bytes: &[u8]) {
    let error = Envelope::parse(bytes).expect_err("malformed");
    assert!(matches!(error, EnvelopeError::Malformed(_)), "{error}");
}
