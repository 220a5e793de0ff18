//! Rejects records of backends, of the default and of the organization's keys that are older
//! than those seen before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::SeenDigest;
use crate::catalog::{BackendRecord, OrganizationRecord};
use crate::names::Slug;

/// The generation of an organization's record after its first use.
const FIRST_USE: u64 = 2;

/// A backend's record as the caller saw it, for the caller to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation of its document, which a later backend of this name continues.
    pub generation: u64,
    /// The digest of its settings.
    pub digest: SeenDigest,
    /// The digest of its KEKs; absent for the organization's key alone.
    pub keys_digest: Option<SeenDigest>,
    /// Whether its record contained a sealed credential.
    pub is_static: bool,
}

impl SeenBackend {
    pub(crate) fn new(generation: u64, record: &BackendRecord) -> Self {
        Self {
            name: record.name.clone(),
            uuid: record.uuid,
            generation,
            digest: SeenDigest::of(&hex::encode(record.settings.digest())),
            keys_digest: record.keys.digest().as_deref().map(SeenDigest::of),
            is_static: record.credential.is_some(),
        }
    }

    fn is_same_place_and_keys(&self, other: &Self) -> bool {
        self.is_same_place(other) && self.keys_digest == other.keys_digest
    }

    fn is_same_place(&self, other: &Self) -> bool {
        self.uuid == other.uuid && self.digest == other.digest
    }
}

/// The escrow keys in an organization's record as the caller saw them, for the caller to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenKeys {
    /// The generation of the record.
    pub generation: u64,
    /// The digest of the escrow keys; absent if there are none.
    pub digest: Option<SeenDigest>,
}

impl SeenKeys {
    pub(crate) fn of(record: &OrganizationRecord) -> Self {
        Self {
            generation: record.generation,
            digest: record.escrow_digest().as_deref().map(SeenDigest::of),
        }
    }

    /// Returns true if there is nothing to bring back: no earlier record names any key.
    pub(crate) fn is_of_first_use(&self) -> bool {
        self.generation <= FIRST_USE && self.digest.is_none()
    }

    /// Returns true if this record is no newer than `known` and names other keys. An older
    /// record with the same keys is accepted, since it may come from a backup.
    pub(crate) fn is_rolled_back_from(&self, known: &Self) -> bool {
        self.generation <= known.generation && self.digest != known.digest
    }
}

/// The newest records that this process has seen.
#[derive(Debug, Default)]
pub(crate) struct RollbackGuard {
    backends: Mutex<HashMap<Slug, SeenBackend>>,
    default: Mutex<Option<(u64, Slug)>>,
    keys: Mutex<Option<SeenKeys>>,
}

impl RollbackGuard {
    fn backends(&self) -> MutexGuard<'_, HashMap<Slug, SeenBackend>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a backend's record, unless a newer one was seen.
    pub(crate) fn remember(&self, seen: SeenBackend) {
        let mut backends = self.backends();
        let known = backends.get(&seen.name);
        if known.is_none_or(|known| known.generation < seen.generation) {
            backends.insert(seen.name.clone(), seen);
        }
    }

    /// Returns the newest record of the backend that was seen.
    pub(crate) fn last(&self, name: &Slug) -> Option<SeenBackend> {
        self.backends().get(name).cloned()
    }

    /// Returns the remembered generation if `found` is not newer and leads to another place
    /// or names other KEKs. An older record of the same place is accepted, since it may come from a backup.
    pub(crate) fn rollback_of(&self, found: &SeenBackend) -> Option<u64> {
        let last = self.last(&found.name)?;
        let is_rolled_back =
            found.generation <= last.generation && !found.is_same_place_and_keys(&last);
        is_rolled_back.then_some(last.generation)
    }

    /// Returns true if neither `found` nor the remembered record has a credential, and both
    /// lead to the same place. An attacker thus gains nothing by stripping a credential.
    pub(crate) fn is_known_place(&self, found: &SeenBackend) -> bool {
        let last = self.last(&found.name);
        last.is_some_and(|last| !last.is_static && !found.is_static && found.is_same_place(&last))
    }

    /// Remembers the default backend at a generation of its record. Returns false if a newer
    /// generation is remembered.
    pub(crate) fn remember_default(&self, backend: &Slug, generation: u64) -> bool {
        let mut default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = match &*default {
            Some((known, _)) => *known < generation,
            None => true,
        };
        if is_news {
            *default = Some((generation, backend.clone()));
        }
        is_news
    }

    /// Returns the remembered generation if the default's record is not newer and names another
    /// backend. A missing record has generation 0, since a record is never removed.
    pub(crate) fn rollback_of_default(&self, backend: &Slug, generation: u64) -> Option<u64> {
        let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, known) = default.as_ref()?;
        (generation <= *seen && backend != known).then_some(*seen)
    }

    /// Remembers the organization's keys, unless newer ones were seen.
    pub(crate) fn remember_keys(&self, seen: SeenKeys) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let known = keys.as_ref();
        if known.is_none_or(|known| known.generation < seen.generation) {
            *keys = Some(seen);
        }
    }

    /// Returns the newest keys of the organization that were seen.
    pub(crate) fn last_keys(&self) -> Option<SeenKeys> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        *keys
    }

    /// Returns the remembered generation if `found` is not newer and names other keys.
    pub(crate) fn rollback_of_keys(&self, found: &SeenKeys) -> Option<u64> {
        let known = self.last_keys()?;
        found
            .is_rolled_back_from(&known)
            .then_some(known.generation)
    }
}
