//! Deletes a secret, or forgets it.

use futures_util::future::join_all;
use uuid::Uuid;

use super::Secrets;
use crate::catalog::{
    Catalog, EntryKey, LostObject, OnDestroy, Owner, RecordKey, Revision, SecretRecord,
    SecretState, Stamp, record_key_of_name,
};
use crate::names::{SecretName, Slug};
use crate::operations::backends::Trust;
use crate::operations::entries::remove_entry;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, OperationError};
use crate::operations::{crash_hooks::crash_point, interrupt::Interrupt};
use crate::store::{Absence, Deletion, DescribeOptions, RemoteName, StoreErrorKind, VersionStatus};

/// How often a step is tried while other writers change the document.
const TRIES: usize = 5;

/// The secret to delete, as the caller's state has it.
#[derive(Clone, Debug)]
pub struct DeleteSecret {
    /// Its name and scope.
    pub name: SecretName,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation that the caller saw; `u64::MAX` for any.
    pub generation: u64,
    /// The stamp in the caller's state; `None` if it has none.
    pub stamp: Option<Stamp>,
}

/// Outcome of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedSecret {
    /// The secret is gone, or was gone already.
    Gone,
    /// The secret stays: `on_destroy` is `retain`.
    Retained,
    /// Another state owns the secret, which stays unchanged.
    OwnedByAnotherState(Box<Owner>),
    /// This run had adopted the secret and returned it to its former owner.
    ReturnedToOwner(Box<Owner>),
    /// The catalog has no record of the secret. Objects may be left.
    RecordMissing,
    /// The record is gone. No request was sent to the backend.
    Forgotten {
        /// The backend's name.
        backend: Slug,
        /// The objects that may be left there.
        objects: Vec<RemoteName>,
    },
}

impl Secrets<'_> {
    /// Deletes a secret: marks it, deletes its objects, writes a tombstone. Every step is
    /// idempotent, so a later call continues a killed deletion. Its entries are removed after
    /// the response ([`settle`](crate::operations::Organization::settle)).
    ///
    /// # Errors
    ///
    /// `DeletionProtected`; `ChangedConcurrently` if it changed since the caller saw it;
    /// `RolledBack`; failures of catalog and store.
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
        if held.is_missing() {
            return Ok(DeletedSecret::RecordMissing);
        }
        let Some(secret) = held.named(name, *uuid) else {
            return self.expect_gone(&held, request);
        };
        if !secret.owner.is_known_as(*stamp) {
            return Ok(DeletedSecret::OwnedByAnotherState(Box::new(
                secret.owner.clone(),
            )));
        }
        if secret.state != SecretState::Deleting {
            if let Some(former) = self.organization.run.former_owner_of(&secret.owner) {
                return self.return_to_owner(held, *uuid, former).await;
            }
            // The caller may have read a record without verifying its MAC.
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

    /// Checks that a document without the secret is not older than the one that the caller
    /// saw.
    fn expect_gone(
        self,
        held: &HeldSecret,
        request: &DeleteSecret,
    ) -> Result<DeletedSecret, OperationError> {
        let (seen, found) = (request.generation, held.document.generation);
        let floor = self.organization.catalog.floor.value();
        if held.document.may_be_abandoned(request.uuid, seen, floor) {
            return Ok(DeletedSecret::RecordMissing);
        }
        if seen != u64::MAX && found < seen {
            return Err(OperationError::RolledBack {
                name: request.name.clone(),
                seen,
                found,
            });
        }
        Ok(DeletedSecret::Gone)
    }

    /// Returns a secret that this run adopted to its former owner.
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
        Ok(DeletedSecret::ReturnedToOwner(Box::new(former)))
    }

    /// Removes a secret's record without a request to its backend.
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
            crash_point("answer");
            self.clear(&held, secret.entries());
        }
        let lost = secret.lost.into_iter().map(|lost| lost.remote_name);
        Ok(DeletedSecret::Forgotten {
            backend: secret.backend_name,
            objects: std::iter::once(secret.remote_name).chain(lost).collect(),
        })
    }

    /// Deletes the secret `uuid` of a verified document. Succeeds if another process
    /// finishes the deletion meanwhile.
    pub(crate) async fn finish_deletion(
        self,
        held: &mut HeldSecret,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let Some(secret) = held.document.secret(uuid) else {
            return Ok(());
        };
        // Checked before the mark: at another place, every object would appear to be deleted.
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
            versions: secret.stored_ids(),
        };
        let lost = secret.lost.iter();
        let lost = join_all(lost.map(|lost| self.delete_lost(&backend, lost)));
        let deleted = backend.store.delete(&secret.remote_name, whole);
        let (deleted, lost) = tokio::join!(deleted, lost);
        deleted?;
        lost.into_iter().collect::<Result<(), _>>()?;
        interrupt.before("tombstone")?;
        if self.remove(held, uuid, None).await? {
            crash_point("answer");
            self.clear(held, secret.entries());
        }
        Ok(())
    }

    /// Deletes a lost object that the vendor has restored. An object of this name that has no
    /// version of the secret is foreign, and stays.
    async fn delete_lost(self, backend: &Backend, lost: &LostObject) -> Result<(), OperationError> {
        let Some((version, others)) = lost.versions.split_last() else {
            return Ok(());
        };
        let options = DescribeOptions {
            version: version.clone(),
            others: others.to_vec(),
            // The record that names the object is removed afterwards.
            absence: Absence::Confirmed,
        };
        let versions = lost.versions.clone();
        let what = match backend.store.describe(&lost.remote_name, options).await {
            Ok(VersionStatus::Present) => Deletion::Object { versions },
            // Older versions of the secret may exist beside foreign ones.
            Ok(VersionStatus::Missing) => Deletion::Versions(versions),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        Ok(backend.store.delete(&lost.remote_name, what).await?)
    }

    /// Removes the entries of a deleted secret's objects, and the history of a tombstone,
    /// after the caller has its response.
    ///
    /// Starts last: while a record names an object, a deletion of the backend must find its
    /// entry.
    pub(crate) fn clear(self, held: &HeldSecret, entries: Vec<EntryKey>) {
        let catalog = self.organization.catalog.clone();
        let (key, revision) = (held.key(), held.revision);
        let is_tombstone = held.document.is_tombstone();
        self.organization.after_commit(async move {
            let history = async {
                if is_tombstone {
                    forget_history(&catalog, &key, revision).await;
                }
            };
            let entries = entries.iter().map(|entry| remove_entry(&catalog, entry));
            tokio::join!(join_all(entries), history);
        });
    }

    /// Marks the secret as `deleting`. Returns false if it is gone already.
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
            // An adoption does not change the generation.
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

    /// Removes a secret from the document: one that is marked, or that equals the `checked`
    /// one. Returns false if another process has removed it.
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

/// Deletes the history of a tombstone.
async fn forget_history(catalog: &Catalog, key: &RecordKey, revision: Revision) {
    crash_point("forget history");
    if let Err(error) = catalog.forget_history(key, revision).await {
        // The deletion is committed, and the history contains no payload.
        tracing::warn!(%error, "could not delete the history of a deleted secret's record");
    }
}
