//! Encodes the value of a secret as a plaintext.

use std::collections::BTreeMap;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use planton_secret::{SecretBytes, SecretString};

/// The kind of a secret's value. Exhaustive by design: the format has these three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum SecretKind {
    /// One text.
    Text,
    /// Texts by key.
    KeyValue,
    /// Bytes.
    Binary,
}

impl SecretKind {
    /// Returns the name: `text`, `key_value` or `binary`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::KeyValue => "key_value",
            Self::Binary => "binary",
        }
    }

    /// Returns the first byte of a plaintext of this kind.
    fn byte(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::KeyValue => 1,
            Self::Binary => 2,
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a secret.
///
/// # Security
///
/// The values are zeroized, and redacted in `Debug`. The keys of a key-value secret are
/// neither.
#[derive(Clone, Debug)]
pub enum SecretValue {
    /// One text.
    Text(SecretString),
    /// Texts by key.
    KeyValue(BTreeMap<String, SecretString>),
    /// Bytes.
    Binary(SecretBytes),
}

/// Error of a plaintext that is not a value in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plaintext is not a text, a canonical key-value document or binary")]
pub struct InvalidValue;

impl SecretValue {
    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> SecretKind {
        match self {
            Self::Text(_) => SecretKind::Text,
            Self::KeyValue(_) => SecretKind::KeyValue,
            Self::Binary(_) => SecretKind::Binary,
        }
    }

    /// Returns the canonical plaintext of this value: equal values have equal bytes.
    //= docs/format.md#22-values
    //# A writer MUST begin the plaintext of purposes 1 and 4 with the kind byte of this
    //# table.
    #[must_use]
    pub fn to_plaintext(&self) -> SecretBytes {
        let length = match self {
            Self::Text(text) => text.len(),
            Self::KeyValue(pairs) => document_length(pairs),
            Self::Binary(bytes) => bytes.len(),
        };
        // Allocated at its full size: a growing buffer would leave copies behind.
        let mut bytes = Vec::with_capacity(1 + length);
        bytes.push(self.kind().byte());
        match self {
            Self::Text(text) => bytes.extend_from_slice(text.expose().as_bytes()),
            Self::KeyValue(pairs) => write_document(pairs, &mut bytes),
            Self::Binary(content) => bytes.extend_from_slice(content.expose()),
        }
        SecretBytes::new(bytes)
    }

    /// Parses a result of [`to_plaintext`](Self::to_plaintext), and nothing else.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`], without any part of the plaintext.
    //= docs/format.md#22-values
    //# A reader MUST refuse a plaintext of purposes 1 and 4 in any other form.
    pub fn from_plaintext(plaintext: &SecretBytes) -> Result<Self, InvalidValue> {
        let (kind, body) = plaintext.expose().split_first().ok_or(InvalidValue)?;
        let text = || std::str::from_utf8(body).map_err(|_| InvalidValue);
        match kind {
            0 => Ok(Self::Text(SecretString::from(text()?))),
            1 => Parser(text()?).document().map(Self::KeyValue),
            2 => Ok(Self::Binary(SecretBytes::from(body))),
            _ => Err(InvalidValue),
        }
    }
}

impl ConstantTimeEq for SecretValue {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.to_plaintext().ct_eq(&other.to_plaintext())
    }
}

/// The escape of one byte in a JSON string.
enum Escape {
    /// The byte itself.
    None,
    /// A backslash and this letter.
    Short(u8),
    /// `\u00` and two hexadecimal digits.
    Long,
}

/// The minimal escaping of RFC 8785: quote, backslash and control characters.
//= docs/format.md#22-values
//# A writer MUST escape in strings `"`, `\` and U+0000 to U+001F, and no other character.
fn escape(byte: u8) -> Escape {
    match byte {
        b'"' | b'\\' => Escape::Short(byte),
        0x08 => Escape::Short(b'b'),
        0x09 => Escape::Short(b't'),
        0x0a => Escape::Short(b'n'),
        0x0c => Escape::Short(b'f'),
        0x0d => Escape::Short(b'r'),
        0x00..0x20 => Escape::Long,
        _ => Escape::None,
    }
}

fn document_length(pairs: &BTreeMap<String, SecretString>) -> usize {
    let members: usize = pairs
        .iter()
        .map(|(key, value)| string_length(key) + 1 + string_length(value.expose()))
        .sum();
    2 + members + pairs.len().saturating_sub(1)
}

