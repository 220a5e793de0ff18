//! Opens backends, each at most once per process.

use std::sync::Arc;

use uuid::Uuid;

use super::Backends;
use crate::catalog::{BackendDocument, BackendRecord, Loaded, SecretRecord};
use crate::names::Slug;
use crate::operations::connections::Connection;
use crate::operations::held_document::Document as _;
use crate::operations::keyrings::{BackendKeyring, OrganizationKeyring};
use crate::operations::marker::Marker;
use crate::operations::rollback_guard::SeenBackend;
use crate::operations::{Backend, NAME_PREFIX, OperationError, PLATFORM_BACKEND};
use crate::store::StoreCapability;

/// Evidence on which the settings in a backend's record are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The organization's MAC.
    Mac,
    /// The record that was seen before, unless a sealed credential is needed: a refresh then
    /// uses no key. Otherwise the MAC.
    MacOrRollbackGuard,
}

/// The record of a backend in use.
struct Current {
    loaded: Loaded<BackendDocument>,
    record: BackendRecord,
    seen: SeenBackend,
}

impl Current {
    fn read(name: &Slug, loaded: Option<Loaded<BackendDocument>>) -> Result<Self, OperationError> {
        let loaded = loaded.ok_or_else(|| unknown(name))?;
        let record = in_use(&loaded).ok_or_else(|| unknown(name))?.clone();
        let seen = SeenBackend::new(loaded.record.generation, &record);
        Ok(Self {
            loaded,
            record,
            seen,
        })
    }
}

