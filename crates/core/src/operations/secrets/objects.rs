//! Puts new objects into a backend, and commits them.
//!
//! An object gets a remote name that was never used. If another writer commits first, the
//! object is deleted again.
//!
//! On a registered backend every new object has an entry. A creation writes the entry, reads
//! the backend's record, and then puts the object. A deletion of the backend marks its record
//! and then lists the entries. The later of the two always finds the other's record.
//!
//! The entry is written beside the read of the name's document. It is used only if no document
//! exists: otherwise a deletion of the backend may have raised that document, and cleaned up
//! the object of this entry, before the read.

use jiff::Timestamp;
use uuid::Uuid;

use super::Secrets;
use super::remote_name::remote_name;
use super::versions::SealedVersion;
use crate::catalog::{
    EntryKey, EntryRecord, LostObject, PutId, SecretDocument, SecretRecord, SecretState,
    VersionRecord, distinguishing_digits,
};
use crate::deadline::OperationContext;
use crate::operations::backends::{ByDefault, Rechecked};
use crate::operations::entries::remove_entry;
use crate::operations::held_document::HeldSecret;
use crate::operations::{Backend, OperationError, PLATFORM_BACKEND};
use crate::operations::{crash_hooks::crash_point, interrupt::Interrupt};
use crate::store::{Deletion, NativeVersionId, RemoteName, StoreErrorKind};
use planton_envelope::SecretValue;

/// A version that was put and is not committed yet.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) version: VersionRecord,
    /// The new object that contains it; `None` for a further version of an existing object.
    object: Option<NewObject>,
}

/// An object that is not put yet: its remote name, which was never used, and its entry on a
/// registered backend.
#[derive(Debug)]
pub(crate) struct NewObject {
    remote_name: RemoteName,
    entry: Option<EntryKey>,
}

impl NewObject {
    /// Returns true if an entry announces the object.
    pub(crate) fn is_entered(&self) -> bool {
        self.entry.is_some()
    }
}

/// Source of the digits that end the name of a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameDigits {
    /// Digits of the secret's uuid, for its first object.
    OfUuid,
    /// Random digits, for a later object: a vendor may retain the former name for weeks.
    Random,
}

impl Put {
    /// Describes a further version of an existing object.
    pub(crate) fn further(version: VersionRecord) -> Self {
        Self {
            version,
            object: None,
        }
    }

    /// Adds the version to its secret's record. A new object replaces the former one, which
    /// is lost with all its versions.
    pub(crate) fn enter(&self, secret: &mut SecretRecord) {
        if let Some(object) = &self.object {
            if !secret.versions.is_empty() {
                secret.lost.push(LostObject {
                    remote_name: secret.remote_name.clone(),
                    entry: secret.entry,
                    versions: secret.stored_ids(),
                });
                secret.versions.clear();
            }
            secret.remote_name = object.remote_name.clone();
            secret.entry = object.entry.as_ref().map(|entry| entry.put);
        }
        secret.versions.push(self.version.clone());
    }
}

