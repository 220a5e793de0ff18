//! The newest versions of keys, to tell which wraps are due for a rewrap.

use std::sync::Arc;

use super::OperationError;
use crate::kek::{KekErrorKind, KeyDescription, KeyEncryptionKey, Keyring};
use planton_envelope::{KekId, WrappedKey};

/// The newest versions of the keys that wrap.
#[derive(Debug)]
pub(crate) struct KeyVersions {
    ids: Vec<KekId>,
    keys: Vec<(Arc<dyn KeyEncryptionKey>, Option<KeyDescription>)>,
}

impl KeyVersions {
    /// Asks each key for its newest version. One that may not be asked counts as unknown.
    pub(crate) async fn of(keyring: &Keyring) -> Result<Self, OperationError> {
        let mut keys = Vec::new();
        for kek in keyring.wrapping_keys() {
            let newest = match kek.successor().await {
                Err(error) if error.kind() == KekErrorKind::PermissionDenied => None,
                newest => newest?,
            };
            let kek = newest.unwrap_or_else(|| Arc::clone(kek));
            let description = match kek.describe().await {
                Ok(description) => Some(description),
                Err(error) if error.kind() == KekErrorKind::PermissionDenied => None,
                Err(error) => return Err(error.into()),
            };
            keys.push((kek, description));
        }
        let ids = keys.iter().map(|(kek, _)| kek.id().clone()).collect();
        Ok(Self { ids, keys })
    }

    /// Returns true if `wrapped` shows that it is under the newest version of the key `id`.
    pub(crate) fn is_newest(&self, id: &KekId, wrapped: &WrappedKey) -> bool {
        let mut keys = self.keys.iter();
        let found = keys.find(|(kek, _)| kek.id() == id);
        let newest =
            found.and_then(|(kek, description)| kek.is_newest(wrapped, description.as_ref()?));
        newest == Some(true)
    }

    /// Returns whether `wraps`, which a verified record attributes to the keys `named`, are
    /// under the present keys and show their newest versions.
    pub(crate) fn are_current(&self, wraps: &[(KekId, WrappedKey)], named: &[KekId]) -> bool {
        if named != self.ids || wraps.len() != self.keys.len() {
            return false;
        }
        let wraps = wraps.iter().zip(&self.keys);
        wraps.into_iter().all(|((_, wrapped), (kek, description))| {
            let description = description.as_ref();
            description.and_then(|description| kek.is_newest(wrapped, description)) == Some(true)
        })
    }
}
