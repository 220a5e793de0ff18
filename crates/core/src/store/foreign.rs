//! Reads and deletes plaintext objects of others in the same place, to import their
//! values.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{RemoteName, StoreError, StoreErrorKind};
use planton_secret::SecretString;

/// The plaintext value of an object that another program stored.
///
/// # Security
///
/// Plaintext: zeroized, redacted in `Debug`.
#[derive(Debug)]
pub enum ForeignValue {
    /// One text.
    Text(SecretString),
    /// Texts by key, as in KV version 2.
    KeyValue(BTreeMap<String, SecretString>),
}

/// Reads and deletes objects that this program did not create.
#[async_trait]
pub trait ForeignObjects: Send + Sync {
    /// Returns the current value of the object `name`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Corrupt` if the value is not text, or is an envelope of this
    /// program.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError>;

    /// Deletes the object `name`, subject to the vendor's own recovery.
    ///
    /// Idempotent: an absent object counts as deleted.
    ///
    /// # Errors
    ///
    /// Never `NotFound`.
    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError>;
}

/// Parses a foreign payload as text, and rejects an envelope of this program.
///
/// A copy of an envelope would be sealed twice.
///
/// # Errors
///
/// `Corrupt`, without any part of the payload.
pub fn foreign_text(
    payload: Vec<u8>,
    operation: &'static str,
    name: &RemoteName,
) -> Result<SecretString, StoreError> {
    let refused = |remedy| {
        StoreError::new(StoreErrorKind::Corrupt, operation, name.as_str()).with_remedy(remedy)
    };
    if payload.starts_with(b"PSE1") || payload.starts_with(b"pse1.") {
        return Err(refused(
            "The object is an envelope of this provider, so it is a secret already.",
        ));
    }
    match String::from_utf8(payload) {
        Ok(text) => Ok(SecretString::new(text)),
        Err(error) => {
            drop(zeroize::Zeroizing::new(error.into_bytes()));
            Err(refused("The object's value is not UTF-8 text."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_payload_is_text_and_none_of_ours() {
        let name = RemoteName::new("legacy".to_owned());
        let taken = |payload: &[u8]| foreign_text(payload.to_vec(), "read", &name);
        assert_eq!(taken(b"hunter2").ok().map(|t| t.len()), Some(7));
        assert_eq!(taken(b"").ok().map(|t| t.len()), Some(0));
        for bad in [&b"PSE1\x01"[..], b"pse1.AAAA", &[0xff, 0xfe]] {
            let refused = taken(bad).map(|t| t.len());
            assert_eq!(
                refused.map_err(|error| error.kind()),
                Err(StoreErrorKind::Corrupt)
            );
        }
    }
}
