//! An organization on its platform, opened once a process.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::OperationError;
use super::SeenBackend;
use super::backends::{Connections, Marker, Patience};
use super::crash_hooks::crash_point;
use super::run::Run;
use super::sealing::{unwrap, wrap};
use crate::catalog::{
    Catalog, CatalogError, CatalogErrorKind, CatalogStore, Compared, Loaded, ORGANIZATION_RECORD,
    OrganizationRecord, OrganizationState, RecordKey, Revision, WrappedMacKey,
};
use crate::kek::{KekError, KeyEncryptionKey, ProvisionKek};
use crate::names::Slug;
use crate::store::{ConnectStore, SecretStore};
use planton_envelope::{KekId, MacKey, WrapBinding, WrappedKey};

/// How often first use is tried again after another process came first.
const INITIALIZE_TRIES: usize = 4;

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

/// A secret backend, ready for use.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its identity in the catalog.
    pub uuid: Uuid,
    /// Its name.
    pub name: Slug,
    /// What the names of its objects begin with.
    pub name_prefix: String,
    /// The organization that it belongs to.
    pub organization: Slug,
    /// Where it stores.
    pub store: Arc<dyn SecretStore>,
    /// What wraps its secrets' keys.
    pub kek: Arc<dyn KeyEncryptionKey>,
    /// What was seen of its record last; absent for the built-in one.
    pub seen: Option<SeenBackend>,
    /// By what its place is known again.
    pub(crate) marker: Option<Arc<Marker>>,
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
    pub(crate) patience: Patience,
    opened: OnceCell<Opened>,
    mac_key: OnceCell<MacKey>,
}

/// The organization's record; `Loaded` unless this process wrote it, and so made
/// the MAC key.
#[derive(Debug)]
enum Opened {
    Loaded(Loaded<OrganizationRecord>),
    Written(OrganizationRecord, MacKey),
}