fn string_length(text: &str) -> usize {
    let escaped: usize = text
        .bytes()
        .map(|byte| match escape(byte) {
            Escape::None => 1,
            Escape::Short(_) => 2,
            Escape::Long => 6,
        })
        .sum();
    2 + escaped
}

//= docs/format.md#22-values
//# A writer MUST write the keys in ascending order of their UTF-8 bytes, none of them twice.
//= docs/format.md#22-values
//# A writer MUST NOT write white space outside of strings.
fn write_document(pairs: &BTreeMap<String, SecretString>, output: &mut Vec<u8>) {
    output.push(b'{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            output.push(b',');
        }
        write_string(key, output);
        output.push(b':');
        write_string(value.expose(), output);
    }
    output.push(b'}');
}

//= docs/format.md#22-values
//# A writer MUST write these escapes as `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, and `\u00`
//# with two lower-case digits for the others.
fn write_string(text: &str, output: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    output.push(b'"');
    for byte in text.bytes() {
        match escape(byte) {
            Escape::None => output.push(byte),
            Escape::Short(letter) => output.extend_from_slice(&[b'\\', letter]),
            Escape::Long => {
                output.extend_from_slice(b"\\u00");
                output.push(DIGITS[usize::from(byte >> 4)]);
                output.push(DIGITS[usize::from(byte & 0xf)]);
            }
        }
    }
    output.push(b'"');
}

/// The unparsed rest of a document.
///
/// A general parser would keep unescaped strings in buffers that are not zeroized.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn document(mut self) -> Result<BTreeMap<String, SecretString>, InvalidValue> {
        let mut pairs = BTreeMap::new();
        self.literal("{")?;
        if self.literal("}").is_err() {
            loop {
                let key = self.string()?.expose().to_owned();
                self.literal(":")?;
                let value = self.string()?;
                // The keys ascend, so there are no duplicates: this order is the
                // canonical one.
                if pairs.last_key_value().is_some_and(|(last, _)| *last >= key) {
                    return Err(InvalidValue);
                }
                pairs.insert(key, value);
                if self.literal(",").is_err() {
                    break;
                }
            }
            self.literal("}")?;
        }
        if self.0.is_empty() {
            Ok(pairs)
        } else {
            Err(InvalidValue)
        }
    }

    fn literal(&mut self, expected: &str) -> Result<(), InvalidValue> {
        self.0 = self.0.strip_prefix(expected).ok_or(InvalidValue)?;
        Ok(())
    }

    fn string(&mut self) -> Result<SecretString, InvalidValue> {
        self.literal("\"")?;
        let end = closing_quote(self.0).ok_or(InvalidValue)?;
        let (mut raw, rest) = self.0.split_at(end);
        // An unescaped string is never longer, so the buffer does not grow and leave
        // copies.
        let mut text = Zeroizing::new(String::with_capacity(raw.len()));
        while let Some((plain, escaped)) = raw.split_once('\\') {
            text.push_str(plain);
            let (character, length) = unescape(escaped).ok_or(InvalidValue)?;
            text.push(character);
            raw = &escaped[length..];
        }
        text.push_str(raw);
        self.0 = rest;
        self.literal("\"")?;
        Ok(SecretString::new(std::mem::take(&mut *text)))
    }
}

/// Returns the end of the string; `None` without an end, or if the string contains a
/// control character.
fn closing_quote(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(index),
            b'\\' => {
                bytes.next();
            }
            0x00..0x20 => return None,
            _ => {}
        }
    }
    None
}

/// Parses the canonical escape after a backslash, of a character that requires one.
///
/// Returns the character and the number of bytes of the escape.
fn unescape(text: &str) -> Option<(char, usize)> {
    match text.bytes().next()? {
        b'"' => Some(('"', 1)),
        b'\\' => Some(('\\', 1)),
        b'b' => Some(('\u{08}', 1)),
        b't' => Some(('\t', 1)),
        b'n' => Some(('\n', 1)),
        b'f' => Some(('\u{0c}', 1)),
        b'r' => Some(('\r', 1)),
        b'u' => {
            let digits = text.get(1..5)?;
            let byte = (0..0x20).find(|byte| {
                matches!(escape(*byte), Escape::Long) && digits == format!("{byte:04x}")
            })?;
            Some((char::from(byte), 5))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
