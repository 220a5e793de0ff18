//! Planted values, and the search for them in everything that a run leaves.
//!
//! A leak is rarely verbatim: state is JSON, plan files are zips, KV stores base64, logs
//! quote. The search covers every known encoding between the provider and a disk.

use std::fmt;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::read::MultiGzDecoder;
use memchr::memmem;

/// The maximum depth of nested archives.
const MAX_DEPTH: usize = 4;
/// The maximum unpacked size of an archive entry.
const MAX_UNPACKED_BYTES: u64 = 256 << 20;

/// The encoding in which a planted value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Verbatim.
    Raw,
    /// Base64 with the standard alphabet, at any alignment.
    Base64,
    /// Base64 with the URL alphabet, at any alignment.
    Base64Url,
    /// Lower-case hexadecimal digits.
    HexLower,
    /// Upper-case hexadecimal digits.
    HexUpper,
    /// Percent-encoding with digits of either case.
    Url,
    /// In a JSON string, as serde or Go writes it.
    Json,
    /// In a JSON string inside another one, or in a quoted log line.
    JsonTwice,
    /// In a quoted value of hclog, verbatim or in JSON. hclog escapes quotes but not
    /// backslashes.
    Logged,
    /// A list of decimal numbers, as Rust and Go print bytes.
    Decimal,
    /// UTF-16, little-endian.
    Utf16,
}

/// A high-entropy value that must not appear anywhere.
///
/// It contains characters that JSON, URLs and both Base64 alphabets encode differently,
/// so that each encoding is distinct.
#[derive(Clone)]
pub struct Canary {
    label: String,
    value: String,
    needles: Vec<(Encoding, Vec<u8>)>,
}

impl Canary {
    /// Creates a value. `label` names it in messages.
    ///
    /// # Panics
    ///
    /// If the operating system returns no randomness.
    #[must_use]
    pub fn new(label: &str) -> Self {
        let mut random = [0_u8; 20];
        getrandom::fill(&mut random).expect("the operating system has randomness");
        let random = hex::encode(random);
        let (head, tail) = random.split_at(20);
        Self::of(label, &format!("cnry{head}\"<\\/&+ü?>~{tail}yrnc"))
    }

    /// Creates a value of letters and digits only, for fields such as tokens and key ids.
    ///
    /// # Panics
    ///
    /// If the operating system returns no randomness.
    #[must_use]
    pub fn alphanumeric(label: &str) -> Self {
        let mut random = [0_u8; 20];
        getrandom::fill(&mut random).expect("the operating system has randomness");
        Self::of(label, &format!("cnry{}", hex::encode(random)))
    }

    /// Wraps an existing value, such as a generated password or a token.
    ///
    /// # Panics
    ///
    /// If it has fewer than 8 bytes, which would match by chance.
    #[must_use]
    pub fn of(label: &str, value: &str) -> Self {
        assert!(value.len() >= 8, "too short a value to search for: {label}");
        Self {
            label: label.to_owned(),
            value: value.to_owned(),
            needles: needles(value),
        }
    }

