//! Loads and saves the document that holds a secret, verified and fenced.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{OperationError, Organization};
use crate::catalog::{
    CatalogErrorKind, Loaded, RecordKey, Revision, SecretDocument, SecretRecord, Stamped,
};
use crate::limits::RequestLimits;
use crate::names::SecretName;

/// A document as it is in the catalog, and where.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: RecordKey,
    pub(super) document: SecretDocument,
    pub(super) revision: Revision,
    /// The document as the catalog has it.
    pub(super) base: SecretDocument,
}

/// How often a conflict without a rival is tried again.
const COMMIT_TRIES: usize = 4;

impl Organization {
    /// Loads the document under `key` and verifies its MAC; a new one where
    /// nothing was ever written.
    pub(super) async fn hold(&self, key: RecordKey) -> Result<Held, OperationError> {
        let loaded = self.catalog.load::<SecretDocument>(&key).await?;
        self.held(key, loaded).await
    }

    /// As [`hold`](Self::hold), past whatever a stale node may answer.
    pub(super) async fn hold_fenced(&self, key: RecordKey) -> Result<Held, OperationError> {
        let loaded = self.catalog.load_fenced::<SecretDocument>(&key).await?;
        self.held(key, loaded).await
    }

    //= docs/format.md#17-catalog-mac
    //# A writer MUST NOT change the document of a secret whose MAC does not verify.
    async fn held(
        &self,
        key: RecordKey,
        loaded: Option<Loaded<SecretDocument>>,
    ) -> Result<Held, OperationError> {
        let Some(loaded) = loaded else {
            let nothing = SecretDocument::default();
            return Ok(Held::new(key, nothing, Revision::ABSENT));
        };
        loaded.verify(self.mac_key().await?)?;
        Ok(Held::new(key, loaded.record, loaded.revision))
    }

    /// Commits the changed document: the one step that makes anything true.
    ///
    /// # Errors
    ///
    /// `ChangedConcurrently` when another writer came first.
    pub(super) async fn commit(&self, held: &mut Held) -> Result<(), OperationError> {
        match self.try_commit(held).await? {
            None => Ok(()),
            Some(_) => Err(held.overtaken()),
        }
    }

    /// Commits the changed document; returns the one that stands there instead
    /// when another writer came first.
    pub(super) async fn try_commit(&self, held: &mut Held) -> Result<Option<Held>, OperationError> {
        held.stamp();
        let written = self.compare_and_set(&held.key, &held.document, held.revision);
        match written.await? {
            Compared::Written(revision) => {
                held.settle(revision);
                Ok(None)
            }
            Compared::Overtaken(now) => self.held(held.key.clone(), now).await.map(Some),
        }
    }

    /// Writes a stamped record if its revision is still `expected`.
    ///
    /// A write of ours whose answer was lost is recognized by its write id, and
    /// a conflict without a rival, as a node that lags gives it, is tried again.
    /// What is found instead is verified.
    ///
    /// Once begun it is not cut off, though the use case is to stop.
    pub(super) async fn compare_and_set<T>(
        &self,
        key: &RecordKey,
        record: &T,
        expected: Revision,
    ) -> Result<Compared<T>, OperationError>
    where
        T: Stamped + Serialize + DeserializeOwned + Sync,
    {
        RequestLimits::committing(self.try_compare_and_set(key, record, expected)).await
    }

    async fn try_compare_and_set<T>(
        &self,
        key: &RecordKey,
        record: &T,
        expected: Revision,
    ) -> Result<Compared<T>, OperationError>
    where
        T: Stamped + Serialize + DeserializeOwned + Sync,
    {
        let mac_key = self.mac_key().await?;
        let mut tries = 0;
        loop {
            let written = self.catalog.save(key, record, Some(mac_key), expected);
            let conflict = match written.await {
                Ok(revision) => return Ok(Compared::Written(revision)),
                Err(error) if error.kind() == CatalogErrorKind::Conflict => error,
                Err(error) => return Err(error.into()),
            };
            let now = self.catalog.load_fenced::<T>(key).await?;
            if let Some(now) = &now {
                now.verify(mac_key)?;
                if now.record.write_id() == record.write_id() {
                    return Ok(Compared::Written(now.revision));
                }
            }
            let revision = now.as_ref().map_or(Revision::ABSENT, |now| now.revision);
            if revision != expected {
                return Ok(Compared::Overtaken(now));
            }
            tries += 1;
            if tries == COMMIT_TRIES {
                return Err(conflict.into());
            }
        }
    }
}

/// What became of a compare-and-set.
#[derive(Debug)]
pub(super) enum Compared<T> {
    /// The record stands, at this revision.
    Written(Revision),
    /// Another writer came first; this is what stands there.
    Overtaken(Option<Loaded<T>>),
}

impl Held {
    fn new(key: RecordKey, document: SecretDocument, revision: Revision) -> Self {
        Self {
            key,
            base: document.clone(),
            document,
            revision,
        }
    }

    /// Returns the secret with this uuid, if it is of this name.
    pub(super) fn named(&self, name: &SecretName, uuid: Uuid) -> Option<&SecretRecord> {
        let secret = self.document.secret(uuid);
        secret.filter(|secret| secret.name == *name)
    }

    /// Says that another writer came first.
    pub(super) fn overtaken(&self) -> OperationError {
        OperationError::ChangedConcurrently {
            subject: subject(&self.document),
        }
    }

    /// Returns the generation that the next commit gives the document.
    pub(super) fn next_generation(&self) -> u64 {
        self.base.generation + 1
    }

    /// Raises the generation of the document, and of each secret whose versions,
    /// arguments or state changed: a new owner leaves it untouched.
    fn stamp(&mut self) {
        let generation = self.next_generation();
        self.document.generation = generation;
        self.document.write_id = Uuid::new_v4();
        self.document.raise_revisions(&self.base);
        let SecretDocument {
            current, displaced, ..
        } = &mut self.document;
        for secret in current.iter_mut().chain(displaced) {
            let before = self.base.secret(secret.uuid).map(|before| SecretRecord {
                owner: secret.owner.clone(),
                ..before.clone()
            });
            if before.as_ref() != Some(secret) {
                secret.generation = generation;
            }
        }
    }

    fn settle(&mut self, revision: Revision) {
        self.revision = revision;
        self.base = self.document.clone();
    }
}

fn subject(document: &SecretDocument) -> String {
    let any = document.current.as_ref().or(document.displaced.first());
    any.map_or_else(
        || "the secret".to_owned(),
        |secret| format!("secret {}", secret.name),
    )
}
