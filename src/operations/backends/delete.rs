//! Lets go of a backend that nothing needs any more.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::default_key;
use super::register::HeldBackend;
use crate::catalog::{
    BackendRecord, BackendState, DefaultBackendRecord, RecordKey, SecretDocument, SecretRecord,
    SecretState,
};
use crate::names::Slug;
use crate::operations::{Interrupt, OperationError, Organization};
use crate::store::{Absence, Deletion, SecretStore, StoreErrorKind, VersionStatus};

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

/// A backend that was let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedBackend {
    /// Why the backend's own marker is still there, if it is: the place may be
    /// gone, or closed to us, and that must not keep the record alive.
    pub left_behind: Option<String>,
}

/// Who needs a backend.
#[derive(Debug, Default)]
struct Holders {
    /// Secrets in use.
    ready: Vec<SecretRecord>,
    /// Secrets on their way out.
    deleting: Vec<Holder>,
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

    /// Deletes a backend that was last seen at this generation of its record:
    /// mark, look who needs it, delete its marker object, leave a tombstone.
    ///
    /// Waits for secrets that are being deleted, and finishes those that nobody
    /// finishes. A creation that has not written its value yet is overtaken: it
    /// fails, and takes back what it puts.
    ///
    /// # Errors
    ///
    /// `BackendInUse`, and then the backend stays as it was; failures of the
    /// catalog.
    pub async fn delete_backend(
        &self,
        name: &Slug,
        uuid: Uuid,
        generation: u64,
        interrupt: &Interrupt,
    ) -> Result<DeletedBackend, OperationError> {
        interrupt.before("delete backend")?;
        let mut held = self.hold_backend(name).await?;
        let record = held.document.backend.as_ref();
        let Some(record) = record.filter(|record| record.uuid == uuid) else {
            return Ok(DeletedBackend::default());
        };
        if generation != u64::MAX && held.document.generation < generation {
            return Err(OperationError::BackendRolledBack {
                backend: name.clone(),
                seen: generation,
                found: held.document.generation,
            });
        }
        if record.adopted_at.is_some_and(|at| at > generation) {
            tracing::info!("a backend that was adopted since is left to whoever adopted it");
            return Ok(DeletedBackend::default());
        }
        if record.state != BackendState::Deleting {
            // Before it is marked: a creation that meets the mark fails.
            let holders = self.settled_holders(uuid, interrupt).await?;
            self.refuse_if_held(name, &holders, self.is_default(name).await?)?;
            self.set_state(&mut held, BackendState::Deleting, interrupt)
                .await?;
        }
        self.finish_backend_deletion(&mut held, uuid, interrupt)
            .await
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
            return Ok(DeletedBackend::default());
        };
        let holders = self.settled_holders(uuid, interrupt).await?;
        // Whoever is about to make it the default reads its record again.
        let is_default = self.fence_default().await? == record.name;
        if let Err(refused) = self.refuse_if_held(&record.name, &holders, is_default) {
            self.set_state(held, BackendState::Ready, interrupt).await?;
            return Err(refused);
        }
        interrupt.before("delete backend marker")?;
        let left_behind = self.delete_marker(&record).await;
        interrupt.before("backend tombstone")?;
        held.document.backend = None;
        self.commit_backend(held).await?;
        self.connections.forget(&record.name);
        let forgotten = self.catalog.forget_history(&held.key, held.revision).await;
        if let Err(error) = forgotten {
            // What it holds of a credential is sealed, and the deletion stands.
            tracing::warn!(%error, "the history of a deleted backend's record is left behind");
        }
        Ok(DeletedBackend { left_behind })
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
            let Some(options) = crate::operations::read::describe_options(secret, Absence::Quick)
            else {
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

    /// Deletes the marker; says why it could not.
    async fn delete_marker(&self, record: &BackendRecord) -> Option<String> {
        let marker = record.marker.as_ref()?;
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
