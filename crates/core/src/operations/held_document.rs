//! Loads a document with its MAC verified, and commits a changed one.

use std::fmt::Debug;

use uuid::Uuid;

use super::{ChangedRecord, OperationError, Organization};
use crate::catalog::{
    BackendDocument, BackendRecord, Compared, DefaultBackendRecord, Form, Loaded, Record,
    RecordKey, Revision, SecretDocument, SecretRecord,
};
use crate::deadline::OperationContext;
use crate::names::{SecretName, Slug};

/// A record with a MAC that use cases change.
pub(crate) trait Document: Record + Default + Debug {
    /// Identifies a document among those of its type.
    type Name: Clone + Debug + Send + Sync;

    /// Returns the key of the document's record.
    fn key(name: &Self::Name) -> RecordKey;

    /// Prepares a commit: raises the generation over that of `base`, and sets a new
    /// write id.
    fn stamp(&mut self, base: &Self);

    /// Returns the error of a commit that lost to another writer.
    fn overtaken(&self, name: &Self::Name) -> OperationError;
}

/// A verified document, and the revision that a commit must expect.
#[derive(Clone, Debug)]
pub(crate) struct Held<T: Document> {
    pub(crate) name: T::Name,
    pub(crate) document: T,
    pub(crate) revision: Revision,
    /// The document as the catalog has it.
    pub(crate) base: T,
}

/// The document of a secret and of those that it displaces.
pub(crate) type HeldSecret = Held<SecretDocument>;

impl Organization {
    /// Loads a document and verifies its MAC; an empty one if no record exists.
    pub(crate) async fn hold<T: Document>(&self, name: T::Name) -> Result<Held<T>, OperationError> {
        self.learn_floor().await?;
        let loaded = self.catalog.load(&T::key(&name)).await?;
        self.held(name, loaded).await
    }

    /// As [`hold`](Self::hold), with a fenced read.
    pub(crate) async fn hold_fenced<T: Document>(
        &self,
        name: T::Name,
    ) -> Result<Held<T>, OperationError> {
        self.learn_floor().await?;
        let loaded = self.catalog.load_fenced(&T::key(&name)).await?;
        self.held(name, loaded).await
    }

    /// As [`hold`](Self::hold). Reads again, fenced, if the first result `is_doubtful`: it
    /// may be a stale read.
    pub(crate) async fn hold_fenced_if<T: Document>(
        &self,
        name: T::Name,
        is_doubtful: impl FnOnce(&Held<T>) -> bool,
    ) -> Result<Held<T>, OperationError> {
        let held = self.hold(name).await?;
        if is_doubtful(&held) {
            return self.hold_fenced(held.name).await;
        }
        Ok(held)
    }

    /// Verifies the MAC of a record that was loaded.
    //= docs/format.md#17-catalog-mac
    //# A writer MUST NOT change the document of a secret whose MAC does not verify.
    pub(crate) async fn held<T: Document>(
        &self,
        name: T::Name,
        loaded: Option<Loaded<T>>,
    ) -> Result<Held<T>, OperationError> {
        let Some(loaded) = loaded else {
            // A later document of this name continues above what states have seen of an
            // abandoned history.
            let mut absent = T::default();
            absent.raise_to(self.catalog.floor.value());
            return Ok(Held::new(name, absent, Revision::ABSENT));
        };
        loaded.verify(self.keys().mac_key().await?)?;
        Ok(Held::new(name, loaded.record, loaded.revision))
    }

    /// As [`hold_fenced`](Self::hold_fenced). If a migration has replaced the document, returns
    /// the one that it replaced, which may still name what this process has put.
    pub(crate) async fn hold_moved<T: Document>(
        &self,
        name: T::Name,
    ) -> Result<Held<T>, OperationError> {
        let key = T::key(&name);
        let Some(loaded) = self.catalog.load_fenced::<Form<T>>(&key).await? else {
            return Ok(Held::new(name, T::default(), Revision::ABSENT));
        };
        loaded.verify(self.keys().mac_key().await?)?;
        let document = loaded.record.document().clone();
        Ok(Held::new(name, document, loaded.revision))
    }

    /// Verifies the MAC of a record that is only read.
    pub(crate) async fn verified<T>(
        &self,
        loaded: Option<Loaded<T>>,
    ) -> Result<Option<T>, OperationError> {
        let Some(loaded) = loaded else {
            return Ok(None);
        };
        loaded.verify(self.keys().mac_key().await?)?;
        Ok(Some(loaded.record))
    }

    /// Commits a changed document.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` or `BackendChangedConcurrently` if another writer committed
    /// first.
    pub(crate) async fn commit<T: Document>(
        &self,
        held: &mut Held<T>,
    ) -> Result<(), OperationError> {
        match self.try_commit(held).await? {
            None => Ok(()),
            Some(_) => Err(held.overtaken()),
        }
    }

