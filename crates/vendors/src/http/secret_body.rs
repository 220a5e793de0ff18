//! Bodies with secrets, written into buffers of sufficient size: no copy remains when they
//! are zeroized.

use base64::Engine;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use planton_secret::{SecretBytes, SecretString};

/// Writes a JSON object of texts. No copy of a text remains.
pub(crate) fn json_object(fields: &[(&str, &str)]) -> SecretBytes {
    let mut json = Zeroizing::new(Vec::with_capacity(room_for(fields)));
    write_json_object(&mut json, fields);
    SecretBytes::new(std::mem::take(&mut *json))
}

/// As [`json_object`], for an object whose member `name` is an array of objects.
pub(crate) fn json_array<const N: usize>(name: &str, items: &[[(&str, &str); N]]) -> SecretBytes {
    let room: usize = items.iter().map(|fields| room_for(fields) + 1).sum();
    let mut json = Zeroizing::new(Vec::with_capacity(room + 6 * name.len() + 8));
    json.push(b'{');
    write_json_string(&mut json, name);
    json.extend_from_slice(b":[");
    for (i, fields) in items.iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        write_json_object(&mut json, fields);
    }
    json.extend_from_slice(b"]}");
    SecretBytes::new(std::mem::take(&mut *json))
}

fn room_for(fields: &[(&str, &str)]) -> usize {
    // An escaped character takes at most six bytes.
    let room = fields.iter().map(|(k, v)| 6 * (k.len() + v.len()) + 8);
    room.sum::<usize>() + 2
}

fn write_json_object(json: &mut Vec<u8>, fields: &[(&str, &str)]) {
    json.push(b'{');
    for (i, (name, value)) in fields.iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        write_json_string(json, name);
        json.push(b':');
        write_json_string(json, value);
    }
    json.push(b'}');
}

fn write_json_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("text can be written to memory");
}

/// Encodes bytes in base64. No copy of them remains.
pub(crate) fn encode_secret(engine: &impl Engine, bytes: &[u8]) -> SecretString {
    // `encode_string` copies through a buffer on the stack, which it does not wipe.
    let mut text = Zeroizing::new(vec![0; 4 * bytes.len().div_ceil(3)]);
    let length = engine.encode_slice(bytes, &mut text);
    text.truncate(length.expect("base64 makes four characters of three bytes"));
    let text = String::from_utf8(std::mem::take(&mut *text));
    SecretString::new(text.expect("base64 is ASCII"))
}

/// Decodes base64; `None` if the text is none. No copy of the bytes remains.
pub(crate) fn decode_secret(engine: &impl Engine, text: &str) -> Option<SecretBytes> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = engine.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(SecretBytes::new(std::mem::take(&mut *bytes)))
}

/// Deserializes a text that is zeroized.
pub(crate) fn zeroizing<'de, D: Deserializer<'de>>(text: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(text).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn json_objects_are_escaped_and_never_grow() {
        let value = "\u{1}\"\\é".repeat(50);
        let json = json_object(&[("a", &value), ("b", "")]);
        let parsed: serde_json::Value = serde_json::from_slice(json.expose()).unwrap();
        assert_eq!(parsed, serde_json::json!({"a": value, "b": ""}));
        let json = json_array("c", &[[("a", value.as_str())], [("b", "")]]);
        let parsed: serde_json::Value = serde_json::from_slice(json.expose()).unwrap();
        assert_eq!(parsed, serde_json::json!({"c": [{"a": value}, {"b": ""}]}));
        let empty = json_array::<1>("c", &[]);
        assert_eq!(empty.expose(), br#"{"c":[]}"#);
    }

    #[test]
    fn bytes_of_every_length_come_back_from_base64_and_other_texts_are_refused() {
        for length in 0..70_u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37)).collect();
            let (padded, plain) = (
                encode_secret(&STANDARD, &bytes),
                encode_secret(&URL_SAFE_NO_PAD, &bytes),
            );
            let back = decode_secret(&STANDARD, padded.expose()).unwrap();
            assert_eq!(back.expose(), bytes);
            let back = decode_secret(&URL_SAFE_NO_PAD, plain.expose()).unwrap();
            assert_eq!(back.expose(), bytes);
        }
        for bad in ["a", "_w==", "////=", "é"] {
            assert!(decode_secret(&STANDARD, bad).is_none(), "{bad}");
        }
    }
}
