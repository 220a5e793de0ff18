//! The attempts that this process made recently.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use planton_core::store::{NativeVersionId, RemoteName};

/// Maximum number of attempts to keep. A retry follows within moments, from the same
/// call.
const KEPT: usize = 64;

/// Caches attempts, so that a retry returns the same version without a request.
///
/// Key Vault has no idempotency key: two sets create two versions. Each call generates
/// the UUID of its attempt, so no other process can retry it.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<VecDeque<Attempt>>);

#[derive(Debug)]
struct Attempt {
    uuid: Uuid,
    name: RemoteName,
    payload: [u8; 32],
    /// Absent if the response was lost.
    version: Option<NativeVersionId>,
}

/// The cached outcome of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recalled {
    /// This process did not make the attempt.
    Unknown,
    /// The attempt put this version.
    Put(NativeVersionId),
    /// The response was lost.
    InDoubt,
    /// The attempt had another name or payload.
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

    /// Removes the attempts of a name that is deleted.
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
