use super::*;

use proptest::prelude::*;

/// Encodes an entry of a number, a text and a flag.
fn entry(number: u64, text: Option<&str>, is_set: bool) -> Vec<u8> {
    let mut to = FieldWriter::new();
    to.number(number);
    to.optional(text, FieldWriter::text);
    to.flag(is_set);
    to.finish()
}

fn read(entry: &[u8]) -> Result<(u64, Option<String>, bool), InvalidPrivateData> {
    let mut from = FieldReader::new(entry)?;
    let fields = (
        from.number()?,
        from.optional(FieldReader::text)?.map(str::to_owned),
        from.flag()?,
    );
    from.finish()?;
    Ok(fields)
}

#[test]
fn an_entry_has_the_bitmap_first_and_no_byte_for_what_is_absent() {
    assert_eq!(entry(7, None, false), [0, 7]);
    assert_eq!(entry(7, None, true), [0b10, 7]);
    assert_eq!(entry(300, Some("ab"), true), [0b11, 0xac, 2, 2, b'a', b'b']);
}

#[test]
fn a_cut_or_longer_entry_and_an_unknown_flag_are_errors() {
    let entry = entry(300, Some("ab"), true);
    for cut in 0..entry.len() {
        assert_eq!(read(&entry[..cut]), Err(InvalidPrivateData), "{cut}");
    }
    assert_eq!(
        read(&[&entry[..], &[0]].concat()),
        Err(InvalidPrivateData),
        "a field of a later release"
    );
    let mut unknown = entry;
    unknown[0] |= 0b100;
    assert_eq!(read(&unknown), Err(InvalidPrivateData), "an unknown flag");
    assert_eq!(read(&[1, 7, 1, 0xff]), Err(InvalidPrivateData), "no UTF-8");
}

#[test]
fn a_number_has_one_encoding_and_at_most_64_bits() {
    let largest = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00,
    ];
    assert_eq!(read_number(&mut &largest[..]), Ok(u64::MAX));
    for other in [
        &[0x80, 0x00][..],
        &[0x87, 0x00],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        &[
            0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01,
        ],
        &[0x80],
        &[],
    ] {
        assert_eq!(
            read_number(&mut &*other),
            Err(InvalidPrivateData),
            "{other:?}"
        );
    }
}

#[test]
fn an_entry_holds_64_flags() {
    let mut to = FieldWriter::new();
    (0..MAX_FLAGS).for_each(|at| to.flag(at % 2 == 1));
    let entry = to.finish();
    let mut from = FieldReader::new(&entry).expect("a bitmap");
    for at in 0..MAX_FLAGS {
        assert_eq!(from.flag(), Ok(at % 2 == 1), "{at}");
    }
    assert_eq!(from.flag(), Err(InvalidPrivateData));
    assert_eq!(from.finish(), Ok(()));
}

proptest! {
    #[test]
    fn fields_round_trip(number: u64, text: Option<String>, is_set: bool) {
        let entry = entry(number, text.as_deref(), is_set);
        prop_assert_eq!(read(&entry), Ok((number, text, is_set)));
    }

    #[test]
    fn what_is_read_is_the_only_encoding(entry: Vec<u8>) {
        if let Ok((number, text, is_set)) = read(&entry) {
            prop_assert_eq!(self::entry(number, text.as_deref(), is_set), entry);
        }
    }
}
