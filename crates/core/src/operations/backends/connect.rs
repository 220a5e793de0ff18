//! Opens backends, each at most once a process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::marker::Marker;
use crate::catalog::{BackendDocument, BackendRecord, Loaded, SecretRecord};
use crate::kek::KeyEncryptionKey;
use crate::names::Slug;
use crate::operations::held_document::Document as _;
use crate::operations::rollback_guard::{SeenBackend, Sightings};
use crate::operations::{Backend, NAME_PREFIX, OperationError, Organization, PLATFORM_BACKEND};
use crate::store::{StoreCapability, StoreCredential};

/// On whose word a backend's settings are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The organization's MAC.
    Mac,
    /// What was seen before, where no sealed credential is needed: a refresh
    /// without any key. Otherwise the MAC.
    MacOrSeen,
}

/// The backends that this process has opened, by name.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    opened: Mutex<HashMap<Slug, Arc<OnceCell<Connection>>>>,
    default: Mutex<Option<Slug>>,
    /// Held while the default is asked for: once for all creations of a process.
    pub(crate) asking: tokio::sync::Mutex<()>,
    /// Held while the default's record is written as it is: the deletions of a
    /// process would else conflict with each other there.
    pub(crate) fencing: tokio::sync::Mutex<()>,
    kinds: Mutex<HashMap<Slug, String>>,
    pub(crate) seen: Sightings,
}

/// A backend that is in use, as its record has it.
struct Current {
    loaded: Loaded<BackendDocument>,
    record: BackendRecord,
    seen: SeenBackend,
}

/// A backend that is open.
#[derive(Debug)]
struct Connection {
    loaded: Loaded<BackendDocument>,
    backend: Backend,
    seen: SeenBackend,
}

impl Connections {
    fn slot(&self, name: &Slug) -> Arc<OnceCell<Connection>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(opened.entry(name.clone()).or_default())
    }

    /// Forgets what is known of a backend: its record has changed.
    pub(crate) fn forget(&self, name: &Slug) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.remove(name);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.remove(name);
    }

    fn kind(&self, name: &Slug) -> Option<String> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(name).cloned()
    }

    fn learn_kind(&self, name: &Slug, kind: &str) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(name.clone(), kind.to_owned());
    }

    /// Returns the default backend that was learned.
    pub(crate) fn learned_default(&self) -> Option<Slug> {
        let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
        default.clone()
    }

    /// Remembers which backend was the default, and forgets what was learned before.
    pub(crate) fn remember_default(&self, backend: &Slug, generation: u64) {
        if self.seen.remember_default(backend, generation) {
            self.learn_default(None);
        }
    }

    pub(crate) fn learn_default(&self, name: Option<&Slug>) {
        *self.default.lock().unwrap_or_else(PoisonError::into_inner) = name.cloned();
    }
}

impl Organization {
    /// Takes notice of what was seen of a backend before this process: its record
    /// must not have gone back to another place since, and without a credential
    /// it is believed to be where it was.
    pub fn remember_backend(&self, seen: SeenBackend) {
        self.connections.seen.remember(seen);
    }