    /// Commits a changed document. Returns the present one if another writer committed first.
    ///
    /// # Cancellation
    ///
    /// A commit that has begun is not interrupted.
    pub(crate) async fn try_commit<T: Document>(
        &self,
        held: &mut Held<T>,
    ) -> Result<Option<Held<T>>, OperationError> {
        held.document.stamp(&held.base);
        let (key, expected) = (held.key(), held.revision);
        // The first commit of a process unwraps the MAC key. The unwrap is part of the
        // commit, since the objects that the document names have been put.
        let commit = async {
            let mac_key = Some(self.keys().mac_key().await?);
            let catalog = &self.catalog;
            let written = catalog.compare_and_set(&key, &held.document, mac_key, expected);
            Ok::<_, OperationError>(written.await?)
        };
        match OperationContext::committing(commit).await? {
            Compared::Written(revision) => {
                held.revision = revision;
                held.base = held.document.clone();
                Ok(None)
            }
            Compared::Overtaken(now) => self.held(held.name.clone(), now).await.map(Some),
        }
    }
}

impl<T: Document> Held<T> {
    fn new(name: T::Name, document: T, revision: Revision) -> Self {
        Self {
            name,
            base: document.clone(),
            document,
            revision,
        }
    }

    /// Returns the key of the document's record.
    pub(crate) fn key(&self) -> RecordKey {
        T::key(&self.name)
    }

    /// Returns true if no record exists, not even a tombstone.
    pub(crate) fn is_absent(&self) -> bool {
        self.revision == Revision::ABSENT
    }

    /// Returns the error of a commit that lost to another writer.
    pub(crate) fn overtaken(&self) -> OperationError {
        self.document.overtaken(&self.name)
    }
}

impl Held<SecretDocument> {
    /// Returns the generation of the next commit.
    pub(crate) fn next_generation(&self) -> u64 {
        self.base.generation + 1
    }

    /// Returns true if no record exists, or only one that a raise wrote where none existed. A
    /// secret that a state has seen was then removed without a trace.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_absent() || self.document.has_no_past()
    }

    /// Returns the secret with this uuid, if it has this name.
    pub(crate) fn named(&self, name: &SecretName, uuid: Uuid) -> Option<&SecretRecord> {
        let secret = self.document.secret(uuid);
        secret.filter(|secret| secret.name == *name)
    }
}

impl Document for SecretDocument {
    type Name = RecordKey;

    fn key(name: &RecordKey) -> RecordKey {
        name.clone()
    }

    /// Also raises the generation of each secret whose versions, arguments or state
    /// changed. A new owner does not, nor does a rewrap or a reseal.
    fn stamp(&mut self, base: &Self) {
        let generation = base.generation + 1;
        self.generation = generation;
        self.write_id = Uuid::new_v4();
        self.raise_revisions(base);
        self.note_removals(base);
        for secret in self.current.iter_mut().chain(&mut self.displaced) {
            let before = base.secret(secret.uuid).map(|before| {
                let mut before = SecretRecord {
                    owner: secret.owner.clone(),
                    ..before.clone()
                };
                for version in &mut before.versions {
                    let mut now = secret.versions.iter();
                    if let Some(now) = now.find(|now| now.is_renewal_of(version)) {
                        version.renew_as(now);
                    }
                }
                before
            });
            if before.as_ref() != Some(secret) {
                secret.generation = generation;
            }
        }
    }

    fn overtaken(&self, _: &RecordKey) -> OperationError {
        let any = self.current.as_ref().or(self.displaced.first());
        OperationError::ChangedConcurrently {
            record: ChangedRecord::Secret(any.map(|secret| secret.name.clone())),
        }
    }
}

impl Document for BackendDocument {
    type Name = Slug;

    fn key(name: &Slug) -> RecordKey {
        Self::key_of(name)
    }

    fn stamp(&mut self, base: &Self) {
        self.generation = base.generation + 1;
        self.write_id = Uuid::new_v4();
        let is_removed = |before: &&BackendRecord| {
            let now = self.backend.as_ref();
            now.is_none_or(|now| now.uuid != before.uuid)
        };
        if let Some(before) = base.backend.as_ref().filter(is_removed) {
            self.removed.note(before.uuid, self.generation);
        }
    }

    fn overtaken(&self, name: &Slug) -> OperationError {
        OperationError::BackendChangedConcurrently {
            backend: name.clone(),
        }
    }
}

impl Document for DefaultBackendRecord {
    type Name = ();

    fn key((): &()) -> RecordKey {
        RecordKey::new("default")
    }

    fn stamp(&mut self, base: &Self) {
        self.generation = base.generation + 1;
        self.write_id = Uuid::new_v4();
    }

    fn overtaken(&self, (): &()) -> OperationError {
        OperationError::ChangedConcurrently {
            record: ChangedRecord::DefaultBackend,
        }
    }
}
