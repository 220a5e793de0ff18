use std::io::Write;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::*;

fn among(noise: &[u8]) -> Vec<u8> {
    [b"before ".as_slice(), noise, b" after"].concat()
}

fn zipped(content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("other", options).expect("starts");
    archive.write_all(b"nothing").expect("writes");
    archive.start_file("tfplan", options).expect("starts");
    archive.write_all(content).expect("writes");
    archive.finish().expect("finishes").into_inner()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("writes");
    encoder.finish().expect("finishes")
}

#[test]
fn a_value_is_found_as_it_is() {
    let canary = Canary::new("secret");
    let found = canary.find_in(&among(canary.value().as_bytes()));
    assert_eq!(found, [Encoding::Raw]);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let canary = Canary::new("secret");
    let other = Canary::new("other");
    assert_eq!(canary.find_in(other.value().as_bytes()), []);
    assert_eq!(canary.find_in(b""), []);
    assert_eq!(canary.find_in(&zipped(b"nothing")), []);
    assert_eq!(canary.find_in(&canary.value().as_bytes()[1..]), []);
}

#[test]
fn base64_is_found_at_every_alignment_and_with_any_neighbours() {
    let canary = Canary::new("secret");
    for before in 0..7 {
        for after in 0..4 {
            let mut text = vec![0xff; before];
            text.extend_from_slice(canary.value().as_bytes());
            text.extend(std::iter::repeat_n(0xff, after));
            let standard = canary.find_in(&among(STANDARD.encode(&text).as_bytes()));
            assert!(standard.contains(&Encoding::Base64), "{before} {after}");
            let url = canary.find_in(&among(URL_SAFE.encode(&text).as_bytes()));
            assert!(url.contains(&Encoding::Base64Url), "{before} {after}");
        }
    }
}

#[test]
fn the_planted_value_tells_the_two_base64_alphabets_apart() {
    let differs = (0..20).any(|_| {
        let canary = Canary::new("secret");
        let text = STANDARD.encode(canary.value());
        canary.find_in(text.as_bytes()) == [Encoding::Base64]
    });
    assert!(differs);
}

#[test]
fn hexadecimal_digits_of_both_cases_are_found() {
    let canary = Canary::new("secret");
    let lower = hex::encode(canary.value());
    assert_eq!(
        canary.find_in(&among(lower.as_bytes())),
        [Encoding::HexLower]
    );
    let upper = hex::encode_upper(canary.value());
    assert_eq!(
        canary.find_in(&among(upper.as_bytes())),
        [Encoding::HexUpper]
    );
}

#[test]
fn url_encoding_is_found_in_both_cases() {
    let canary = Canary::of("secret", "pass word/with+ü&=");
    for encoded in [
        "pass%20word%2Fwith%2B%C3%BC%26%3D",
        "pass%20word%2fwith%2b%c3%bc%26%3d",
        "pass+word%2Fwith%2B%C3%BC%26%3D",
        "pass%20word/with+%C3%BC&=",
    ] {
        assert_eq!(
            canary.find_in(&among(encoded.as_bytes())),
            [Encoding::Url],
            "{encoded}"
        );
    }
}

#[test]
fn json_strings_are_found_as_rust_go_and_python_write_them() {
    let canary = Canary::of("secret", "pass\"<w\\ord>&/ü");
    for encoded in [
        r#"{"v":"pass\"<w\\ord>&/ü"}"#,
        r#"{"v":"pass\"\u003cw\\ord\u003e\u0026/ü"}"#,
        r#"{"v":"pass\"<w\\ord>&\/ü"}"#,
        r#"{"v":"pass\"<w\\ord>&/\u00fc"}"#,
    ] {
        assert_eq!(
            canary.find_in(encoded.as_bytes()),
            [Encoding::Json],
            "{encoded}"
        );
    }
    let record = serde_json::json!({"v": canary.value()}).to_string();
    let twice = serde_json::json!({"record": record}).to_string();
    assert_eq!(canary.find_in(twice.as_bytes()), [Encoding::JsonTwice]);
}

#[test]
fn values_are_found_as_terraforms_log_quotes_them() {
    let canary = Canary::of("secret", "pass\"\\/word");
    for encoded in [
        r#"sealing: plaintext="\x00pass\"\/word""#,
        r#"sealing: plaintext="\x01{\"k\":\"pass\\"\\/word\"}""#,
    ] {
        assert_eq!(
            canary.find_in(encoded.as_bytes()),
            [Encoding::Logged],
            "{encoded}"
        );
    }
}

#[test]
fn printed_bytes_and_wide_text_are_found() {
    let canary = Canary::new("secret");
    let rust = format!("{:?}", canary.value().as_bytes());
    assert_eq!(canary.find_in(rust.as_bytes()), [Encoding::Decimal]);
    let go = rust.replace(", ", " ");
    assert_eq!(canary.find_in(go.as_bytes()), [Encoding::Decimal]);
    let wide: Vec<u8> = canary
        .value()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(canary.find_in(&among(&wide)), [Encoding::Utf16]);
}

#[test]
fn archives_are_looked_into_however_they_are_nested() {
    let canary = Canary::new("secret");
    let content = among(hex::encode(canary.value()).as_bytes());
    for packed in [
        zipped(&content),
        gzipped(&content),
        zipped(&gzipped(&content)),
        gzipped(&zipped(&zipped(&content))),
    ] {
        assert_eq!(canary.find_in(&packed), [Encoding::HexLower]);
    }
    let cut = gzipped(&[content.as_slice(), &vec![7; 1 << 20]].concat());
    assert_eq!(canary.find_in(&cut[..cut.len() - 4]), [Encoding::HexLower]);
}

#[test]
fn files_below_a_folder_are_searched_and_named() {
    let canary = Canary::new("secret");
    let folder = tempfile::tempdir().expect("temp dir");
    let deep = folder.path().join("a/b");
    fs::create_dir_all(&deep).expect("creates");
    fs::write(deep.join("clean"), "nothing").expect("writes");
    canary.absent_below(folder.path()).expect("clean");

    fs::write(deep.join("plan"), zipped(canary.value().as_bytes())).expect("writes");
    let found = canary.find_below(folder.path()).expect("searches");
    assert_eq!(found, [(deep.join("plan"), vec![Encoding::Raw])]);
    let message = canary
        .absent_below(folder.path())
        .expect_err("found")
        .to_string();
    assert!(message.contains("secret is in") && !message.contains(canary.value()));
    assert!(canary.absent_below(&deep.join("missing")).is_err());
}

#[test]
fn debug_and_messages_never_show_the_value() {
    let canary = Canary::new("secret");
    assert_eq!(format!("{canary:?}"), "Canary(secret)");
    let error = canary
        .absent_from("a log", canary.value().as_bytes())
        .expect_err("found");
    assert_eq!(error.to_string(), "secret is in a log, as [Raw]");
}

#[test]
fn an_hcl_literal_holds_the_value() {
    let canary = Canary::of("secret", r#"a"b\c${d}%{e}"#);
    assert_eq!(canary.hcl(), r#""a\"b\\c$${d}%%{e}""#);
}
