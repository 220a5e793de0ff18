//! Private data, which the host stores with the state of a resource.

use std::collections::BTreeMap;

/// Named bytes that the host stores with a resource, or keeps in memory while an ephemeral
/// resource is open. The host never prints them.
///
/// # Security
///
/// The state file contains a resource's private data in plaintext, so it must never contain
/// a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateData(BTreeMap<String, Vec<u8>>);

/// Error for bytes that are not private data of this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not private data of this provider")]
pub struct InvalidPrivateData;

const MAGIC: &[u8; 4] = b"PPD1";

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
        let mut blob = MAGIC.to_vec();
        for (name, bytes) in &self.0 {
            for part in [name.as_bytes(), bytes] {
                // No message of a host exceeds 256 MiB.
                let length = u32::try_from(part.len()).expect("private data is small");
                blob.extend_from_slice(&length.to_be_bytes());
                blob.extend_from_slice(part);
            }
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
        let mut rest = blob.strip_prefix(MAGIC).ok_or(InvalidPrivateData)?;
        let mut data = BTreeMap::new();
        while !rest.is_empty() {
            let name =
                String::from_utf8(part(&mut rest)?.to_vec()).map_err(|_| InvalidPrivateData)?;
            data.insert(name, part(&mut rest)?.to_vec());
        }
        Ok(Self(data))
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], InvalidPrivateData> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(InvalidPrivateData)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| InvalidPrivateData)?;
    let (part, after) = after.split_at_checked(length).ok_or(InvalidPrivateData)?;
    *rest = after;
    Ok(part)
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
        for cut in 1..blob.len() {
            if cut != MAGIC.len() {
                assert!(PrivateData::decode(&blob[..cut]).is_err(), "{cut}");
            }
        }
        assert!(PrivateData::decode(b"{\"schema_version\":\"1\"}").is_err());
        assert!(PrivateData::decode(b"PPD1\xff\xff\xff\xff").is_err());
    }
}
