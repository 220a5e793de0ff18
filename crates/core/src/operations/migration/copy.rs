//! Fences and copies the records of the source.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::fence::{Fence, There};
use super::report::{Copied, Migrated, Unmoved};
use super::stage::Begun;
use super::stragglers::Succeeds;
use super::versions::{BuiltIn, Puts, delete};
use super::{AT_ONCE, CHUNK, Migration};
use crate::catalog::{
    BackendDocument, CatalogErrorKind, DefaultBackendRecord, EntryKey, MovedRecord, RecordKey,
    Revision, SecretDocument, SecretRecord,
};
use crate::names::Slug;
use crate::operations::held_document::Document;
use crate::operations::key_versions::KeyVersions;
use crate::operations::keyrings::OrganizationKeyring;
use crate::operations::keys::{RewrappedRecords, rewrap_credentials};
use crate::operations::{Interrupt, OperationError};
use crate::store::{NativeVersionId, RemoteName};

/// Versions of an object that no record names.
type Leftovers = (RemoteName, Vec<NativeVersionId>);

/// A copy of all records.
#[derive(Debug)]
pub(super) struct Copying<'a> {
    pub(super) migration: &'a Migration,
    pub(super) begun: &'a Begun,
    pub(super) interrupt: &'a Interrupt,
    pub(super) built_in: BuiltIn,
    keyring: Arc<OrganizationKeyring>,
    versions: KeyVersions,
    /// Whether others use the target already.
    pub(super) sweeps: bool,
    /// The records that this call has copied, or found copied.
    done: HashSet<RecordKey>,
}

impl<'a> Copying<'a> {
    pub(super) async fn new(
        migration: &'a Migration,
        begun: &'a Begun,
        interrupt: &'a Interrupt,
    ) -> Result<Self, OperationError> {
        let keyring = migration.target.keys().wrapping_keyring().await?;
        if let Some(key) = keyring.keyring.forbidden() {
            return Err(OperationError::KeyNotAllowed { key: key.clone() });
        }
        let platform = Slug::platform_backend();
        Ok(Self {
            migration,
            begun,
            interrupt,
            built_in: BuiltIn {
                source: migration.source.backends().open(&platform).await?,
                target: migration.target.backends().open(&platform).await?,
                keyring: keyring.keyring.clone(),
                source_keys: migration.source_keys(),
                organization: migration.target.existing().await?.uuid,
            },
            versions: KeyVersions::of(&keyring.keyring).await?,
            keyring,
            sweeps: false,
            done: HashSet::new(),
        })
    }

    /// Returns the documents that this call has copied, or found copied.
    pub(super) fn documents(&self) -> impl Iterator<Item = &RecordKey> {
        self.done.iter()
    }

    /// Copies what the source has and this call has not copied yet. A record that fails does
    /// not keep the others from being copied.
    ///
    /// # Errors
    ///
    /// Failures that no other record would escape.
    pub(super) async fn pass(
        &mut self,
        done: &mut Migrated,
        report: &(dyn Fn(&Migrated) + Sync),
    ) -> Result<(), OperationError> {
        let catalog = &self.migration.source.catalog;
        let mut keys = Vec::new();
        for prefix in ["backends", "entries", "secrets"] {
            let mut listed = catalog.list(prefix).await?;
            listed.retain(|key| !self.done.contains(key));
            if self.sweeps && prefix == "entries" {
                listed = self.late_entries(listed, done, report).await?;
            }
            keys.push(listed);
        }
        let default = DefaultBackendRecord::key(&());
        if !self.done.contains(&default) && catalog.exists(&default).await? {
            keys[0].push(default);
        }
        done.total += keys.iter().map(Vec::len).sum::<usize>();
        for of_kind in keys {
            // A secret's entries, and its backend, come before it.
            for some in of_kind.chunks(CHUNK) {
                self.interrupt.before("migrate records")?;
                let copied = self.copy_all(some).await;
                for (key, outcome) in some.iter().zip(copied) {
                    match outcome {
                        Ok(Copied {
                            taken: Some(taken), ..
                        }) => done.failed.push(taken),
                        Ok(copied) => {
                            done.add(copied);
                            self.done.insert(key.clone());
                        }
                        Err(error) if error.ends_all() => return Err(error),
                        Err(error) => done.failed.push(Unmoved::record(key, &error)),
                    }
                }
                done.looked_at += some.len();
                report(done);
            }
        }
        Ok(())
    }

