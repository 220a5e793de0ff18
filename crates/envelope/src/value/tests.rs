use proptest::prelude::*;

use super::*;

fn key_value(pairs: &[(&str, &str)]) -> SecretValue {
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), SecretString::from(*value)));
    SecretValue::KeyValue(pairs.collect())
}

fn read(plaintext: &[u8]) -> Result<SecretValue, InvalidValue> {
    SecretValue::from_plaintext(&SecretBytes::from(plaintext))
}

//= docs/format.md#22-values
//= type=test
//# A writer MUST begin the plaintext of purposes 1 and 4 with the kind byte of this table.
#[test]
fn text_is_a_zero_byte_and_the_text() {
    let value = SecretValue::Text(SecretString::from("grüße"));
    assert_eq!(value.to_plaintext().expose(), "\0grüße".as_bytes());
    assert_eq!(value.kind().to_string(), "text");
}

//= docs/format.md#22-values
//= type=test
//# A writer MUST begin the plaintext of purposes 1 and 4 with the kind byte of this table.
//= docs/format.md#22-values
//= type=test
//# A writer MUST write the keys in ascending order of their UTF-8 bytes, none of them twice.
//= docs/format.md#22-values
//= type=test
//# A writer MUST NOT write white space outside of strings.
//= docs/format.md#22-values
//= type=test
//# A writer MUST escape in strings `"`, `\` and U+0000 to U+001F, and no other character.
//= docs/format.md#22-values
//= type=test
//# A writer MUST write these escapes as `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, and `\u00`
//# with two lower-case digits for the others.
#[test]
fn key_value_is_a_one_byte_and_canonical_json() {
    let value = key_value(&[
        ("b", "2"),
        ("a", "\"\\\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}/é😀"),
    ]);
    let expected = "\u{1}{\"a\":\"\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}/é😀\",\"b\":\"2\"}";
    assert_eq!(value.to_plaintext().expose(), expected.as_bytes());
    assert_eq!(value.kind().to_string(), "key_value");
    assert_eq!(key_value(&[]).to_plaintext().expose(), b"\x01{}");
}

//= docs/format.md#22-values
//= type=test
//# A writer MUST begin the plaintext of purposes 1 and 4 with the kind byte of this table.
#[test]
fn binary_is_a_two_byte_and_the_bytes_as_they_are() {
    for bytes in [&b""[..], b"\xff\x00", b"text"] {
        let value = SecretValue::Binary(SecretBytes::from(bytes));
        let plaintext = value.to_plaintext();
        assert_eq!(plaintext.expose(), [&[2], bytes].concat());
        assert_eq!(value.kind().to_string(), "binary");
        let back = SecretValue::from_plaintext(&plaintext).expect("a value");
        assert!(matches!(&back, SecretValue::Binary(read) if read.expose() == bytes));
    }
}

#[test]
fn kind_is_stored_by_its_name() {
    for kind in [SecretKind::Text, SecretKind::KeyValue, SecretKind::Binary] {
        let json = serde_json::to_string(&kind).expect("json");
        assert_eq!(json, format!("\"{kind}\""));
    }
}

