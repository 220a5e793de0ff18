//! Private data, which the host stores with the state of a resource.

mod fields;

use std::collections::BTreeMap;

pub use fields::{FieldReader, FieldWriter};

use fields::{read_bytes, write_bytes};

/// Named bytes that the host stores with a resource, or keeps in memory while an ephemeral
/// resource is open. The host never prints them.
///
/// # Security
///
/// The state file contains a resource's private data in plaintext, so it must never contain
/// a secret.
///
/// A state contains it once for each resource, in base64, and the host writes the whole state
/// after every resource. So names should be short, and [`FieldWriter`] writes compact bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateData(BTreeMap<String, Vec<u8>>);

/// Error for bytes that are not private data of this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not private data of this provider")]
pub struct InvalidPrivateData;

/// First byte of encoded private data. Another layout has another one.
const FORMAT: u8 = 1;

impl PrivateData {
    /// Returns empty private data.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns true if there is no data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes under `name`.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Returns the text under `name`; `None` also for bytes that are not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Sets the bytes under `name`.
    pub fn set(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), bytes.into());
    }

    /// Returns the data with the bytes under `name` set.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.set(name, bytes);
        self
    }

    /// Removes and returns the bytes under `name`.
    pub fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        self.0.remove(name)
    }

    /// Encodes the data into one blob, which is empty if there is no data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut blob = vec![FORMAT];
        for (name, bytes) in &self.0 {
            write_bytes(&mut blob, name.as_bytes());
            write_bytes(&mut blob, bytes);
        }
        blob
    }

    /// Decodes the result of [`encode`](Self::encode).
    ///
    /// # Errors
    ///
    /// [`InvalidPrivateData`] for anything else.
    pub fn decode(blob: &[u8]) -> Result<Self, InvalidPrivateData> {
        if blob.is_empty() {
            return Ok(Self::default());
        }
        let mut rest = blob.strip_prefix(&[FORMAT]).ok_or(InvalidPrivateData)?;
        if rest.is_empty() {
            return Err(InvalidPrivateData);
        }
        let mut data = BTreeMap::new();
        while !rest.is_empty() {
            let name = std::str::from_utf8(read_bytes(&mut rest)?);
            let name = name.map_err(|_| InvalidPrivateData)?.to_owned();
            // Names ascend, so private data has one encoding.
            if data.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(InvalidPrivateData);
            }
            data.insert(name, read_bytes(&mut rest)?.to_vec());
        }
        Ok(Self(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_data_round_trips_and_nothing_is_nothing() {
        let data = PrivateData::new()
            .with("uuid", "1234")
            .with("raw", [0u8, 255])
            .with("", "");
        assert_eq!(PrivateData::decode(&data.encode()), Ok(data.clone()));
        assert_eq!(data.text("uuid"), Some("1234"));
        assert_eq!(data.text("raw"), None);
        assert!(PrivateData::new().encode().is_empty());
        assert_eq!(PrivateData::decode(&[]), Ok(PrivateData::new()));
    }

    #[test]
    fn foreign_or_cut_bytes_are_refused() {
        let blob = PrivateData::new().with("uuid", "1234").encode();
        assert_eq!(blob, b"\x01\x04uuid\x041234");
        for cut in 1..blob.len() {
            assert!(PrivateData::decode(&blob[..cut]).is_err(), "{cut}");
        }
        for foreign in [
            &b"{\"schema_version\":\"1\"}"[..],
            b"\x02\x01a\x00",
            b"\x01\xff\xff\xff\xff\x0f",
            b"\x01\x01b\x00\x01a\x00",
            b"\x01\x01a\x00\x01a\x00",
        ] {
            assert!(PrivateData::decode(foreign).is_err(), "{foreign:?}");
        }
    }
}