impl Secrets<'_> {
    /// Seals the next version of a secret and announces its object, side by side.
    pub(crate) async fn seal_and_announce(
        self,
        secret: &SecretRecord,
        value: &SecretValue,
        digits: NameDigits,
        backend: &Backend,
        interrupt: &Interrupt,
    ) -> Result<(SealedVersion, NewObject), OperationError> {
        // Both run to their end, so that no entry is left behind.
        let (sealed, object) = tokio::join!(
            self.seal_next(secret, value, backend, interrupt),
            self.announce(backend, secret, digits, interrupt),
        );
        match (sealed, object) {
            (Ok(sealed), Ok(object)) => Ok((sealed, object)),
            (Err(error), Ok(object)) => {
                self.withdraw(object).await;
                Err(error)
            }
            (Err(error), Err(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// Names the next object of a secret, and writes its entry on a registered backend.
    ///
    /// The caller puts the object with [`put_announced`](Self::put_announced), or
    /// [withdraws](Self::withdraw) it.
    ///
    /// After a failure the entry may stay, and refers to no object.
    pub(crate) async fn announce(
        self,
        backend: &Backend,
        secret: &SecretRecord,
        digits: NameDigits,
        interrupt: &Interrupt,
    ) -> Result<NewObject, OperationError> {
        let digits = match digits {
            NameDigits::OfUuid => distinguishing_digits(secret.uuid),
            NameDigits::Random => {
                let random = getrandom::u32().map_err(|_| OperationError::Randomness)?;
                format!("{random:08x}")
            }
        };
        let rules = backend.store.capability().name;
        let remote_name = remote_name(
            &backend.name_prefix,
            self.organization.slug(),
            &secret.name,
            &digits,
            rules,
        );
        let entry = if backend.name.as_str() == PLATFORM_BACKEND {
            None
        } else {
            let record = EntryRecord {
                name: secret.name.clone(),
                remote_name: remote_name.clone(),
                written_at: Timestamp::now(),
            };
            let entry = self.enter(backend, secret.uuid, &record, interrupt);
            Some(entry.await?)
        };
        Ok(NewObject { remote_name, entry })
    }

    /// Puts a sealed version as an object that was announced. Puts nothing if the backend
    /// turns out to be unusable, and returns the reason.
    pub(crate) async fn put_announced(
        self,
        backend: &Backend,
        secret: &SecretRecord,
        sealed: &SealedVersion,
        object: NewObject,
        by_default: ByDefault,
        interrupt: &Interrupt,
    ) -> Result<Result<Put, Rechecked>, OperationError> {
        if object.entry.is_some() {
            match self.look_at_backend(backend, by_default, interrupt).await {
                Ok(Rechecked::Usable) => {}
                Ok(unusable) => {
                    self.withdraw(object).await;
                    return Ok(Err(unusable));
                }
                Err(error) => {
                    self.withdraw(object).await;
                    return Err(error);
                }
            }
        }
        let secret = SecretRecord {
            remote_name: object.remote_name.clone(),
            ..secret.clone()
        };
        match backend.put(&secret, sealed, Vec::new(), interrupt).await {
            Ok(version) => Ok(Ok(Put {
                version,
                object: Some(object),
            })),
            Err(error) => {
                if error.is_before_any_write() {
                    self.withdraw(object).await;
                }
                Err(error)
            }
        }
    }

    /// Reads the backend's record after the response to an entry. The first put of a process
    /// also looks for the marker.
    async fn look_at_backend(
        self,
        backend: &Backend,
        by_default: ByDefault,
        interrupt: &Interrupt,
    ) -> Result<Rechecked, OperationError> {
        interrupt.before("look at backend")?;
        let rechecked =
            self.organization
                .backends()
                .recheck(&backend.name, backend.uuid, by_default);
        let (rechecked, marker) = tokio::join!(rechecked, backend.expect_marker());
        match rechecked? {
            Rechecked::Usable => marker.map(|()| Rechecked::Usable),
            unusable => Ok(unusable),
        }
    }

    /// Removes the entry of an object that was announced and is not put.
    pub(crate) async fn withdraw(self, object: NewObject) {
        if let Some(entry) = &object.entry {
            self.remove_own_entry(entry).await;
        }
    }

    /// Removes an entry of this operation, even if the operation is cancelled.
    async fn remove_own_entry(self, entry: &EntryKey) {
        let removal = remove_entry(&self.organization.catalog, entry);
        OperationContext::committing(removal).await;
    }

    /// Writes the entry of an object before its put.
    async fn enter(
        self,
        backend: &Backend,
        secret: Uuid,
        record: &EntryRecord,
        interrupt: &Interrupt,
    ) -> Result<EntryKey, OperationError> {
        let random = getrandom::u64().map_err(|_| OperationError::Randomness)?;
        let entry = EntryKey {
            backend: backend.uuid,
            secret,
            put: PutId::new(random),
        };
        interrupt.before("entry")?;
        self.organization.entries().write(&entry, record).await?;
        Ok(entry)
    }

    /// Commits a changed document that names the version of `put`.
    ///
    /// If another writer committed first, deletes that version again, and returns the present
    /// document. If a migration has replaced the document, the one that it replaced decides.
    pub(crate) async fn commit_put(
        self,
        held: &mut HeldSecret,
        uuid: Uuid,
        put: &Put,
        backend: &Backend,
    ) -> Result<Option<HeldSecret>, OperationError> {
        let secret = held.document.secret(uuid);
        let secret = secret.expect("the caller has entered what was put");
        let remote_name = secret.remote_name.clone();
        crash_point("commit");
        let (now, moved) = match self.organization.try_commit(held).await {
            Ok(Some(now)) => (now, None),
            Ok(None) => {
                crash_point("answer");
                return Ok(None);
            }
            Err(moved) if moved.is_moved() => {
                let now = self.organization.hold_moved(held.name.clone());
                let Ok(now) = OperationContext::committing(Box::pin(now)).await else {
                    // A document that nobody can read may name the put.
                    return Err(moved);
                };
                (now, Some(moved))
            }
            Err(error) => return Err(error),
        };
        // If a record names it, our commit landed and its response was lost. Another writer
        // has changed the document since.
        let landed = match &put.object {
            // By the object's name, which is used once. Its first version may be pruned by
            // now, and the object itself may be lost.
            Some(object) => names_object(&now.document, &object.remote_name),
            None => now.document.secret(uuid).is_some_and(|secret| {
                let mut versions = secret.versions.iter();
                secret.remote_name == remote_name
                    && versions.any(|version| version.native_id == put.version.native_id)
            }),
        };
        if landed {
            *held = now;
            return Ok(None);
        }
        self.take_back(backend, &now.document, uuid, &remote_name, put)
            .await;
        moved.map_or(Ok(Some(now)), Err)
    }

    /// Deletes an object or a version that no record names, and then the entry.
    async fn take_back(
        self,
        backend: &Backend,
        now: &SecretDocument,
        uuid: Uuid,
        remote_name: &RemoteName,
        put: &Put,
    ) {
        let native_id = put.version.native_id.clone();
        let (what, entry) = match &put.object {
            Some(object) => {
                let versions = vec![native_id];
                (Deletion::Object { versions }, object.entry.as_ref())
            }
            None => (orphan(now, uuid, remote_name, native_id), None),
        };
        crash_point("delete orphan");
        let deleted = OperationContext::committing(backend.store.delete(remote_name, what)).await;
        match deleted {
            Ok(()) => {
                if let Some(entry) = entry {
                    self.remove_own_entry(entry).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not delete an unreferenced version");
            }
        }
    }
}

/// Returns whether a record of the document names the object, as its own or as lost.
fn names_object(document: &SecretDocument, remote_name: &RemoteName) -> bool {
    let mut secrets = document.current.iter().chain(&document.displaced);
    secrets.any(|secret| {
        let mut lost = secret.lost.iter();
        secret.remote_name == *remote_name || lost.any(|lost| lost.remote_name == *remote_name)
    })
}

/// Returns the deletion of a further version that no record names.
///
/// The whole object is deleted if its secret is deleted or under deletion, since the put may
/// have created the object again.
fn orphan(
    now: &SecretDocument,
    uuid: Uuid,
    remote_name: &RemoteName,
    native_id: NativeVersionId,
) -> Deletion {
    let versions = vec![native_id];
    let mut secrets = now.current.iter().chain(&now.displaced);
    let in_use = secrets.any(|secret| {
        secret.remote_name == *remote_name
            && (secret.uuid != uuid || secret.state != SecretState::Deleting)
    });
    if in_use {
        Deletion::Versions(versions)
    } else {
        Deletion::Object { versions }
    }
}

impl OperationError {
    /// Returns whether a put certainly failed before it wrote anything.
    ///
    /// A denied put does not count: its earlier requests may have succeeded. It may also be
    /// the retry of an attempt that landed and whose response was lost.
    fn is_before_any_write(&self) -> bool {
        match self {
            Self::BackendNotThere { .. } | Self::Interrupted { .. } => true,
            Self::Store(error) => matches!(
                error.kind(),
                StoreErrorKind::TooLarge
                    | StoreErrorKind::InvalidName
                    | StoreErrorKind::AlreadyExists
            ),
            _ => false,
        }
    }
}
