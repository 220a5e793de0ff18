//! Deletes a secret, or lets go of it.

use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    EntryKey, LostObject, OnDestroy, Owner, SecretRecord, SecretState, Stamp, record_key_of_name,
};
use crate::names::{SecretName, Slug};
use crate::operations::backends::Trust;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, OperationError};
use crate::operations::{crash_hooks::crash_point, interrupt::Interrupt};
use crate::store::{Absence, Deletion, DescribeOptions, RemoteName, StoreErrorKind, VersionStatus};

/// How often a step is tried while others change the document.
const TRIES: usize = 5;

/// What to delete, as a state knows it.
#[derive(Clone, Debug)]
pub struct DeleteSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation at which it was last seen; `u64::MAX` for any.
    pub generation: u64,
    /// The stamp that the caller's state knows; absent where it knows none.
    pub stamp: Option<Stamp>,
}

/// What became of a secret that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedSecret {
    /// It is gone, or was already.
    Gone,
    /// It stays, as it was asked to.
    Retained,
    /// Another state owns it, so it was left alone.
    LeftAlone(Box<Owner>),
    /// This run had adopted it, so its former owner has it again.
    HandedBack(Box<Owner>),
    /// The catalog has no record of it: what may be left is not known.
    RecordMissing,
    /// Its record is gone, and its backend was not asked.
    Forgotten {
        /// The backend's name.
        backend: Slug,
        /// The objects that may be left there.
        objects: Vec<RemoteName>,
    },
}

