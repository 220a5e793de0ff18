//! An organization on its platform, opened once a process.

use std::sync::Arc;

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::OperationError;
use super::connections::Connections;
use super::deletion_waits::DeletionWaits;
use super::run::Run;
use crate::catalog::{
    Catalog, CatalogError, CatalogStore, Loaded, ORGANIZATION_RECORD, OrganizationRecord, RecordKey,
};
use crate::kek::ProvisionKek;
use crate::names::Slug;
use crate::store::{ConnectStore, SecretStore};
use planton_envelope::MacKey;

/// Where an organization's catalog, KEK and built-in backend live.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The catalog's storage.
    pub catalog: Arc<dyn CatalogStore>,
    /// The platform-managed KEK of the organization.
    pub kek: Arc<dyn ProvisionKek>,
    /// The built-in backend.
    pub store: Arc<dyn SecretStore>,
    /// Opens all other backends.
    pub connector: Arc<dyn ConnectStore>,
}

/// An organization on its platform. The use cases are its methods.
///
/// Its record is read, and its MAC key unwrapped, at most once.
#[derive(Debug)]
pub struct Organization {
    slug: Slug,
    pub(crate) run: Run,
    pub(crate) catalog: Catalog,
    pub(crate) platform: Platform,
    pub(crate) connections: Connections,
    pub(crate) deletion_waits: DeletionWaits,
    pub(super) opened: OnceCell<Opened>,
    pub(super) mac_key: OnceCell<MacKey>,
}

/// The organization's record; `Loaded` unless this process wrote it, and so made
/// the MAC key.
#[derive(Debug)]
pub(super) enum Opened {
    Loaded(Loaded<OrganizationRecord>),
    Written(OrganizationRecord, MacKey),
}

impl Opened {
    pub(super) fn record(&self) -> &OrganizationRecord {
        match self {
            Self::Loaded(loaded) => &loaded.record,
            Self::Written(record, _) => record,
        }
    }
}

impl Organization {
    /// Opens `organization` on `platform`; no I/O yet.
    #[must_use]
    pub fn new(organization: Slug, platform: Platform) -> Self {
        Self {
            slug: organization,
            run: Run::of_its_own(),
            catalog: Catalog::new(Arc::clone(&platform.catalog)),
            platform,
            connections: Connections::default(),
            deletion_waits: DeletionWaits::default(),
            opened: OnceCell::new(),
            mac_key: OnceCell::new(),
        }
    }

    /// Sets the run that this process belongs to; without it the
    /// process is a run of its own.
    #[must_use]
    pub fn in_run(self, run: Run) -> Self {
        Self { run, ..self }
    }

    /// Returns the run that this process belongs to.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Returns the organization's name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Returns the uuid of the built-in backend.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing` before first use is complete.
    pub async fn platform_backend_uuid(&self) -> Result<Uuid, OperationError> {
        Ok(self.existing().await?.platform_backend)
    }

    /// Returns the organization's record.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing` before first use is complete.
    pub(crate) async fn existing(&self) -> Result<&OrganizationRecord, OperationError> {
        let opened = self
            .opened
            .get_or_try_init(async || match self.load().await? {
                Some(loaded) if loaded.record.state.is_ready() => Ok(Opened::Loaded(loaded)),
                _ => Err(self.missing()),
            });
        opened.await.map(Opened::record)
    }

    /// Makes sure that this is the catalog with the uuid `expected`.
    ///
    /// # Errors
    ///
    /// `DifferentPlatform` when it is not.
    pub async fn expect_catalog(&self, expected: Uuid) -> Result<(), OperationError> {
        let found = match self.existing().await {
            Ok(record) => Some(record.uuid),
            Err(OperationError::OrganizationMissing { .. }) => None,
            Err(error) => return Err(error),
        };
        if found == Some(expected) {
            return Ok(());
        }
        Err(OperationError::DifferentPlatform { expected, found })
    }

    /// Loads the organization's record. A stale node may show it before it was ready,
    /// and nothing may be provisioned then.
    pub(super) async fn load(&self) -> Result<Option<Loaded<OrganizationRecord>>, CatalogError> {
        let is_unfinished = |loaded: Option<&Loaded<OrganizationRecord>>| {
            loaded.is_some_and(|loaded| !loaded.record.state.is_ready())
        };
        self.catalog.load_fenced_if(&key(), is_unfinished).await
    }

    pub(super) fn missing(&self) -> OperationError {
        OperationError::OrganizationMissing {
            organization: self.slug.clone(),
        }
    }
}

/// Returns the key of the organization's own record.
pub(super) fn key() -> RecordKey {
    RecordKey::new(ORGANIZATION_RECORD)
}
