//! What callers saw of backends before: their records must not go back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::{BackendDocument, BackendRecord};

/// What was seen of a backend, for a caller to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenBackend {
    /// Its identity.
    pub uuid: Uuid,
    /// The generation of its record.
    pub generation: u64,
    /// The digest of its settings, in hexadecimal.
    pub digest: String,
    /// Whether its record kept a credential.
    pub is_static: bool,
}

impl SeenBackend {
    pub(super) fn new(document: &BackendDocument, record: &BackendRecord) -> Self {
        Self {
            uuid: record.uuid,
            generation: document.generation,
            digest: hex::encode(BackendRecord::settings_digest(&record.settings)),
            is_static: record.credential.is_some(),
        }
    }
}

/// What was seen last of each backend, as far as this process has heard.
#[derive(Debug, Default)]
pub(super) struct SeenBackends(Mutex<HashMap<Uuid, SeenBackend>>);

impl SeenBackends {
    /// Remembers what was seen, unless something later is known.
    pub(super) fn remember(&self, seen: SeenBackend) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&seen.uuid) {
            Some(known) if known.generation >= seen.generation => {}
            Some(known) => *known = seen,
            None => {
                all.insert(seen.uuid, seen);
            }
        }
    }

    /// Returns what was seen last of the backend.
    pub(super) fn last(&self, uuid: Uuid) -> Option<SeenBackend> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&uuid).cloned()
    }

    /// Returns the generation that was seen, where a record leads elsewhere and
    /// is older than that. One that leads to the same place may be: after the
    /// restore of a backup nothing is wrong with it.
    pub(super) fn overrules(&self, found: &SeenBackend) -> Option<u64> {
        let last = self.last(found.uuid)?;
        let went_back = found.generation < last.generation && found.digest != last.digest;
        went_back.then_some(last.generation)
    }

    /// Says whether a record without a credential leads where it led when it was
    /// seen last. One that had a credential then is never good for that: nothing
    /// is to be had by stripping it.
    pub(super) fn vouches_for(&self, found: &SeenBackend) -> bool {
        let last = self.last(found.uuid);
        last.is_some_and(|last| !last.is_static && !found.is_static && last.digest == found.digest)
    }
}
