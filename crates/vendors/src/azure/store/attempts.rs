//! What this process put a moment ago.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use planton_core::store::{NativeVersionId, RemoteName};

/// An attempt is made again within moments, by the call that made it.
const KEPT: usize = 64;

/// Remembers attempts, so that one that is made again gives the same version
/// without a request.
///
/// Key Vault has no idempotency key: whatever is set twice is two versions. An
/// attempt's UUID is drawn for each call, so that only this process can make it
/// again.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<VecDeque<Attempt>>);

#[derive(Debug)]
struct Attempt {
    uuid: Uuid,
    name: RemoteName,
    payload: [u8; 32],
    /// Absent where the answer was lost.
    version: Option<NativeVersionId>,
}

/// What is known of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recalled {
    /// It was not made here.
    Unknown,
    /// It put this version.
    Put(NativeVersionId),
    /// Its answer was lost.
    InDoubt,
    /// It was made with another name or payload.
    Other,
}

impl Attempts {
    pub(super) fn recall(&self, uuid: Uuid, name: &RemoteName, payload: &[u8]) -> Recalled {
        let attempts = self.lock();
        let Some(attempt) = attempts.iter().rev().find(|attempt| attempt.uuid == uuid) else {
            return Recalled::Unknown;
        };
        if attempt.name != *name || attempt.payload != digest(payload) {
            return Recalled::Other;
        }
        match &attempt.version {
            Some(version) => Recalled::Put(version.clone()),
            None => Recalled::InDoubt,
        }
    }

    pub(super) fn remember(
        &self,
        uuid: Uuid,
        name: &RemoteName,
        payload: &[u8],
        version: Option<&NativeVersionId>,
    ) {
        let mut attempts = self.lock();
        if attempts.len() == KEPT {
            attempts.pop_front();
        }
        attempts.push_back(Attempt {
            uuid,
            name: name.clone(),
            payload: digest(payload),
            version: version.cloned(),
        });
    }

    /// Forgets what was put under a name that is deleted.
    pub(super) fn forget(&self, name: &RemoteName) {
        self.lock().retain(|attempt| attempt.name != *name);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_recalled_until_its_object_is_deleted_or_others_crowd_it_out() {
        let attempts = Attempts::default();
        let name = RemoteName::new("a".to_owned());
        let id = NativeVersionId::new("1".to_owned());
        let uuid = Uuid::from_u128(7);
        assert_eq!(attempts.recall(uuid, &name, b"p"), Recalled::Unknown);
        attempts.remember(uuid, &name, b"p", None);
        assert_eq!(attempts.recall(uuid, &name, b"p"), Recalled::InDoubt);
        attempts.remember(uuid, &name, b"p", Some(&id));
        assert_eq!(
            attempts.recall(uuid, &name, b"p"),
            Recalled::Put(id.clone())
        );
        assert_eq!(attempts.recall(uuid, &name, b"q"), Recalled::Other);
        let other = RemoteName::new("b".to_owned());
        assert_eq!(attempts.recall(uuid, &other, b"p"), Recalled::Other);
        attempts.forget(&name);
        assert_eq!(attempts.recall(uuid, &name, b"p"), Recalled::Unknown);
        attempts.remember(uuid, &name, b"p", Some(&id));
        for n in 100..164 {
            attempts.remember(Uuid::from_u128(n), &other, b"p", None);
        }
        assert_eq!(attempts.recall(uuid, &name, b"p"), Recalled::Unknown);
    }
}
