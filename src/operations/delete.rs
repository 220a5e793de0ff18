//! Deletes a secret.

use uuid::Uuid;

use super::backends::Trust;
use super::documents::Held;
use super::steps::Interrupt;
use super::{OperationError, Organization};
use crate::catalog::{OnDestroy, Revision, SecretRecord, SecretState, record_key_of_name};
use crate::names::SecretName;
use crate::store::Deletion;

/// How often a step is tried while others change the document.
const TRIES: usize = 5;

impl Organization {
    /// Deletes a secret: mark, remove from the backend, leave a tombstone.
    /// Every step takes what is gone already for done, so that a deletion which
    /// was killed goes on where it stood.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently`; failures of catalog and store.
    pub async fn delete_secret(
        &self,
        name: &SecretName,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        self.delete_secret_seen(name, uuid, u64::MAX, interrupt)
            .await
    }

    /// Deletes a secret that was last seen at this generation of its record. Where
    /// a creation has adopted it since, it is that creation's, and stays; so does
    /// one that is to be retained.
    ///
    /// # Errors
    ///
    /// `DeletionProtected`; `ChangedConcurrently` when it has changed since; as
    /// [`delete_secret`](Self::delete_secret).
    pub async fn delete_secret_seen(
        &self,
        name: &SecretName,
        uuid: Uuid,
        generation: u64,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let deletion = self.delete(name, uuid, generation, interrupt);
        interrupt.bound(deletion).await
    }

    async fn delete(
        &self,
        name: &SecretName,
        uuid: Uuid,
        generation: u64,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        interrupt.before("delete")?;
        let mut held = self.hold(record_key_of_name(name)).await?;
        if held.named(name, uuid).is_none() && held.revision != Revision::ABSENT {
            // A node that lags may not know it yet.
            held = self.hold_fenced(held.key).await?;
        }
        let Some(secret) = held.named(name, uuid) else {
            return Ok(());
        };
        if secret.adopted_at.is_some_and(|at| at > generation) {
            tracing::info!("a secret that was adopted since is left to whoever adopted it");
            return Ok(());
        }
        if secret.state != SecretState::Deleting {
            // The caller's own facts may come from a record that nobody verified.
            if secret.arguments.deletion_protection {
                return Err(OperationError::DeletionProtected { name: name.clone() });
            }
            if secret.arguments.on_destroy == OnDestroy::Retain {
                return Ok(());
            }
            if secret.generation > generation {
                return Err(held.overtaken());
            }
        }
        self.finish_deletion(&mut held, uuid, interrupt).await
    }

    /// Deletes the secret `uuid` of a document that is held. Whoever else
    /// finishes it meanwhile has done it for us.
    pub(super) async fn finish_deletion(
        &self,
        held: &mut Held,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let Some(secret) = held.document.secret(uuid) else {
            return Ok(());
        };
        // Before it is marked: elsewhere everything seems to be gone already.
        let backend = self.backend_of(secret, Trust::Mac).await?;
        backend.expect_place().await?;
        if !self.mark_deleting(held, uuid, interrupt).await? {
            return Ok(());
        }
        let Some(secret) = held.document.secret(uuid) else {
            return Ok(());
        };
        interrupt.before("delete object")?;
        let whole = Deletion::Object {
            versions: secret.native_ids(),
        };
        backend.store.delete(&secret.remote_name, whole).await?;
        interrupt.before("tombstone")?;
        if self.remove(held, uuid).await? && held.document.is_tombstone() {
            super::steps::crash_point("forget history");
            let forgotten = self.catalog.forget_history(&held.key, held.revision).await;
            if let Err(error) = forgotten {
                // The deletion is committed, and the history holds no payload.
                tracing::warn!(%error, "the history of a deleted secret's record is left behind");
            }
        }
        Ok(())
    }

    /// Marks the secret; returns false when it is gone already.
    async fn mark_deleting(
        &self,
        held: &mut Held,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<bool, OperationError> {
        for _ in 0..TRIES {
            let Some(secret) = held.document.secret_mut(uuid) else {
                return Ok(false);
            };
            if secret.state == SecretState::Deleting {
                return Ok(true);
            }
            interrupt.before("mark deleting")?;
            let generation = secret.generation;
            secret.state = SecretState::Deleting;
            let Some(now) = self.try_commit(held).await? else {
                return Ok(true);
            };
            *held = now;
            let secret = held.document.secret(uuid);
            let changed = |secret: &SecretRecord| {
                secret.state != SecretState::Deleting && secret.generation != generation
            };
            if secret.is_some_and(changed) {
                break;
            }
        }
        Err(held.overtaken())
    }

    /// Takes a secret whose object is deleted out of the document; returns false
    /// when somebody else has done so.
    async fn remove(&self, held: &mut Held, uuid: Uuid) -> Result<bool, OperationError> {
        for _ in 0..TRIES {
            held.document.remove(uuid);
            let Some(now) = self.try_commit(held).await? else {
                return Ok(true);
            };
            *held = now;
            match held.document.secret(uuid) {
                None => return Ok(false),
                Some(secret) if secret.state == SecretState::Deleting => {}
                Some(_) => break,
            }
        }
        Err(held.overtaken())
    }
}
