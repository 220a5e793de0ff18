//! What somebody else keeps in the same place, in plaintext: for taking it over.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{RemoteName, StoreError, StoreErrorKind};
use planton_secret::SecretString;

/// A value that somebody else stored.
///
/// # Security
///
/// Plaintext: zeroized, redacted in `Debug`.
#[derive(Debug)]
pub enum ForeignValue {
    /// One text.
    Text(SecretString),
    /// Texts by key, as KV version 2 has them.
    KeyValue(BTreeMap<String, SecretString>),
}

/// Reads and deletes objects that are not ours.
#[async_trait]
pub trait ForeignObjects: Send + Sync {
    /// Returns the current value of the object `name`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Corrupt` for what is no text, and for an envelope of ours.
    async fn read_foreign(&self, name: &RemoteName) -> Result<ForeignValue, StoreError>;

    /// Deletes the object `name`, as the vendor's own recovery allows. What is
    /// gone already counts as deleted.
    ///
    /// # Errors
    ///
    /// Never `NotFound`.
    async fn delete_foreign(&self, name: &RemoteName) -> Result<(), StoreError>;
}

/// Takes a foreign payload as text, and refuses an envelope of ours: copied, it
/// would be sealed twice, and nobody would expect that.
///
/// # Errors
///
/// `Corrupt`, which says nothing of the payload.
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
            "The object is sealed by this provider already: it is one of its secrets.",
        ));
    }
    match String::from_utf8(payload) {
        Ok(text) => Ok(SecretString::new(text)),
        Err(error) => {
            drop(zeroize::Zeroizing::new(error.into_bytes()));
            Err(refused("The object's value is no text."))
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
