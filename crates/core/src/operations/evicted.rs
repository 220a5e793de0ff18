//! Puts versions again that the vendor may let go of, since a put that lost its commit has
//! taken what kept them.
//!
//! A writer chooses what keeps its version in the store, such as a label, by the record that it
//! has read. Two writers may choose the same. The one that loses its commit then knows which
//! committed versions have lost theirs, and puts these again.

use uuid::Uuid;

use super::held_document::HeldSecret;
use super::{Backend, ChangedRecord, OperationError, Organization};
use crate::catalog::SecretState;
use crate::store::NativeVersionId;

/// How often the versions are tried again while others write.
const TRIES: usize = 5;

impl Organization {
    /// Puts every version of a secret again that `lost`, a put without a commit, may have
    /// evicted. `held` is the document that won, and becomes what is committed.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` if other writers always come first; failures of catalog and store.
    pub(crate) async fn restore_evicted(
        &self,
        backend: &Backend,
        held: &mut HeldSecret,
        uuid: Uuid,
        lost: NativeVersionId,
    ) -> Result<(), OperationError> {
        let mut lost = vec![lost];
        // Put after all of `lost`.
        let mut restored = Vec::new();
        let mut lost_commits = 0;
        while lost_commits < TRIES {
            let Some(secret) = held.document.secret_mut(uuid) else {
                return Ok(());
            };
            if secret.state != SecretState::Ready || secret.backend != backend.uuid {
                return Ok(());
            }
            let as_held = secret.clone();
            let is_evicted = |version: &NativeVersionId| {
                let mut lost = lost.iter();
                !restored.contains(version) && lost.any(|lost| backend.store.evicts(lost, version))
            };
            let mut versions = secret.versions.iter_mut();
            let Some(version) = versions.find(|version| is_evicted(&version.native_id)) else {
                return Ok(());
            };
            let envelope = backend.fetch_envelope(&as_held, version).await?;
            let again = backend.put_again(&as_held, version, &envelope).await?;
            version.native_id = again.clone();
            match self.try_commit(held).await? {
                None => restored.push(again),
                Some(now) => {
                    *held = now;
                    lost.push(again);
                    lost_commits += 1;
                }
            }
        }
        Err(OperationError::ChangedConcurrently {
            record: ChangedRecord::Secret(None),
        })
    }
}