impl Backends<'_> {
    /// Passes a record that the caller saw earlier to the rollback guard.
    ///
    /// An older record that leads to another place is then rejected. A refresh accepts an
    /// unverified record of the same place, if neither record has a credential.
    pub fn remember(self, seen: SeenBackend) {
        self.organization.connections.rollback_guard.remember(seen);
    }

    /// Checks that the backend `name` exists. Sends no request for the built-in backend, and
    /// at most one per process for any other.
    ///
    /// # Errors
    ///
    /// `UnknownBackend` if it does not exist.
    pub async fn expect(self, name: &Slug) -> Result<(), OperationError> {
        self.capability_of(name).await.map(drop)
    }

    /// Returns the backend with this name, for a new secret.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog, the KEK and the connector.
    pub(crate) async fn open(self, name: &Slug) -> Result<Backend, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return self.platform_backend().await;
        }
        self.open_backend(name, None, Trust::Mac).await
    }

    /// Returns the backend that a caller knows by its name and its uuid; `None` for one that
    /// it knows by its name alone. Another backend that was declared under the name since is
    /// not asked for anything, and neither is its KEK.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) async fn open_known(
        self,
        name: &Slug,
        uuid: Option<Uuid>,
    ) -> Option<Result<Backend, OperationError>> {
        if name.as_str() == PLATFORM_BACKEND {
            return Some(self.platform_backend().await);
        }
        let uuid = uuid?;
        Some(self.open_backend(name, Some(uuid), Trust::Mac).await)
    }

    /// Returns the backend with this name and this uuid.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) async fn open_record(
        self,
        record: &BackendRecord,
    ) -> Result<Backend, OperationError> {
        self.open_backend(&record.name, Some(record.uuid), Trust::Mac)
            .await
    }

    /// Returns the backend of a secret.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub(crate) async fn of_secret(
        self,
        secret: &SecretRecord,
        trust: Trust,
    ) -> Result<Backend, OperationError> {
        if secret.backend_name.as_str() == PLATFORM_BACKEND {
            return self.platform_backend().await;
        }
        self.open_backend(&secret.backend_name, Some(secret.backend), trust)
            .await
    }

    /// Returns the capability of the backend `name`, without opening it. Sends at most one
    /// request per process.
    ///
    /// # Errors
    ///
    /// `UnknownBackend`; failures of the catalog.
    pub(crate) async fn capability_of(
        self,
        name: &Slug,
    ) -> Result<StoreCapability, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return Ok(self.organization.platform.store.capability().clone());
        }
        if let Some(known) = self.organization.connections.kind(name) {
            return self.capability_of_kind(name, &known);
        }
        // An organization without a record has no registered backends.
        let loaded = match self.organization.existing().await {
            Ok(_) => self.load(name).await?,
            Err(OperationError::OrganizationMissing { .. }) => None,
            Err(error) => return Err(error),
        };
        let kind = loaded.as_ref().and_then(in_use);
        let kind = kind.map(|record| record.settings.kind.clone());
        let kind = kind.ok_or_else(|| unknown(name))?;
        self.organization.connections.learn_kind(name, &kind);
        self.capability_of_kind(name, &kind)
    }

    fn capability_of_kind(
        self,
        name: &Slug,
        kind: &str,
    ) -> Result<StoreCapability, OperationError> {
        let capability = self.organization.platform.connector.capability(kind);
        capability.ok_or_else(|| unknown(name))
    }

    async fn platform_backend(self) -> Result<Backend, OperationError> {
        let keyring = self.organization.keys().keyring().await?;
        self.platform_backend_with(keyring).await
    }

    async fn platform_backend_with(
        self,
        keyring: &Arc<OrganizationKeyring>,
    ) -> Result<Backend, OperationError> {
        let record = self.organization.existing().await?;
        Ok(Backend {
            uuid: record.platform_backend,
            name: Slug::platform_backend(),
            name_prefix: NAME_PREFIX.to_owned(),
            organization: self.organization.slug().clone(),
            store: Arc::clone(&self.organization.platform.store),
            keyring: Arc::new(BackendKeyring::of_organization(Arc::clone(keyring))),
            seen: None,
            marker: None,
        })
    }

    /// Opens the backend with this name by its record as it is now, behind a fence, with
    /// `keyring` as the organization's. Nothing of it is cached.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `BackendRolledBack`.
    pub(crate) async fn open_fenced(
        self,
        name: &Slug,
        keyring: &Arc<OrganizationKeyring>,
    ) -> Result<Backend, OperationError> {
        if name.as_str() == PLATFORM_BACKEND {
            return self.platform_backend_with(keyring).await;
        }
        let key = BackendDocument::key(name);
        let loaded = self.organization.catalog.load_fenced(&key).await?;
        let found = Current::read(name, loaded)?;
        let mac_key = self.organization.keys().mac_key().await?;
        found.loaded.verify(mac_key)?;
        self.expect_newest(&found.seen)?;
        let guard = &self.organization.connections.rollback_guard;
        guard.remember(found.seen.clone());
        let connection = self.connection(name, found, keyring).await?;
        Ok(Backend {
            seen: guard.last(name),
            ..connection.backend
        })
    }

    async fn open_backend(
        self,
        name: &Slug,
        expected: Option<Uuid>,
        trust: Trust,
    ) -> Result<Backend, OperationError> {
        for _ in 0..2 {
            let slot = self.organization.connections.slot(name);
            let connection = slot.get_or_try_init(|| self.connect(name, trust)).await?;
            let seen = &connection.seen;
            if !self.trusts_rollback_guard(trust, seen) {
                // Cheap, and it verifies a backend that another caller opened unverified.
                connection
                    .loaded
                    .verify(self.organization.keys().mac_key().await?)?;
                self.organization
                    .connections
                    .rollback_guard
                    .remember(seen.clone());
            }
            let is_current = self
                .organization
                .connections
                .rollback_guard
                .rollback_of(seen)
                .is_none();
            if is_current && expected.is_none_or(|uuid| uuid == seen.uuid) {
                return Ok(Backend {
                    seen: self.organization.connections.rollback_guard.last(name),
                    ..connection.backend.clone()
                });
            }
            // Another process may have changed the backend since, or declared another one of
            // this name.
            self.organization.connections.forget(name);
        }
        Err(unknown(name))
    }

    fn trusts_rollback_guard(self, trust: Trust, found: &SeenBackend) -> bool {
        trust == Trust::MacOrRollbackGuard
            && self
                .organization
                .connections
                .rollback_guard
                .is_known_place(found)
    }

    async fn connect(self, name: &Slug, trust: Trust) -> Result<Connection, OperationError> {
        let found = self.load_current(name).await?;
        if !self.trusts_rollback_guard(trust, &found.seen) {
            found
                .loaded
                .verify(self.organization.keys().mac_key().await?)?;
        }
        let keyring = self.organization.keys().keyring().await?;
        self.connection(name, found, keyring).await
    }

    /// Opens a backend by its record.
    async fn connection(
        self,
        name: &Slug,
        found: Current,
        keyring: &Arc<OrganizationKeyring>,
    ) -> Result<Connection, OperationError> {
        let Current {
            loaded,
            record,
            seen,
        } = found;
        let store = self.store_of(&record, keyring).await?;
        Ok(Connection {
            backend: Backend {
                uuid: record.uuid,
                name: name.clone(),
                name_prefix: record.settings.name_prefix,
                organization: self.organization.slug().clone(),
                store,
                keyring: Arc::new(BackendKeyring::of_backend(
                    Arc::clone(keyring),
                    record.uuid,
                    name,
                    record.keys,
                )),
                seen: None,
                marker: record
                    .marker
                    .map(|marker| Arc::new(Marker::new(name, marker))),
            },
            loaded,
            seen,
        })
    }

    /// Loads the record of a backend in use. Rejects a record that is older than the one
    /// seen, before any request to the place that it names.
    async fn load_current(self, name: &Slug) -> Result<Current, OperationError> {
        let found = Current::read(name, self.load(name).await?)?;
        if self
            .organization
            .connections
            .rollback_guard
            .rollback_of(&found.seen)
            .is_none()
        {
            return Ok(found);
        }
        // It may be a stale read.
        let key = BackendDocument::key(name);
        let fenced = self.organization.catalog.load_fenced(&key).await?;
        let found = Current::read(name, fenced)?;
        // An altered record is the more precise error, if the MAC key is available.
        if let Ok(key) = self.organization.keys().mac_key().await {
            found.loaded.verify(key)?;
        }
        self.expect_newest(&found.seen)?;
        Ok(found)
    }

    /// Rejects an older record that leads to another place.
    pub(crate) fn expect_newest(self, found: &SeenBackend) -> Result<(), OperationError> {
        match self
            .organization
            .connections
            .rollback_guard
            .rollback_of(found)
        {
            None => Ok(()),
            Some(seen) => Err(OperationError::BackendRolledBack {
                backend: found.name.clone(),
                seen,
                found: found.generation,
            }),
        }
    }

    /// Loads a backend's document. Reads it again, fenced, if it contains no backend.
    pub(crate) async fn load(
        self,
        name: &Slug,
    ) -> Result<Option<Loaded<BackendDocument>>, OperationError> {
        self.load_if(name, |_| true).await
    }

    /// As [`load`](Self::load). Also reads a document again for which `is_current` returns false.
    pub(crate) async fn load_if(
        self,
        name: &Slug,
        is_current: impl Fn(&Loaded<BackendDocument>) -> bool,
    ) -> Result<Option<Loaded<BackendDocument>>, OperationError> {
        self.organization.learn_floor().await?;
        let key = BackendDocument::key(name);
        let is_doubtful = |loaded: Option<&Loaded<BackendDocument>>| {
            loaded.is_none_or(|loaded| in_use(loaded).is_none() || !is_current(loaded))
        };
        Ok(self
            .organization
            .catalog
            .load_fenced_if(&key, is_doubtful)
            .await?)
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
