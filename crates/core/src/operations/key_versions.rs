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
        self.each(wraps, named)
            .is_some_and(|mut each| each.all(|newest| newest == Some(true)))
    }

    /// Returns whether `wraps`, which a verified record attributes to the keys `named`, show that
    /// they are under other keys than the present ones, or under older versions. A wrap that does
    /// not show its version, such as one of AWS KMS, counts as one of the newest.
    pub(crate) fn are_behind(&self, wraps: &[(KekId, WrappedKey)], named: &[KekId]) -> bool {
        self.each(wraps, named)
            .is_none_or(|mut each| each.any(|newest| newest == Some(false)))
    }

    /// Returns for each wrap whether it is under the newest version of its key, if it shows that;
    /// `None` if the wraps are not those of the present keys.
    fn each<'a>(
        &'a self,
        wraps: &'a [(KekId, WrappedKey)],
        named: &[KekId],
    ) -> Option<impl Iterator<Item = Option<bool>> + 'a> {
        if named != self.ids || wraps.len() != self.keys.len() {
            return None;
        }
        let wraps = wraps.iter().zip(&self.keys);
        Some(wraps.map(|((_, wrapped), (kek, description))| {
            kek.is_newest(wrapped, description.as_ref()?)
        }))
    }
}