    /// Copies some records. All of them end before a failure is returned: none is dropped
    /// within a commit.
    async fn copy_all(&self, keys: &[RecordKey]) -> Vec<Result<Copied, OperationError>> {
        let each: Vec<_> = keys.iter().map(|key| Box::pin(self.copy(key))).collect();
        stream::iter(each).buffered(AT_ONCE).collect().await
    }

    async fn copy(&self, key: &RecordKey) -> Result<Copied, OperationError> {
        match key.as_str().split_once('/') {
            Some(("backends", _)) => self.backend(key).await,
            Some(("entries", _)) => self.entry(key).await,
            Some(("secrets", _)) => self.secret(key).await,
            _ => self.default(key).await,
        }
    }

    /// Copies the record of a backend, its credentials under the key of the target.
    async fn backend(&self, key: &RecordKey) -> Result<Copied, OperationError> {
        let migration = self.migration;
        if let Some(taken) = self.in_the_way::<BackendDocument>(key).await? {
            return Ok(taken);
        }
        let fenced: MovedRecord<BackendDocument> = migration.fence(key, self.fence()).await?;
        let revision = match migration.there::<BackendDocument>(key).await? {
            There::Vacant(revision) => revision,
            There::Copied(there) => return self.found(key, &fenced, &there).await,
        };
        let mut document = fenced.document.clone();
        if let Some(record) = &mut document.backend {
            let mut counts = RewrappedRecords::default();
            rewrap_credentials(record, &self.keyring, &self.versions, &mut counts).await?;
        }
        document.write_id = Uuid::new_v4();
        self.written(key, (document, revision), &fenced).await
    }

    async fn default(&self, key: &RecordKey) -> Result<Copied, OperationError> {
        let migration = self.migration;
        if let Some(taken) = self.in_the_way::<DefaultBackendRecord>(key).await? {
            return Ok(taken);
        }
        let fenced: MovedRecord<DefaultBackendRecord> = migration.fence(key, self.fence()).await?;
        match migration.there::<DefaultBackendRecord>(key).await? {
            There::Copied(there) => self.found(key, &fenced, &there).await,
            There::Vacant(revision) => {
                let mut document = fenced.document.clone();
                document.write_id = Uuid::new_v4();
                self.written(key, (document, revision), &fenced).await
            }
        }
    }

