//! Lets go of a backend that nothing needs any more.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::documents::HeldBackend;
use super::{BackendOnDestroy, Trust, default_key};
use crate::catalog::{
    BackendRecord, BackendState, DefaultBackendRecord, Owner, RecordKey, Revision, SecretDocument,
    SecretRecord, SecretState, Stamp,
};
use crate::names::Slug;
use crate::operations::{Interrupt, OperationError, Organization};
use crate::store::{Deletion, SecretStore, StoreErrorKind, VersionStatus};

/// How many secrets are named that stand in the way of a deletion.
pub const MAX_NAMED_HOLDERS: usize = 10;

/// How many records are read at once.
const READS_AT_ONCE: usize = 8;

/// How long a deletion waits for others.
#[derive(Clone, Copy, Debug)]
pub(in crate::operations) struct Patience {
    /// While secrets that others are deleting stay as they are.
    pub(in crate::operations) deleting: Duration,
    /// While secrets in use do.
    pub(in crate::operations) in_use: Duration,
    /// From one look to the next: other processes tell nobody when they are done.
    pub(in crate::operations) poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deleting: Duration::from_secs(30),
            in_use: Duration::from_millis(1500),
            poll: Duration::from_millis(250),
        }
    }
}

/// What to let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteBackend {
    /// Its name.
    pub name: Slug,
    /// Its identity.
    pub uuid: Uuid,
    /// The generation of its record that was seen; absent right after an import.
    pub seen: Option<u64>,
    /// The stamp that the caller knows as its own; absent to take the one found.
    pub stamp: Option<Stamp>,
}

/// What became of an object that was to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// It is gone.
    Done,
    /// It bears another stamp, and stays.
    LeftToOwner(Box<Owner>),
    /// This run had adopted it, and it is its former owner's again.
    GivenBack(Box<Owner>),
    /// Its record is missing, without a tombstone: nothing tells what may be left.
    RecordMissing,
}

/// A backend that was let go of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedBackend {
    /// What became of it.
    pub destroyed: Destroyed,
    /// What may still be at its place, and why: the place may be gone, or closed to
    /// us, and that must not keep the record alive.
    pub left_behind: Option<String>,
}

impl DeletedBackend {
    fn only(destroyed: Destroyed) -> Self {
        Self {
            destroyed,
            left_behind: None,
        }
    }
}

/// Who needs a backend.
#[derive(Debug, Default)]
struct Holders {
    /// Secrets in use.
    ready: Vec<SecretRecord>,
    /// Secrets on their way out.
    deleting: Vec<Holder>,
    /// Creations that have not ended, or never will.
    intents: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    key: RecordKey,
    secret: SecretRecord,
}

impl Organization {
    /// Makes sure that no secret is on the backend, and that it is not the
    /// default.
    ///
    /// # Errors
    ///
    /// `BackendInUse`, which names up to [`MAX_NAMED_HOLDERS`] secrets; failures
    /// of the catalog.
    pub async fn expect_unused_backend(
        &self,
        name: &Slug,
        uuid: Uuid,
    ) -> Result<(), OperationError> {
        let holders = self.holders(uuid).await?;
        self.refuse_if_held(name, &holders, self.is_default(name).await?)
    }