    /// Returns the backend with this name, for a new secret.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog, of the KEK, and of what opens
    /// the store.
    pub(crate) async fn backend(&self, name: &Slug) -> Result<Backend, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return self.platform_backend().await;
        }
        self.open_backend(name, None, Trust::Mac).await
    }

    /// Returns the backend with this name and this uuid.
    ///
    /// # Errors
    ///
    /// As [`backend`](Self::backend).
    pub(crate) async fn backend_of_record(
        &self,
        record: &BackendRecord,
    ) -> Result<Backend, OperationError> {
        self.open_backend(&record.name, Some(record.uuid), Trust::Mac)
            .await
    }

    /// Returns the backend of a secret.
    ///
    /// # Errors
    ///
    /// As [`backend`](Self::backend).
    pub(crate) async fn backend_of(
        &self,
        secret: &SecretRecord,
        trust: Trust,
    ) -> Result<Backend, OperationError> {
        if secret.backend_name.as_str() == PLATFORM_BACKEND {
            return self.platform_backend().await;
        }
        self.open_backend(&secret.backend_name, Some(secret.backend), trust)
            .await
    }

    /// Returns what the backend `name` can do, without opening it: at most one
    /// request a process.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog.
    pub(crate) async fn capability_of(
        &self,
        name: &Slug,
    ) -> Result<StoreCapability, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(self.platform.store.capability().clone());
        }
        if let Some(known) = self.connections.kind(name) {
            return self.capability_of_kind(name, &known);
        }
        // An organization that has no record yet has no backends either.
        let loaded = match self.existing().await {
            Ok(_) => self.load_backend(name).await?,
            Err(OperationError::OrganizationMissing { .. }) => None,
            Err(error) => return Err(error),
        };
        let kind = loaded.as_ref().and_then(in_use);
        let kind = kind.map(|record| record.settings.kind.clone());
        let kind = kind.ok_or_else(|| unknown(name))?;
        self.connections.learn_kind(name, &kind);
        self.capability_of_kind(name, &kind)
    }

    fn capability_of_kind(
        &self,
        name: &Slug,
        kind: &str,
    ) -> Result<StoreCapability, OperationError> {
        let capability = self.platform.connector.capability(kind);
        capability.ok_or_else(|| unknown(name))
    }

    async fn platform_backend(&self) -> Result<Backend, OperationError> {
        let record = self.existing().await?;
        Ok(Backend {
            uuid: record.platform_backend,
            name: Slug::platform_backend(),
            name_prefix: NAME_PREFIX.to_owned(),
            organization: self.slug().clone(),
            store: Arc::clone(&self.platform.store),
            kek: Arc::clone(&self.platform.kek) as Arc<dyn KeyEncryptionKey>,
            seen: None,
            marker: None,
        })
    }

    async fn open_backend(
        &self,
        name: &Slug,
        expected: Option<Uuid>,
        trust: Trust,
    ) -> Result<Backend, OperationError> {
        for _ in 0..2 {
            let slot = self.connections.slot(name);
            let connection = slot.get_or_try_init(|| self.connect(name, trust)).await?;
            let seen = &connection.seen;
            if !self.may_go_by_what_was_seen(trust, seen) {
                // Cheap, and what was opened on another caller's word is verified.
                connection.loaded.verify(self.mac_key().await?)?;
                self.connections.seen.remember(seen.clone());
            }
            let is_current = self.connections.seen.overrules(seen).is_none();
            if is_current && expected.is_none_or(|uuid| uuid == seen.uuid) {
                return Ok(Backend {
                    seen: self.connections.seen.last(name),
                    ..connection.backend.clone()
                });
            }
            // Another process may have changed it, or made a namesake, since.
            self.connections.forget(name);
        }
        Err(unknown(name))
    }

    fn may_go_by_what_was_seen(&self, trust: Trust, found: &SeenBackend) -> bool {
        trust == Trust::MacOrSeen && self.connections.seen.vouches_for(found)
    }

    async fn connect(&self, name: &Slug, trust: Trust) -> Result<Connection, OperationError> {
        let Current {
            loaded,
            record,
            seen,
        } = self.load_current(name).await?;
        if !self.may_go_by_what_was_seen(trust, &seen) {
            loaded.verify(self.mac_key().await?)?;
        }
        let credential = match &record.credential {
            None => StoreCredential::new(),
            Some(sealed) => {
                self.open_credential(record.uuid, &record.settings, sealed)
                    .await?
            }
        };
        let store = self
            .platform
            .connector
            .connect(&record.settings, &credential)
            .await?;
        Ok(Connection {
            backend: Backend {
                uuid: record.uuid,
                name: name.clone(),
                name_prefix: record.settings.name_prefix,
                organization: self.slug().clone(),
                store,
                kek: Arc::clone(&self.platform.kek) as Arc<dyn KeyEncryptionKey>,
                seen: None,
                marker: record
                    .marker
                    .map(|marker| Arc::new(Marker::new(name, marker))),
            },
            loaded,
            seen,
        })
    }

    /// Loads a backend that is in use, and is not older than what was seen of it:
    /// before anything is sent to where it leads.
    async fn load_current(&self, name: &Slug) -> Result<Current, OperationError> {
        let read = |loaded: Option<Loaded<BackendDocument>>| {
            let loaded = loaded.ok_or_else(|| unknown(name))?;
            let record = in_use(&loaded).ok_or_else(|| unknown(name))?.clone();
            let seen = SeenBackend::new(loaded.record.generation, &record);
            Ok::<_, OperationError>(Current {
                loaded,
                record,
                seen,
            })
        };
        let found = read(self.load_backend(name).await?)?;
        if self.connections.seen.overrules(&found.seen).is_none() {
            return Ok(found);
        }
        // A node that lags answers so, too.
        let found = read(
            self.catalog
                .load_fenced(&BackendDocument::key(name))
                .await?,
        )?;
        // Altered is the better word for it, where the key tells.
        if let Ok(key) = self.mac_key().await {
            found.loaded.verify(key)?;
        }
        self.expect_newest(&found.seen)?;
        Ok(found)
    }

    /// Refuses a record that went back to another place.
    pub(crate) fn expect_newest(&self, found: &SeenBackend) -> Result<(), OperationError> {
        match self.connections.seen.overrules(found) {
            None => Ok(()),
            Some(seen) => Err(OperationError::BackendRolledBack {
                backend: found.name.clone(),
                seen,
                found: found.generation,
            }),
        }
    }

    /// Loads a backend's document; one that shows no backend is read again past
    /// a node that lags.
    pub(crate) async fn load_backend(
        &self,
        name: &Slug,
    ) -> Result<Option<Loaded<BackendDocument>>, OperationError> {
        self.load_backend_if(name, |_| true).await
    }

    /// As [`load_backend`](Self::load_backend), and also again unless `is_current`.
    pub(crate) async fn load_backend_if(
        &self,
        name: &Slug,
        is_current: impl Fn(&Loaded<BackendDocument>) -> bool,
    ) -> Result<Option<Loaded<BackendDocument>>, OperationError> {
        let key = BackendDocument::key(name);
        let is_doubtful = |loaded: Option<&Loaded<BackendDocument>>| {
            loaded.is_none_or(|loaded| in_use(loaded).is_none() || !is_current(loaded))
        };
        Ok(self.catalog.load_fenced_if(&key, is_doubtful).await?)
    }
}

fn in_use(loaded: &Loaded<BackendDocument>) -> Option<&BackendRecord> {
    loaded.record.backend.as_ref()
}

pub(crate) fn unknown(name: &Slug) -> OperationError {
    OperationError::UnknownBackend {
        backend: name.clone(),
    }
}