impl Secrets<'_> {
    /// Deletes a secret: mark, delete its objects, leave a tombstone, remove its
    /// entries. Every step takes what is gone already for done, so that a deletion
    /// which was killed goes on where it stood.
    ///
    /// # Errors
    ///
    /// `DeletionProtected`; `ChangedConcurrently` when it has changed since it was
    /// seen; `RolledBack`; failures of catalog and store.
    pub async fn delete(
        self,
        request: &DeleteSecret,
        interrupt: &Interrupt,
    ) -> Result<DeletedSecret, OperationError> {
        interrupt.bound(self.try_delete(request, interrupt)).await
    }

    async fn try_delete(
        self,
        request: &DeleteSecret,
        interrupt: &Interrupt,
    ) -> Result<DeletedSecret, OperationError> {
        let DeleteSecret {
            name,
            uuid,
            generation,
            stamp,
        } = request;
        interrupt.before("delete")?;
        let is_missing = |held: &HeldSecret| held.named(name, *uuid).is_none();
        let held = self
            .organization
            .hold_fenced_if(record_key_of_name(name), is_missing);
        let mut held = held.await?;
        if held.is_absent() {
            return Ok(DeletedSecret::RecordMissing);
        }
        let Some(secret) = held.named(name, *uuid) else {
            return self.expect_gone(&held, request);
        };
        if !secret.owner.is_known_as(*stamp) {
            return Ok(DeletedSecret::LeftAlone(Box::new(secret.owner.clone())));
        }
        if secret.state != SecretState::Deleting {
            if let Some(former) = self.organization.run.former_owner_of(&secret.owner) {
                return self.return_to_owner(held, *uuid, former).await;
            }
            // The caller's own facts may come from a record that nobody verified.
            if secret.arguments.deletion_protection {
                return Err(OperationError::DeletionProtected { name: name.clone() });
            }
            if secret.arguments.on_destroy == OnDestroy::Retain {
                return Ok(DeletedSecret::Retained);
            }
            if secret.generation > *generation {
                return Err(held.overtaken());
            }
        }
        if secret.arguments.on_destroy == OnDestroy::Forget {
            return self.delete_record(held, *uuid, interrupt).await;
        }
        self.finish_deletion(&mut held, *uuid, interrupt).await?;
        Ok(DeletedSecret::Gone)
    }

    /// Makes sure that a document without the secret is no older than what was seen.
    fn expect_gone(
        self,
        held: &HeldSecret,
        request: &DeleteSecret,
    ) -> Result<DeletedSecret, OperationError> {
        let (seen, found) = (request.generation, held.document.generation);
        if seen != u64::MAX && found < seen {
            return Err(OperationError::RolledBack {
                name: request.name.clone(),
                seen,
                found,
            });
        }
        Ok(DeletedSecret::Gone)
    }

    /// Gives a secret that this run has adopted back to its former owner.
    async fn return_to_owner(
        self,
        mut held: HeldSecret,
        uuid: Uuid,
        former: Owner,
    ) -> Result<DeletedSecret, OperationError> {
        let secret = held.document.secret_mut(uuid);
        secret.expect("looked up by the caller").owner = former.clone();
        crash_point("put stamp back");
        self.organization.commit(&mut held).await?;
        Ok(DeletedSecret::HandedBack(Box::new(former)))
    }

    /// Removes a secret's record without asking its backend.
    async fn delete_record(
        self,
        mut held: HeldSecret,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<DeletedSecret, OperationError> {
        let secret = held.document.secret(uuid).cloned();
        let secret = secret.expect("looked up by the caller");
        interrupt.before("tombstone")?;
        if self.remove(&mut held, uuid, Some(&secret)).await? {
            self.clear(&held, &secret.entries()).await;
        }
        let lost = secret.lost.into_iter().map(|lost| lost.remote_name);
        Ok(DeletedSecret::Forgotten {
            backend: secret.backend_name,
            objects: std::iter::once(secret.remote_name).chain(lost).collect(),
        })
    }

    /// Deletes the secret `uuid` of a document that is held. Whoever else
    /// finishes it meanwhile has done it for us.
    pub(crate) async fn finish_deletion(
        self,
        held: &mut HeldSecret,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let Some(secret) = held.document.secret(uuid) else {
            return Ok(());
        };
        // Before it is marked: elsewhere everything seems to be gone already.
        let backend = self
            .organization
            .backends()
            .of_secret(secret, Trust::Mac)
            .await?;
        backend.expect_marker().await?;
        if !self.mark_deleting(held, uuid, interrupt).await? {
            return Ok(());
        }
        let Some(secret) = held.document.secret(uuid).cloned() else {
            return Ok(());
        };
        interrupt.before("delete object")?;
        let whole = Deletion::Object {
            versions: secret.native_ids(),
        };
        backend.store.delete(&secret.remote_name, whole).await?;
        for lost in &secret.lost {
            self.delete_lost(&backend, lost).await?;
        }
        interrupt.before("tombstone")?;
        if self.remove(held, uuid, None).await? {
            self.clear(held, &secret.entries()).await;
        }
        Ok(())
    }

    /// Deletes an object that was lost, where the vendor has brought it back: as long
    /// as a version of ours is in it. What else has its name is somebody else's.
    async fn delete_lost(self, backend: &Backend, lost: &LostObject) -> Result<(), OperationError> {
        let Some((version, others)) = lost.versions.split_last() else {
            return Ok(());
        };
        let options = DescribeOptions {
            version: version.clone(),
            others: others.to_vec(),
            // The record forgets it afterwards.
            absence: Absence::Confirmed,
        };
        let versions = lost.versions.clone();
        let what = match backend.store.describe(&lost.remote_name, options).await {
            Ok(VersionStatus::Present) => Deletion::Object { versions },
            // Older ones of ours may be there still, beside what is not ours.
            Ok(VersionStatus::Missing) => Deletion::Versions(versions),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        Ok(backend.store.delete(&lost.remote_name, what).await?)
    }

    /// Removes what is left of a secret whose record no longer names it: the entries
    /// of its objects, and the history of a record that is a tombstone now. Last: as
    /// long as a record names an object, a deletion of its backend must find it.
    pub(crate) async fn clear(self, held: &HeldSecret, entries: &[EntryKey]) {
        for entry in entries {
            self.withdraw_entry(Some(entry)).await;
        }
        if !held.document.is_tombstone() {
            return;
        }
        crash_point("forget history");
        let forgotten = self
            .organization
            .catalog
            .forget_history(&held.key(), held.revision)
            .await;
        if let Err(error) = forgotten {
            // The deletion is committed, and the history holds no payload.
            tracing::warn!(%error, "the history of a deleted secret's record is left behind");
        }
    }

    /// Marks the secret; returns false when it is gone already.
    async fn mark_deleting(
        self,
        held: &mut HeldSecret,
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
            let checked = (secret.generation, secret.owner.stamp);
            secret.state = SecretState::Deleting;
            let Some(now) = self.organization.try_commit(held).await? else {
                return Ok(true);
            };
            *held = now;
            let secret = held.document.secret(uuid);
            // An adoption leaves the generation as it is.
            let changed = |secret: &SecretRecord| {
                secret.state != SecretState::Deleting
                    && (secret.generation, secret.owner.stamp) != checked
            };
            if secret.is_some_and(changed) {
                break;
            }
        }
        Err(held.overtaken())
    }

    /// Takes a secret out of the document: one that is marked, or that is still as it
    /// was when it was `checked`. Returns false when another process has done so.
    async fn remove(
        self,
        held: &mut HeldSecret,
        uuid: Uuid,
        checked: Option<&SecretRecord>,
    ) -> Result<bool, OperationError> {
        for _ in 0..TRIES {
            held.document.remove(uuid);
            let Some(now) = self.organization.try_commit(held).await? else {
                return Ok(true);
            };
            *held = now;
            match held.document.secret(uuid) {
                None => return Ok(false),
                Some(secret) if secret.state == SecretState::Deleting => {}
                Some(secret) if checked == Some(secret) => {}
                Some(_) => break,
            }
        }
        Err(held.overtaken())
    }
}
