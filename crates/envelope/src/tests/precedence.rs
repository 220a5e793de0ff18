//! Tests which error is reported if several apply.

use super::*;

type Defect = fn(&mut Vec<u8>);

/// One defect of each kind, in the published order.
const DEFECTS: [(&str, Defect); 8] = [
    ("magic", |bytes| bytes[3] = b'2'),
    ("format", |bytes| bytes[4] = 2),
    ("suite", |bytes| bytes[7] = 2),
    ("purpose", |bytes| bytes[8] = 5),
    ("number", |bytes| bytes[5] = 0),
    // The first provider.
    ("part", |bytes| bytes[67] = 0xff),
    // The second kek_id, which is now the first one.
    ("rules", |bytes| bytes[87] = b'x'),
    ("payload", |bytes| bytes.push(0)),
];

/// Returns an envelope with two wrapped keys of 13 bytes each.
fn stored() -> Vec<u8> {
    let wraps = ["x", "y"].map(|id| (kek_id("local", id), WrappedKey::new(vec![0])));
    let envelope = sealed_with(wraps.into()).expect("envelope");
    envelope.encode()
}

fn refusal(defects: &[Defect], length: usize) -> EnvelopeError {
    let mut bytes = stored();
    for defect in defects {
        defect(&mut bytes);
    }
    bytes.truncate(length);
    Envelope::parse(&bytes).expect_err("refused")
}

//= docs/format.md#5-precedence-of-refusals
//= type=test
//# Where several refusals apply, a reader MUST report the first in this order: magic, format,
//# suite, purpose, number of wrapped DEKs, the parts of each wrapped DEK, the rules on all of
//# them together, the payload part.
#[test]
fn the_first_of_two_defects_is_reported() {
    let alone = DEFECTS.map(|(_, defect)| refusal(&[defect], usize::MAX));
    for (index, (name, first)) in DEFECTS.iter().enumerate() {
        assert!(
            !alone[..index].contains(&alone[index]),
            "{name} tells nothing"
        );
        for (other, second) in &DEFECTS[index + 1..] {
            let both = refusal(&[*first, *second], usize::MAX);
            assert_eq!(both, alone[index], "{name} before {other}");
        }
    }
}

//= docs/format.md#5-precedence-of-refusals
//= type=test
//# A reader MUST refuse a truncated envelope as *malformed* at the field that is cut, unless
//# an earlier field is already refused.
//= docs/format.md#5-precedence-of-refusals
//= type=test
//# A reader MUST NOT check the number of wrapped DEKs before the first 65 bytes are present.
#[test]
fn a_cut_field_comes_after_the_defects_before_it() {
    let cut = refusal(&[], 0);
    assert!(matches!(cut, EnvelopeError::Malformed(_)), "{cut}");
    // The end of each defect. A cut before it is reported instead of the defect.
    let ends = [4, 5, 8, 9, 65, 72, 91];
    for ((name, defect), end) in DEFECTS.into_iter().zip(ends) {
        assert_eq!(refusal(&[defect], end - 1), cut, "{name}");
        assert_eq!(
            refusal(&[defect], end),
            refusal(&[defect], usize::MAX),
            "{name}"
        );
    }
}