    /// Deletes a backend: mark, look who needs it, delete its marker object, leave a
    /// tombstone.
    ///
    /// Waits for secrets that are being deleted, and finishes those that nobody
    /// finishes. A creation that has not written its value yet is overtaken: it
    /// fails, and takes back what it puts. A backend under another stamp stays as it
    /// is, and so does one that this run has adopted: its former owner gets it back.
    ///
    /// # Errors
    ///
    /// `BackendInUse`, and then the backend stays as it was; failures of the
    /// catalog.
    pub async fn delete_backend(
        &self,
        request: DeleteBackend,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        let DeleteBackend {
            name,
            uuid,
            seen,
            stamp,
        } = request;
        interrupt.before("delete backend")?;
        let mut held = self.hold_backend(&name).await?;
        if held.revision == Revision::ABSENT {
            return Ok(DeletedBackend::only(Destroyed::RecordMissing));
        }
        let record = held.document.backend.as_ref();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            return Ok(DeletedBackend::only(Destroyed::Done));
        };
        let found = held.document.generation;
        if let Some(seen) = seen.filter(|&seen| found < seen) {
            return Err(OperationError::BackendRolledBack {
                backend: name,
                seen,
                found,
            });
        }
        if stamp.is_some_and(|stamp| stamp != record.owner.stamp) {
            let owner = Box::new(record.owner.clone());
            return Ok(DeletedBackend::only(Destroyed::LeftToOwner(owner)));
        }
        if let Some(former) = self.run.gives_back(&record.owner) {
            return self.give_backend_back(held, former, interrupt).await;
        }
        if record.state != BackendState::Deleting {
            // Before it is marked: a creation that meets the mark fails.
            let holders = self.settled_holders(uuid, interrupt).await?;
            self.refuse_if_held(&name, &holders, self.is_default(&name).await?)?;
            self.set_state(&mut held, BackendState::Deleting, interrupt)
                .await?;
        }
        self.finish_backend_deletion(&mut held, uuid, interrupt)
            .await
    }

    /// Puts back whose the backend was before this run adopted it.
    async fn give_backend_back(
        &self,
        mut held: HeldBackend,
        former: Owner,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        if let Some(record) = &mut held.document.backend {
            record.owner = former.clone();
        }
        interrupt.before("give backend back")?;
        self.commit_backend(&mut held).await?;
        let owner = Box::new(former);
        Ok(DeletedBackend::only(Destroyed::GivenBack(owner)))
    }

    /// Goes on with a deletion that is marked; takes the mark back where the
    /// backend turns out to be needed.
    pub(super) async fn finish_backend_deletion(
        &self,
        held: &mut HeldBackend,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        let record = held.document.backend.clone();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            return Ok(DeletedBackend::only(Destroyed::Done));
        };
        let holders = self.settled_holders(uuid, interrupt).await?;
        // Whoever is about to make it the default reads its record again.
        let is_default = self.fence_default().await? == record.name;
        if let Err(refused) = self.refuse_if_held(&record.name, &holders, is_default) {
            self.set_state(held, BackendState::Ready, interrupt).await?;
            return Err(refused);
        }
        for intent in holders.intents {
            if let Err(error) = self.withdraw(intent, interrupt).await {
                self.set_state(held, BackendState::Ready, interrupt).await?;
                return Err(error);
            }
        }
        interrupt.before("delete backend marker")?;
        let left_behind = self.delete_marker(&record).await;
        interrupt.before("backend tombstone")?;
        held.document.backend = None;
        self.commit_backend(held).await?;
        self.connections.forget(&record.name);
        let forgotten = self
            .catalog
            .forget_history(&held.key(), held.revision)
            .await;
        if let Err(error) = forgotten {
            // What it holds of a credential is sealed, and the deletion stands.
            tracing::warn!(%error, "the history of a deleted backend's record is left behind");
        }
        Ok(DeletedBackend {
            destroyed: Destroyed::Done,
            left_behind,
        })
    }

    async fn set_state(
        &self,
        held: &mut HeldBackend,
        state: BackendState,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        if state == BackendState::Deleting {
            interrupt.before("mark backend deleting")?;
        }
        if let Some(record) = &mut held.document.backend {
            record.state = state;
        }
        self.commit_backend(held).await
    }

    fn refuse_if_held(
        &self,
        name: &Slug,
        holders: &Holders,
        is_default: bool,
    ) -> Result<(), OperationError> {
        if holders.ready.is_empty() && !is_default {
            return Ok(());
        }
        let ready = holders.ready.iter();
        let mut named: Vec<String> = ready.map(|secret| secret.name.to_string()).collect();
        named.truncate(MAX_NAMED_HOLDERS);
        Err(OperationError::BackendInUse {
            backend: name.clone(),
            secrets: named,
            total: holders.ready.len(),
            is_default,
        })
    }

    async fn is_default(&self, name: &Slug) -> Result<bool, OperationError> {
        let loaded = self
            .catalog
            .load::<DefaultBackendRecord>(&default_key())
            .await?;
        Ok(loaded.is_some_and(|loaded| loaded.record.backend == *name))
    }

    /// Returns who needs the backend once no deletion is under way any more.
    ///
    /// A plan that destroys secrets together with their backend may begin with
    /// either, so what is in use now may be on its way out a moment later.
    async fn settled_holders(
        &self,
        uuid: Uuid,
        interrupt: &Interrupt,
    ) -> Result<Holders, OperationError> {
        let patience = self.patience;
        let mut before = None;
        let mut since = Instant::now();
        loop {
            interrupt.before("look for secrets")?;
            let holders = self.holders(uuid).await?;
            if holders.ready.is_empty() && holders.deleting.is_empty() {
                return Ok(holders);
            }
            let now = (holders.ready.len(), holders.deleting.len());
            if before != Some(now) {
                before = Some(now);
                since = Instant::now();
            }
            if holders.deleting.is_empty() && since.elapsed() >= patience.in_use {
                return Ok(holders);
            }
            if since.elapsed() < patience.deleting {
                tokio::time::sleep(patience.poll).await;
                continue;
            }
            // Whoever began is gone.
            for holder in holders.deleting {
                let mut held = self.hold_fenced(holder.key).await?;
                self.finish_deletion(&mut held, holder.secret.uuid, interrupt)
                    .await?;
            }
        }
    }

    /// Reads every secret's record, and returns those on the backend.
    async fn holders(&self, uuid: Uuid) -> Result<Holders, OperationError> {
        let mac_key = self.mac_key().await?;
        let keys = self.catalog.list("secrets").await?;
        let documents: Vec<_> = stream::iter(keys)
            .map(|key| async move {
                let loaded = self.catalog.load::<SecretDocument>(&key).await?;
                if let Some(loaded) = &loaded {
                    loaded.verify(mac_key)?;
                }
                Ok::<_, OperationError>((key, loaded))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let mut holders = Holders::default();
        for (key, loaded) in documents {
            let document = loaded.map(|loaded| loaded.record).unwrap_or_default();
            let secrets = document.current.into_iter().chain(document.displaced);
            for secret in secrets.filter(|secret| secret.backend == uuid) {
                let key = key.clone();
                match secret.state {
                    SecretState::Ready => holders.ready.push(secret),
                    SecretState::Deleting => holders.deleting.push(Holder { key, secret }),
                    SecretState::Creating => holders.intents.push(Holder { key, secret }),
                }
            }
        }
        holders
            .ready
            .sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(holders)
    }

    /// Says whether a secret of the backend is found in the store; so too where
    /// it has none that could be lost.
    pub(super) async fn holds_ours(
        &self,
        uuid: Uuid,
        store: &dyn SecretStore,
    ) -> Result<bool, OperationError> {
        let holders = self.holders(uuid).await?;
        for secret in &holders.ready {
            let Some(options) = crate::operations::read::describe_options(secret) else {
                continue;
            };
            match store.describe(&secret.remote_name, options).await {
                Ok(VersionStatus::Present) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(holders.ready.is_empty())
    }

    /// Takes an intent out of its record, so that whoever wrote it cannot commit
    /// any more, and deletes what it may have put.
    async fn withdraw(&self, intent: Holder, interrupt: &Interrupt) -> Result<(), OperationError> {
        interrupt.before("withdraw intent")?;
        let Holder { key, secret } = intent;
        let mut held = self.hold_fenced(key).await?;
        let Some(now) = held.document.secret(secret.uuid) else {
            // Another deletion was faster.
            return Ok(());
        };
        if now.state != SecretState::Creating || now.backend != secret.backend {
            return Err(held.overtaken());
        }
        held.document.remove(secret.uuid);
        self.commit(&mut held).await?;
        let backend = self.backend_of(&secret, Trust::Mac).await?;
        let nothing_known = Deletion::Object {
            versions: secret.native_ids(),
        };
        let deleted = backend.store.delete(&secret.remote_name, nothing_known);
        if let Err(error) = deleted.await {
            tracing::warn!(%error, "what a given-up creation has put may be left behind");
        }
        Ok(())
    }

    /// Deletes the marker; says why it could not.
    async fn delete_marker(&self, record: &BackendRecord) -> Option<String> {
        let marker = record.marker.as_ref()?;
        if record.arguments.on_destroy == BackendOnDestroy::Forget {
            return Some(marker.remote_name.to_string());
        }
        let deleted = async {
            let backend = self.backend_of_record(record).await?;
            let versions = vec![marker.native_id.clone()];
            let whole = Deletion::Purge { versions };
            backend.store.delete(&marker.remote_name, whole).await?;
            Ok::<(), OperationError>(())
        };
        let error = deleted.await.err()?;
        tracing::warn!(%error, "a backend's marker is left behind");
        Some(format!("{} ({error})", marker.remote_name))
    }
}
