//! What callers saw of backends and of the default before: their records must
//! not go back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::BackendRecord;
use crate::names::Slug;

/// What was seen of a backend, for a caller to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation of its record, which runs on when a namesake is made anew.
    pub generation: u64,
    /// The digest of its settings, in hexadecimal.
    pub digest: String,
    /// Whether its record kept a credential.
    pub is_static: bool,
}

impl SeenBackend {
    pub(crate) fn new(generation: u64, record: &BackendRecord) -> Self {
        Self {
            name: record.name.clone(),
            uuid: record.uuid,
            generation,
            digest: hex::encode(record.settings.digest()),
            is_static: record.credential.is_some(),
        }
    }

    fn is_same_place(&self, other: &Self) -> bool {
        self.uuid == other.uuid && self.digest == other.digest
    }
}

/// What was seen last, as far as this process has heard.
#[derive(Debug, Default)]
pub(crate) struct RollbackGuard {
    backends: Mutex<HashMap<Slug, SeenBackend>>,
    default: Mutex<Option<(u64, Slug)>>,
}

impl RollbackGuard {
    fn backends(&self) -> MutexGuard<'_, HashMap<Slug, SeenBackend>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what was seen of a backend, unless something later is known.
    pub(crate) fn remember(&self, seen: SeenBackend) {
        let mut backends = self.backends();
        let known = backends.get(&seen.name);
        if known.is_none_or(|known| known.generation < seen.generation) {
            backends.insert(seen.name.clone(), seen);
        }
    }

    /// Returns what was seen last of the backend.
    pub(crate) fn last(&self, name: &Slug) -> Option<SeenBackend> {
        self.backends().get(name).cloned()
    }

    /// Returns the generation that was seen, where a record leads elsewhere and
    /// is not newer than that. One that leads to the same place may be older:
    /// after the restore of a backup nothing is wrong with it.
    pub(crate) fn rollback_of(&self, found: &SeenBackend) -> Option<u64> {
        let last = self.last(&found.name)?;
        let is_rolled_back = found.generation <= last.generation && !found.is_same_place(&last);
        is_rolled_back.then_some(last.generation)
    }

    /// Says whether a record without a credential leads where it led when it was
    /// seen last. One that had a credential then is never good for that: nothing
    /// is to be had by stripping it.
    pub(crate) fn is_known_place(&self, found: &SeenBackend) -> bool {
        let last = self.last(&found.name);
        last.is_some_and(|last| !last.is_static && !found.is_static && found.is_same_place(&last))
    }

    /// Remembers which backend was the default at a generation of its record;
    /// returns false where something later is known.
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

    /// Returns the generation that was seen, where the default's record names
    /// another backend and is not newer than that. No record is generation 0:
    /// one that was written once is never taken away.
    pub(crate) fn rollback_of_default(&self, backend: &Slug, generation: u64) -> Option<u64> {
        let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, known) = default.as_ref()?;
        (generation <= *seen && backend != known).then_some(*seen)
    }
}
