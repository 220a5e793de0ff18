//! Envelopes in both forms, and the list of wraps inside them.

use planton_envelope::{Envelope, MAX_WRAPPED_KEYS, MAX_WRAPS_BYTES, wrap_bytes};
use sha2::{Digest, Sha256};

use crate::Verdict;

/// Bytes before the wraps: `PSE1`, format, number of wraps, and the rest of the context.
pub(crate) const HEADER_BYTES: usize = 65;

/// Position of the number of wraps.
pub(crate) const COUNT_AT: usize = 5;

/// Parses an envelope in its binary form.
pub(crate) fn envelope(bytes: &[u8]) -> Verdict {
    let parsed = Envelope::parse(bytes).ok();
    if let Some(envelope) = &parsed {
        assert_eq!(envelope.encode(), bytes, "there is one encoding");
        expect_within_limits(envelope, bytes);
        expect_rewrap_to_keep_the_payload(envelope, bytes);
        let text = envelope.encode_text();
        let again = Envelope::parse_stored(text.as_bytes()).expect("its own text");
        assert_eq!(again.encode(), bytes, "the text form is the same envelope");
    }
    let stored = Envelope::parse_stored(bytes).ok();
    assert_eq!(
        stored.map(|envelope| envelope.encode()),
        parsed.as_ref().map(Envelope::encode),
        "bytes that are not text are the binary form"
    );
    Verdict::of(parsed)
}

/// Parses an envelope in its text form. The input follows the prefix.
pub(crate) fn text(text: &[u8]) -> Verdict {
    let stored = [b"pse1.", text].concat();
    let parsed = Envelope::parse_stored(&stored).ok();
    if let Some(envelope) = &parsed {
        let encoded = envelope.encode_text();
        assert_eq!(encoded.as_bytes(), stored, "the text is canonical");
        assert_eq!(envelope.encode().len(), text.len() * 3 / 4);
    }
    Verdict::of(parsed)
}

fn expect_within_limits(envelope: &Envelope, bytes: &[u8]) {
    let wraps = envelope.wrapped_keys();
    assert!((1..=MAX_WRAPPED_KEYS).contains(&wraps.len()));
    assert_eq!(wraps.len(), usize::from(bytes[COUNT_AT]));
    let lengths = wraps.iter().map(|(kek, wrapped)| {
        wrap_bytes(kek.provider.len(), kek.id.len(), wrapped.as_bytes().len())
    });
    let length: usize = lengths.sum();
    assert!(length <= MAX_WRAPS_BYTES);
    let list = [
        &bytes[COUNT_AT..=COUNT_AT],
        &bytes[HEADER_BYTES..HEADER_BYTES + length],
    ]
    .concat();
    let digest: [u8; 32] = Sha256::digest(list).into();
    assert_eq!(envelope.wraps_digest(), digest);
    let payload: [u8; 32] = Sha256::digest(&bytes[HEADER_BYTES + length..]).into();
    assert_eq!(envelope.payload_digest(), payload);
}

fn expect_rewrap_to_keep_the_payload(envelope: &Envelope, bytes: &[u8]) {
    let mut rewrapped = envelope.clone();
    let same = envelope.wrapped_keys().to_vec();
    let replaced = rewrapped.replace_wrapped_keys(same);
    replaced.expect("what a reader takes, a writer may write");
    assert_eq!(rewrapped.encode(), bytes);
    let first = envelope.wrapped_keys()[..1].to_vec();
    let replaced = rewrapped.replace_wrapped_keys(first);
    replaced.expect("one of several wraps");
    assert_eq!(rewrapped.payload_digest(), envelope.payload_digest());
    let parsed = Envelope::parse(&rewrapped.encode()).expect("a rewrapped envelope");
    assert_eq!(parsed.context(), envelope.context());
}

/// Parses a list of wraps: their number, and the wraps as they are encoded.
pub(crate) fn wraps(list: &[u8]) -> Verdict {
    let Some((count, wraps)) = list.split_first() else {
        return Verdict::Refused;
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + list.len() + PAYLOAD.len());
    bytes.extend_from_slice(b"PSE1\x01");
    bytes.extend_from_slice(&[*count, 0, 1, 1]);
    bytes.resize(HEADER_BYTES, 7);
    bytes.extend_from_slice(wraps);
    bytes.extend_from_slice(&PAYLOAD);
    envelope(&bytes)
}

/// A payload part without a plaintext: salt, commitment, length, tag.
const PAYLOAD: [u8; 32 + 32 + 4 + 16] = [0; 84];