//= docs/format.md#22-values
//= type=test
//# A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
#[test]
fn plaintext_of_no_known_kind_is_refused() {
    for bad in [
        &b""[..],
        b"\x03",
        b"\x03{}",
        b"\xff",
        b"{}",
        b"\x00\xff",
        b"\x01\xff",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

//= docs/format.md#22-values
//= type=test
//# A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
#[test]
fn document_that_is_not_canonical_is_refused() {
    for bad in [
        "",
        "{",
        "}",
        "[]",
        "null",
        "{}x",
        "{} ",
        " {}",
        "{ }",
        "{,}",
        r#"{"a":"1",}"#,
        r#"{"a" :"1"}"#,
        r#"{"a": "1"}"#,
        r#"{"a":1}"#,
        r#"{"a":null}"#,
        r#"{"a":{}}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":"1""b":"2"}"#,
        r#"{"b":"1","a":"2"}"#,
        r#"{"a":"1","a":"2"}"#,
        r#"{"a":"1"#,
        r#"{"a":"\"#,
        r#"{"a":"\"}"#,
        r#"{"a":"\/"}"#,
        r#"{"a":"\x41"}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\u000a"}"#,
        r#"{"a":"\u001F"}"#,
        r#"{"a":"\u00"}"#,
        r#"{"a":"\u00é"}"#,
        r#"{"a":"\ud83d\ude00"}"#,
        "{\"a\":\"\n\"}",
    ] {
        assert!(read(format!("\u{1}{bad}").as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn error_says_nothing_about_the_plaintext() {
    let error = read(b"\x01{\"a\":hunter2}").expect_err("not canonical");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn debug_never_shows_a_value() {
    let shown = format!("{:?}", key_value(&[("user", "hunter2")]));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn every_character_round_trips() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for some in all.chunks(4096) {
        let text: String = some.iter().collect();
        let value = SecretValue::Text(SecretString::from(text.as_str()));
        let pairs = key_value(&[("k", &text), (&text, "v")]);
        for value in [value, pairs] {
            let plaintext = value.to_plaintext();
            match (value, read(plaintext.expose()).expect("value")) {
                (SecretValue::Text(_), SecretValue::Text(back)) => {
                    assert!(back.expose() == text);
                }
                (SecretValue::KeyValue(_), SecretValue::KeyValue(back)) => {
                    assert!(back["k"].expose() == text);
                    assert_eq!(back[&text].expose(), "v");
                }
                _ => panic!("another kind"),
            }
        }
    }
}

proptest! {
    #[test]
    fn key_value_round_trips_and_is_what_serde_json_writes(
        pairs in prop::collection::btree_map("(?s).{0,8}", "(?s).{0,20}", 0..6),
    ) {
        let secrets = pairs
            .iter()
            .map(|(key, value)| (key.clone(), SecretString::from(value.as_str())));
        let plaintext = SecretValue::KeyValue(secrets.collect()).to_plaintext();
        let json = serde_json::to_vec(&pairs).expect("json");
        prop_assert_eq!(&plaintext.expose()[1..], json.as_slice());

        let SecretValue::KeyValue(back) = SecretValue::from_plaintext(&plaintext).expect("value")
        else {
            panic!("another kind");
        };
        let back: BTreeMap<_, _> = back
            .iter()
            .map(|(key, value)| (key.clone(), value.expose().to_owned()))
            .collect();
        prop_assert_eq!(back, pairs);
    }

    #[test]
    fn text_round_trips(text in "(?s).{0,64}") {
        let plaintext = SecretValue::Text(SecretString::from(text.as_str())).to_plaintext();
        let SecretValue::Text(back) = SecretValue::from_plaintext(&plaintext).expect("value")
        else {
            panic!("another kind");
        };
        prop_assert_eq!(back.expose(), text);
    }

    #[test]
    fn whatever_is_read_is_the_only_plaintext_of_its_value(
        body in r#"[{}":,\\ubn0-2a]{0,24}"#,
    ) {
        let plaintext = [&[1], body.as_bytes()].concat();
        if let Ok(value) = read(&plaintext) {
            let written = value.to_plaintext();
            prop_assert_eq!(written.expose(), plaintext.as_slice());
        }
    }

    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _outcome = read(&bytes);
        let _outcome = read(&[&[1, b'{', b'"'], bytes.as_slice()].concat());
    }
}

/// A buffer that grows leaves a copy of the plaintext behind, which nothing wipes.
#[test]
fn the_length_of_a_document_is_known_before_it_is_written() {
    let secret = |text: &str| SecretString::from(text);
    for pairs in [
        BTreeMap::new(),
        BTreeMap::from([(String::new(), secret(""))]),
        BTreeMap::from([("a".to_owned(), secret("1")), ("b".to_owned(), secret("ü"))]),
        BTreeMap::from([("\"\\".to_owned(), secret("\u{8}\t\n\u{c}\r\0\u{1f}\u{7f}"))]),
    ] {
        let length = document_length(&pairs);
        let mut written = Vec::new();
        write_document(&pairs, &mut written);
        assert_eq!(written.len(), length, "{} pairs", pairs.len());
    }
}