    fn fence(&self) -> Fence<'a> {
        Fence {
            moved: &self.begun.moved,
            late: self.sweeps,
            interrupt: self.interrupt,
        }
    }

    async fn written<T: Succeeds>(
        &self,
        key: &RecordKey,
        (document, revision): (T, Revision),
        fenced: &MovedRecord<T>,
    ) -> Result<Copied, OperationError> {
        let written = self
            .migration
            .write(key, document, revision, self.interrupt);
        if !written.await? {
            return self.overtaken(key, fenced).await;
        }
        if fenced.late {
            self.migration.note_copied(key, fenced).await?;
        }
        Ok(Copied {
            is_new: true,
            ..Copied::default()
        })
    }

    /// Copies an entry as it is stored: the MAC key is the same on both platforms.
    async fn entry(&self, key: &RecordKey) -> Result<Copied, OperationError> {
        let source = &self.migration.source.catalog;
        // Its own process may have removed it.
        let Some((stored, _)) = source.read_stored(key).await? else {
            return Ok(Copied::default());
        };
        let target = &self.migration.target.catalog;
        match target.write_stored(key, &stored, Revision::ABSENT).await {
            Ok(_) => Ok(Copied {
                is_new: true,
                ..Copied::default()
            }),
            Err(error) if error.kind() == CatalogErrorKind::Conflict => Ok(Copied::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Copies the document of a name, with the versions of its secrets.
    async fn secret(&self, key: &RecordKey) -> Result<Copied, OperationError> {
        let migration = self.migration;
        if let Some(taken) = self.in_the_way::<SecretDocument>(key).await? {
            return Ok(taken);
        }
        let fenced: MovedRecord<SecretDocument> = migration.fence(key, self.fence()).await?;
        let revision = match migration.there::<SecretDocument>(key).await? {
            There::Vacant(revision) => revision,
            There::Copied(there) => return self.found(key, &fenced, &there).await,
        };
        let mut document = fenced.document.clone();
        if fenced.late {
            document.copy_of = Some(fenced.document.write_id);
        }
        let (mut done, mut puts) = (Copied::default(), Puts::default());
        let moved = self.move_secrets(&mut document, &mut done, &mut puts);
        if let Err(error) = moved.await {
            puts.take_back().await;
            return Err(error);
        }
        document.write_id = Uuid::new_v4();
        let leftovers = self.leftovers(&document).await;
        let written = migration.write(key, document, revision, self.interrupt);
        if !written.await? {
            puts.take_back().await;
            return self.overtaken(key, &fenced).await;
        }
        self.delete_leftovers(leftovers).await;
        if fenced.late {
            migration.note_copied(key, &fenced).await?;
        }
        done.is_new = true;
        Ok(done)
    }

    async fn move_secrets(
        &self,
        document: &mut SecretDocument,
        done: &mut Copied,
        puts: &mut Puts,
    ) -> Result<(), OperationError> {
        let all = document.current.iter_mut().chain(&mut document.displaced);
        for secret in all {
            // An entry may be younger than the listing of entries.
            for entry in secret.entries() {
                self.entry(&EntryKey::record_key(&entry)).await?;
            }
            self.migration
                .move_versions(secret, &self.built_in, done, puts, self.interrupt)
                .await?;
        }
        Ok(())
    }

    /// Lists versions that an interrupted call has put, and whose record it has not written.
    ///
    /// Called before the document is written. If that write lands, the document did not exist
    /// on the target before, so no listed version is one of a user of the target.
    async fn leftovers(&self, document: &SecretDocument) -> Vec<Leftovers> {
        let target = &self.built_in.target;
        let mut leftovers = Vec::new();
        let Some(listing) = target.store.listing().filter(|_| self.begun.is_resumed) else {
            return leftovers;
        };
        for secret in secrets(document).filter(|it| it.backend == target.uuid) {
            let name = &secret.remote_name;
            match listing.versions_besides(name, &secret.stored_ids()).await {
                Ok(listed) if listed.is_empty() => {}
                Ok(listed) => {
                    let ids = listed.into_iter().map(|version| version.id);
                    leftovers.push((name.clone(), ids.collect()));
                }
                Err(error) => tracing::warn!(%error, "leftovers of a migration may stay"),
            }
        }
        leftovers
    }

    /// Deletes what was listed before the document was written, unless the target is in use.
    async fn delete_leftovers(&self, leftovers: Vec<Leftovers>) {
        if leftovers.is_empty() {
            return;
        }
        if let Err(error) = self.migration.expect_arriving(&self.begun.moved).await {
            tracing::warn!(%error, "leftovers of a migration stay");
            return;
        }
        for (name, ids) in leftovers {
            delete(&self.built_in.target, &name, ids).await;
        }
    }

    /// Lists the entries that the target has from an earlier time there. Called before the
    /// first pass, so that none of them is one of a user of the target.
    pub(super) async fn former_entries(&self) -> Result<Vec<RecordKey>, OperationError> {
        if !self.begun.is_return {
            return Ok(Vec::new());
        }
        Ok(self.migration.target.catalog.list("entries").await?)
    }

    /// Removes the `former` entries that the source no longer has: their objects are gone.
    pub(super) async fn remove_former_entries(
        &self,
        former: &[RecordKey],
    ) -> Result<(), OperationError> {
        let target = &self.migration.target.catalog;
        for key in former.iter().filter(|key| !self.done.contains(key)) {
            target.remove(key).await?;
        }
        Ok(())
    }
}

/// Returns the secrets of a document.
pub(super) fn secrets(document: &SecretDocument) -> impl Iterator<Item = &SecretRecord> {
    document.current.iter().chain(&document.displaced)
}