impl Opened {
    fn record(&self) -> &OrganizationRecord {
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
            patience: Patience::default(),
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

    /// Returns the organization's record.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing` before first use is complete.
    pub async fn existing(&self) -> Result<&OrganizationRecord, OperationError> {
        let opened = self
            .opened
            .get_or_try_init(async || match self.load().await? {
                Some(loaded) if loaded.record.state.is_ready() => Ok(Opened::Loaded(loaded)),
                _ => Err(self.missing()),
            });
        opened.await.map(Opened::record)
    }

    /// Returns the organization's record, and brings it, its KEK and its MAC
    /// key into being on first use. Safe with several processes at once.
    ///
    /// # Errors
    ///
    /// `Kek(PermissionDenied)` and `Catalog(PermissionDenied)` with the policy
    /// to grant, when this may not be done with the credentials at hand.
    pub async fn ensure(&self) -> Result<&OrganizationRecord, OperationError> {
        self.opened
            .get_or_try_init(|| self.initialize())
            .await
            .map(Opened::record)
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

    /// Makes sure that records stand under the MAC key with this commitment.
    ///
    /// Whoever may encrypt under the KEK and write the catalog could put a MAC
    /// key of their own in its place, and forge every record under it: what was
    /// seen before tells.
    ///
    /// # Errors
    ///
    /// `MacKeyReplaced` when they do not.
    //= docs/format.md#18-commitment-of-a-mac-key
    //# A reader that remembers a commitment MUST refuse a catalog whose MAC key has another
    //# one.
    pub async fn expect_mac_key(&self, expected: &str) -> Result<(), OperationError> {
        if self.mac_key_commitment().await? == expected {
            return Ok(());
        }
        Err(OperationError::MacKeyReplaced)
    }

    /// Returns the MAC key's commitment, in hexadecimal.
    ///
    /// # Errors
    ///
    /// As for whatever opens or writes.
    pub async fn mac_key_commitment(&self) -> Result<String, OperationError> {
        Ok(hex::encode(self.mac_key().await?.commitment()))
    }

    /// Returns the MAC key; unwraps it on first use.
    pub(crate) async fn mac_key(&self) -> Result<&MacKey, OperationError> {
        self.existing().await?;
        let loaded = match self.opened.get() {
            Some(Opened::Loaded(loaded)) => loaded,
            Some(Opened::Written(_, mac_key)) => return Ok(mac_key),
            None => return Err(self.missing()),
        };
        let unwrapped = self.mac_key.get_or_try_init(async || {
            let OrganizationState::Ready { mac_key } = &loaded.record.state else {
                return Err(self.missing());
            };
            let unwrapped = self.unwrap_mac_key(loaded.record.uuid, mac_key).await?;
            loaded.verify(&unwrapped)?;
            Ok(unwrapped)
        });
        unwrapped.await
    }

    /// Makes sure that the backend `name` exists: no request for the built-in
    /// one, and at most one a process for any other.
    ///
    /// # Errors
    ///
    /// `UnknownBackend` when it does not.
    pub async fn expect_backend(&self, name: &Slug) -> Result<(), OperationError> {
        self.capability_of(name).await.map(drop)
    }

    /// Loads the organization's record. A stale node may show it before it was ready,
    /// and nothing may be provisioned then.
    async fn load(&self) -> Result<Option<Loaded<OrganizationRecord>>, CatalogError> {
        let is_unfinished = |loaded: Option<&Loaded<OrganizationRecord>>| {
            loaded.is_some_and(|loaded| !loaded.record.state.is_ready())
        };
        self.catalog.load_fenced_if(&key(), is_unfinished).await
    }

    async fn initialize(&self) -> Result<Opened, OperationError> {
        let mut found = self.load().await?;
        for _ in 0..=INITIALIZE_TRIES {
            match self.try_initialize(found).await? {
                Ok(opened) => return Ok(opened),
                Err(now) => found = now,
            }
        }
        let key = key();
        Err(CatalogError::new(CatalogErrorKind::Conflict, "write", key.as_str()).into())
    }

    /// Goes on with first use. Returns the present record if another process came first.
    async fn try_initialize(
        &self,
        found: Option<Loaded<OrganizationRecord>>,
    ) -> Result<Result<Opened, Option<Loaded<OrganizationRecord>>>, OperationError> {
        let key = key();
        let (mut record, revision) = match found {
            Some(loaded) if loaded.record.state.is_ready() => {
                return Ok(Ok(Opened::Loaded(loaded)));
            }
            // First use writes the record once before it is ready, and again when it is.
            // At a later revision another writer changed it. A new MAC key would make
            // every sealed value unreadable.
            Some(loaded) if loaded.revision > FIRST_REVISION => {
                return Err(
                    CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str()).into(),
                );
            }
            Some(loaded) => (loaded.record, loaded.revision),
            None => {
                if let Some(now) = self.expect_empty_catalog().await? {
                    return Ok(Err(Some(now)));
                }
                let record = self.new_record();
                let written = self
                    .catalog
                    .compare_and_set(&key, &record, None, Revision::ABSENT);
                match written.await? {
                    Compared::Written(revision) => (record, revision),
                    Compared::Overtaken(now) => return Ok(Err(now)),
                }
            }
        };
        crash_point("organization provision");
        self.platform.kek.provision().await?;
        let mac_key = MacKey::generate().map_err(|_| OperationError::Randomness)?;
        record.state = OrganizationState::Ready {
            mac_key: self.wrap_mac_key(record.uuid, &mac_key).await?,
        };
        record.generation += 1;
        crash_point("organization commit");
        let written = self
            .catalog
            .compare_and_set(&key, &record, Some(&mac_key), revision);
        Ok(match written.await? {
            Compared::Written(_) => Ok(Opened::Written(record, mac_key)),
            Compared::Overtaken(now) => Err(now),
        })
    }

    /// Makes sure that a new record is the catalog's first: every other record depends
    /// on it, tombstones included. Returns the record if another process wrote it.
    async fn expect_empty_catalog(
        &self,
    ) -> Result<Option<Loaded<OrganizationRecord>>, OperationError> {
        if self.catalog.list("").await?.is_empty() {
            return Ok(None);
        }
        // A stale node may not have the record of a process that came first.
        match self.catalog.load_fenced(&key()).await? {
            Some(now) => Ok(Some(now)),
            None => Err(OperationError::OrganizationRecordMissing {
                organization: self.slug.clone(),
            }),
        }
    }

    fn missing(&self) -> OperationError {
        OperationError::OrganizationMissing {
            organization: self.slug.clone(),
        }
    }

    fn new_record(&self) -> OrganizationRecord {
        OrganizationRecord {
            generation: 1,
            uuid: Uuid::new_v4(),
            organization: self.slug.clone(),
            platform_backend: Uuid::new_v4(),
            state: OrganizationState::Initializing,
            created_at: Timestamp::now(),
        }
    }

    async fn wrap_mac_key(
        &self,
        organization: Uuid,
        mac_key: &MacKey,
    ) -> Result<Vec<WrappedMacKey>, KekError> {
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        let wraps = wrap(mac_key.expose(), &[&*self.platform.kek], binding).await?;
        let wraps = wraps.into_iter().map(|(kek, wrapped)| WrappedMacKey {
            kek,
            wrapped: hex::encode(wrapped.as_bytes()),
        });
        Ok(wraps.collect())
    }

    async fn unwrap_mac_key(
        &self,
        organization: Uuid,
        wraps: &[WrappedMacKey],
    ) -> Result<MacKey, KekError> {
        let decode = |wrap: &WrappedMacKey| {
            let wrapped = hex::decode(&wrap.wrapped).ok()?;
            Some((wrap.kek.clone(), WrappedKey::new(wrapped)))
        };
        let wraps: Vec<_> = wraps.iter().filter_map(decode).collect();
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        crash_point("unwrap");
        let key = unwrap(&wraps, &[&*self.platform.kek], binding).await?;
        Ok(MacKey::from_data_key(key))
    }
}

/// The revision of a record that was written once.
const FIRST_REVISION: Revision = Revision(1);

fn key() -> RecordKey {
    RecordKey::new(ORGANIZATION_RECORD)
}
