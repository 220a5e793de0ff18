//! Compact encoding of the fields of one entry of private data.
//!
//! An entry is a bitmap and the fields that are present, in the order in which they were
//! written. The bitmap is a number that has one bit for each flag and each optional field, the
//! first one lowest. Numbers are little-endian base 128, in their shortest form. So each value
//! has one encoding, and an entry with a field that this release does not know is an error.

use super::InvalidPrivateData;

/// Most flags and optional fields of one entry.
const MAX_FLAGS: u32 = 64;

/// Writes the fields of one entry of private data.
///
/// # Examples
///
/// ```
/// use planton_plugin::{FieldReader, FieldWriter};
///
/// let mut to = FieldWriter::new();
/// to.number(7);
/// to.optional(Some("acme"), FieldWriter::text);
/// to.flag(false);
/// let entry = to.finish();
///
/// let mut from = FieldReader::new(&entry)?;
/// assert_eq!(from.number()?, 7);
/// assert_eq!(from.optional(FieldReader::text)?, Some("acme"));
/// assert!(!from.flag()?);
/// from.finish()?;
/// # Ok::<(), planton_plugin::InvalidPrivateData>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FieldWriter {
    bitmap: u64,
    flags: u32,
    body: Vec<u8>,
}

impl FieldWriter {
    /// Returns the writer of an entry without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a flag.
    ///
    /// # Panics
    ///
    /// If the entry has more than 64 flags and optional fields.
    pub fn flag(&mut self, is_set: bool) {
        assert!(self.flags < MAX_FLAGS, "an entry has at most 64 flags");
        self.bitmap |= u64::from(is_set) << self.flags;
        self.flags += 1;
    }

    /// Writes a field that may be absent.
    ///
    /// # Panics
    ///
    /// As [`flag`](Self::flag).
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Writes a number, in one byte up to 127.
    pub fn number(&mut self, number: u64) {
        write_number(&mut self.body, number);
    }

    /// Writes bytes of a fixed length.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    /// Writes bytes after their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        write_bytes(&mut self.body, bytes);
    }

    /// Writes a text after its length.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Returns the encoded entry.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut entry = Vec::with_capacity(self.body.len() + 2);
        write_number(&mut entry, self.bitmap);
        entry.extend_from_slice(&self.body);
        entry
    }
}

/// Reads the fields of one entry of private data, in the order in which they were written.
///
/// # Errors
///
/// Every method fails with [`InvalidPrivateData`] if the entry ends early, and if a field does
/// not have its only encoding.
#[derive(Clone, Debug)]
pub struct FieldReader<'a> {
    bitmap: u64,
    flags: u32,
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    /// Returns the reader of an encoded entry.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] if the entry has no bitmap.
    pub fn new(entry: &'a [u8]) -> Result<Self, InvalidPrivateData> {
        let mut rest = entry;
        Ok(Self {
            bitmap: read_number(&mut rest)?,
            flags: 0,
            rest,
        })
    }

    /// Reads a flag.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] after the 64th flag.
    pub fn flag(&mut self) -> Result<bool, InvalidPrivateData> {
        if self.flags == MAX_FLAGS {
            return Err(InvalidPrivateData);
        }
        self.flags += 1;
        let is_set = self.bitmap & 1 == 1;
        self.bitmap >>= 1;
        Ok(is_set)
    }

    /// Reads a field that may be absent.
    ///
    /// # Errors
    ///
    /// Those of [`flag`](Self::flag) and of `read`.
    pub fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, InvalidPrivateData>,
    ) -> Result<Option<T>, InvalidPrivateData> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Ok(None),
        }
    }

    /// Reads a number.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] if it is cut, not in its shortest form, or beyond 64 bits.
    pub fn number(&mut self) -> Result<u64, InvalidPrivateData> {
        read_number(&mut self.rest)
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] if the entry is shorter.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], InvalidPrivateData> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(InvalidPrivateData)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads bytes after their length.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] if the entry is shorter.
    pub fn bytes(&mut self) -> Result<&'a [u8], InvalidPrivateData> {
        read_bytes(&mut self.rest)
    }

    /// Reads a text after its length.
    ///
    /// # Errors
    ///
    /// Those of [`bytes`](Self::bytes), and [`InvalidPrivateData`] if it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, InvalidPrivateData> {
        std::str::from_utf8(self.bytes()?).map_err(|_| InvalidPrivateData)
    }

    /// Checks that all fields were read.
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] if the entry has more flags or bytes, such as those of a later
    /// release.
    pub fn finish(self) -> Result<(), InvalidPrivateData> {
        match self.bitmap == 0 && self.rest.is_empty() {
            true => Ok(()),
            false => Err(InvalidPrivateData),
        }
    }
}

/// Writes `number` in its shortest form: seven bits a byte, the lowest first, and the highest
/// bit set in all bytes but the last.
fn write_number(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

fn read_number(from: &mut &[u8]) -> Result<u64, InvalidPrivateData> {
    let mut number = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = from.split_first().ok_or(InvalidPrivateData)?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        let placed = bits << shift;
        let is_overlong = *byte == 0 && shift > 0;
        if placed >> shift != bits || is_overlong {
            return Err(InvalidPrivateData);
        }
        number |= placed;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(InvalidPrivateData)
}

/// Writes bytes after their length.
pub(super) fn write_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    // No message of a host exceeds 256 MiB.
    let length = u64::try_from(bytes.len()).expect("private data is small");
    write_number(to, length);
    to.extend_from_slice(bytes);
}

/// Reads bytes after their length.
pub(super) fn read_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], InvalidPrivateData> {
    let length = usize::try_from(read_number(from)?).map_err(|_| InvalidPrivateData)?;
    let (bytes, rest) = from.split_at_checked(length).ok_or(InvalidPrivateData)?;
    *from = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