    /// Returns the label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the value for planting.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the value as a quoted HCL string literal.
    #[must_use]
    pub fn hcl(&self) -> String {
        let escaped = self.value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", escaped.replace("${", "$${").replace("%{", "%%{"))
    }

    /// Returns each encoding in which `bytes` contain the value, including inside zip and
    /// gzip. Empty if they do not contain it.
    #[must_use]
    pub fn find_in(&self, bytes: &[u8]) -> Vec<Encoding> {
        let mut found = Vec::new();
        self.search(bytes, 0, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns each file below `folder` that contains the value. Does not follow symbolic
    /// links.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, because the search is then incomplete.
    pub fn find_below(&self, folder: &Path) -> Result<Vec<(PathBuf, Vec<Encoding>)>> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let reading = || format!("searching {}", folder.display());
            for entry in fs::read_dir(&folder).with_context(reading)? {
                let entry = entry.with_context(reading)?;
                let kind = entry.file_type().with_context(reading)?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let bytes = fs::read(entry.path()).with_context(reading)?;
                    let encodings = self.find_in(&bytes);
                    if !encodings.is_empty() {
                        found.push((entry.path(), encodings));
                    }
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Checks that `bytes` do not contain the value. `place` names them in messages.
    ///
    /// # Errors
    ///
    /// If they do. The message contains the label, the place and the encodings, and never
    /// the value.
    pub fn absent_from(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let found = self.find_in(bytes);
        ensure!(
            found.is_empty(),
            "{} is in {place}, as {found:?}",
            self.label
        );
        Ok(())
    }

    /// Checks that no file below `folder` contains the value.
    ///
    /// # Errors
    ///
    /// If one does, or a file cannot be read.
    pub fn absent_below(&self, folder: &Path) -> Result<()> {
        let found = self.find_below(folder)?;
        ensure!(found.is_empty(), "{} is in {found:?}", self.label);
        Ok(())
    }

    fn search(&self, bytes: &[u8], depth: usize, found: &mut Vec<Encoding>) {
        for (encoding, needle) in &self.needles {
            if !found.contains(encoding) && memmem::find(bytes, needle).is_some() {
                found.push(*encoding);
            }
        }
        if depth < MAX_DEPTH {
            for unpacked in unpack(bytes) {
                self.search(&unpacked, depth + 1, found);
            }
        }
    }
}

impl fmt::Debug for Canary {
    /// Shows the label only, so that a failing test does not leak the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canary({})", self.label)
    }
}

fn needles(value: &str) -> Vec<(Encoding, Vec<u8>)> {
    let bytes = value.as_bytes();
    let mut needles = vec![
        (Encoding::Raw, bytes.to_vec()),
        (Encoding::HexLower, hex::encode(bytes).into_bytes()),
        (Encoding::HexUpper, hex::encode_upper(bytes).into_bytes()),
    ];
    for alignment in 0..3 {
        needles.push((
            Encoding::Base64,
            base64_core(&STANDARD_NO_PAD, bytes, alignment),
        ));
        needles.push((
            Encoding::Base64Url,
            base64_core(&URL_SAFE_NO_PAD, bytes, alignment),
        ));
    }
    for upper in [true, false] {
        // The unreserved characters of RFC 3986, and the larger sets of JavaScript and Go.
        for keep in ["-._~", "-._~!*'()", "-._~$&+,/:;=@", "-._"] {
            needles.push((Encoding::Url, percent_encode(value, keep, upper)));
            let plus = percent_encode(value, keep, upper);
            let plus = String::from_utf8_lossy(&plus).replace("%20", "+");
            needles.push((Encoding::Url, plus.into_bytes()));
        }
    }
    for once in json_forms(value) {
        needles.extend(json_forms(&once).map(|twice| (Encoding::JsonTwice, twice.into_bytes())));
        needles.push((Encoding::Logged, once.replace('"', "\\\"").into_bytes()));
        needles.push((Encoding::Json, once.into_bytes()));
    }
    let logged = value.replace('"', "\\\"");
    needles.push((Encoding::Logged, logged.into_bytes()));
    let numbers = |separator: &str| {
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        numbers.join(separator).into_bytes()
    };
    needles.extend([", ", " ", ","].map(|separator| (Encoding::Decimal, numbers(separator))));
    let wide = value.encode_utf16().flat_map(u16::to_le_bytes).collect();
    needles.push((Encoding::Utf16, wide));

    // Many encodings leave plain letters unchanged, and would only repeat "raw".
    let mut distinct: Vec<(Encoding, Vec<u8>)> = Vec::new();
    for (encoding, needle) in needles {
        if !distinct.iter().any(|(_, other)| *other == needle) {
            distinct.push((encoding, needle));
        }
    }
    distinct
}

/// Returns the Base64 digits that depend only on `bytes`, after `alignment` other bytes
/// and before any bytes.
fn base64_core(engine: &impl Engine, bytes: &[u8], alignment: usize) -> Vec<u8> {
    let mut padded = vec![0; alignment];
    padded.extend_from_slice(bytes);
    let digits = engine.encode(&padded);
    let first = (alignment * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    digits.as_bytes()[first..last].to_vec()
}

fn percent_encode(value: &str, keep: &str, upper: bool) -> Vec<u8> {
    let mut encoded = String::new();
    for byte in value.bytes() {
        let character = char::from(byte);
        if character.is_ascii_alphanumeric() || keep.contains(character) {
            encoded.push(character);
        } else if upper {
            encoded.push_str(&format!("%{byte:02X}"));
        } else {
            encoded.push_str(&format!("%{byte:02x}"));
        }
    }
    encoded.into_bytes()
}

/// Returns the forms of `value` in JSON strings. They are plain, with `<`, `>` and `&`
/// escaped as in Go, with the slash escaped, and in ASCII only as in Python.
fn json_forms(value: &str) -> impl Iterator<Item = String> {
    let quoted = serde_json::Value::from(value).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let go = plain
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    let slash = plain.replace('/', "\\/");
    let ascii = plain.chars().fold(String::new(), |mut text, character| {
        if character.is_ascii() {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
        text
    });
    [plain, go, slash, ascii].into_iter()
}

/// Returns the unpacked content of `bytes` if they are a zip or a gzip.
fn unpack(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut unpacked = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        // The output before an error counts as well, because the file may be truncated.
        let mut content = Vec::new();
        let _ = MultiGzDecoder::new(bytes)
            .take(MAX_UNPACKED_BYTES)
            .read_to_end(&mut content);
        unpacked.push(content);
    }
    if let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) {
        for index in 0..archive.len() {
            if let Ok(entry) = archive.by_index(index) {
                let mut content = Vec::new();
                let _ = entry.take(MAX_UNPACKED_BYTES).read_to_end(&mut content);
                unpacked.push(content);
            }
        }
    }
    unpacked
}

#[cfg(test)]
mod tests;
