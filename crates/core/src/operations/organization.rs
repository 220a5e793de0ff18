//! An organization on its platform: the context that all use cases share.

use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use super::OperationError;
use super::connections::Connections;
use super::deletion_waits::DeletionWaits;
use super::housekeeping::Housekeeping;
use super::keyrings::OrganizationKeyring;
use super::keys::NewestRecord;
use super::open_once::OpenOnce;
use super::refresh_listing::RefreshListings;
use super::run::Run;
use crate::boot_time::BootTime;
use crate::catalog::{
    Catalog, CatalogStore, GenerationFloor, Loaded, ORGANIZATION_RECORD, OrganizationRecord,
    RecordKey, RestorationState,
};
use crate::kek::{ConnectKek, KekError, KekErrorKind, KekPins, KeyEncryptionKey, ProvisionKek};
use crate::names::Slug;
use crate::store::{ConnectStore, SecretStore};
use planton_envelope::{KekId, MacKey};

/// The catalog, KEK and built-in backend of an organization.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Storage of the catalog.
    pub catalog: Arc<dyn CatalogStore>,
    /// The KEK of the organization.
    pub kek: Arc<dyn ProvisionKek>,
    /// The KEK of the organization's MAC key. It may be the same one where whoever uses
    /// the first can use any.
    pub mac_kek: Arc<dyn ProvisionKek>,
    /// KEKs of the organization that only unwrap.
    pub former_keks: Vec<Arc<dyn KeyEncryptionKey>>,
    /// Opens all other KEKs.
    pub kek_connector: Arc<dyn ConnectKek>,
    /// The built-in backend.
    pub store: Arc<dyn SecretStore>,
    /// Opens all other backends.
    pub connector: Arc<dyn ConnectStore>,
}

/// An organization on its platform.
///
/// Its use cases are methods of [`Secrets`], [`Backends`], [`DefaultBackend`] and [`Keys`],
/// as in `organization.secrets().create(…)`. Each process reads the organization's record
/// and unwraps its MAC key at most once.
///
/// [`Secrets`]: super::Secrets
/// [`Backends`]: super::Backends
/// [`DefaultBackend`]: super::DefaultBackend
/// [`Keys`]: super::Keys
#[derive(Debug)]
pub struct Organization {
    slug: Slug,
    pub(crate) run: Run,
    pub(crate) catalog: Catalog,
    pub(crate) platform: Platform,
    pub(crate) connections: Connections,
    pub(crate) deletion_waits: DeletionWaits,
    pub(super) housekeeping: Housekeeping,
    pub(super) refresh_listings: RefreshListings,
    pub(super) opened: OpenOnce<Opened>,
    pub(super) mac_key: OpenOnce<MacKey>,
    /// When the KEK of the MAC key was last found not to be at hand.
    pub(super) mac_key_withheld: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    pub(super) keyring: OnceCell<Arc<OrganizationKeyring>>,
    pub(super) newest: Mutex<Option<Arc<NewestRecord>>>,
    pub(super) pins: Arc<KekPins>,
    pub(super) rescue: Vec<Arc<dyn KeyEncryptionKey>>,
    restores: bool,
}

/// The organization's record. `Written` if this process completed the first use and
/// generated the MAC key.
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
    /// Opens `organization` on `platform`. Does no I/O.
    #[must_use]
    pub fn new(organization: Slug, platform: Platform) -> Self {
        Self {
            slug: organization,
            run: Run::of_its_own(),
            catalog: Catalog::new(Arc::clone(&platform.catalog)),
            platform,
            connections: Connections::default(),
            deletion_waits: DeletionWaits::default(),
            housekeeping: Housekeeping::default(),
            refresh_listings: RefreshListings::default(),
            opened: OpenOnce::default(),
            mac_key: OpenOnce::default(),
            mac_key_withheld: tokio::sync::Mutex::default(),
            keyring: OnceCell::new(),
            newest: Mutex::default(),
            pins: Arc::default(),
            rescue: Vec::new(),
            restores: false,
        }
    }

    /// Sets the run of this process. By default a process is a run of its own.
    #[must_use]
    pub fn in_run(self, run: Run) -> Self {
        Self { run, ..self }
    }

    /// Shares the removals that follow responses with other organizations of this process.
    #[must_use]
    pub fn with_housekeeping(self, housekeeping: Housekeeping) -> Self {
        Self {
            housekeeping,
            ..self
        }
    }

    /// Sets what the client pins of the organization's keys.
    #[must_use]
    pub fn with_pins(self, pins: KekPins) -> Self {
        Self {
            pins: Arc::new(pins),
            ..self
        }
    }

    /// Sets escrow identities, which unwrap before every other key. Only an operator has
    /// them.
    #[must_use]
    pub fn with_rescue(self, rescue: Vec<Arc<dyn KeyEncryptionKey>>) -> Self {
        Self { rescue, ..self }
    }

    /// Lets this process open an organization whose records a restoration is writing.
    #[must_use]
    pub fn for_restoring(self) -> Self {
        Self {
            restores: true,
            ..self
        }
    }

    /// Returns the run of this process.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Returns the organization's name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Returns whether this process has created the organization.
    #[must_use]
    pub fn is_new(&self) -> bool {
        matches!(self.opened.get(), Some(Opened::Written(..)))
    }

    /// Returns what opens the keys of backends.
    #[must_use]
    pub fn kek_connector(&self) -> &dyn ConnectKek {
        self.platform.kek_connector.as_ref()
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
            .get_or_try_init(async || match Box::pin(self.load()).await? {
                Some(loaded) if loaded.record.state.is_ready() => {
                    self.expect_restored(&loaded.record)?;
                    self.expect_recorded_keys(&loaded.record)?;
                    Ok(Opened::Loaded(loaded))
                }
                _ => Err(self.missing()),
            });
        opened.await.map(Opened::record)
    }

    /// Checks that the catalog has the uuid `expected`.
    ///
    /// # Errors
    ///
    /// `DifferentPlatform` if it has another one, or does not exist.
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

    /// Loads the organization's record; again, fenced, if it is `initializing`. A stale read
    /// must not lead to a second MAC key.
    ///
    /// # Errors
    ///
    /// `Catalog(Moved)` if a migration has the platform, or has emptied it; `Catalog(Corrupt)`
    /// for a floor in the future.
    pub(super) async fn load(&self) -> Result<Option<Loaded<OrganizationRecord>>, OperationError> {
        let is_unfinished = |loaded: Option<&Loaded<OrganizationRecord>>| {
            loaded.is_some_and(|loaded| !loaded.record.state.is_ready())
        };
        let asked = BootTime::now();
        let loaded = self.catalog.load_fenced_if(&key(), is_unfinished).await?;
        if let Some(loaded) = &loaded {
            if let Err(moved) = loaded.record.state.expect_in_place() {
                // On the heap, as the load itself: nearly every future contains this one.
                let checked = Box::pin(self.keys().checked_move(loaded, moved));
                return Err(checked.await);
            }
            GenerationFloor::expect_plausible(&loaded.record)?;
            self.catalog.note_look(asked, &loaded.record);
            self.catalog.floor.learn(&loaded.record);
        }
        Ok(loaded)
    }

    /// Loads the organization's record, unless this process has it: a document is raised to the
    /// floor of that record when it is loaded.
    ///
    /// # Errors
    ///
    /// As [`existing`](Self::existing), except for an organization without a record.
    pub(crate) async fn learn_floor(&self) -> Result<(), OperationError> {
        match self.existing().await {
            Ok(_) | Err(OperationError::OrganizationMissing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks that no restoration waits to be accepted: the absence of a record proves nothing
    /// until then.
    pub(super) fn expect_accepted(
        &self,
        record: &OrganizationRecord,
    ) -> Result<(), OperationError> {
        match &record.restoration {
            Some(restoration) => Err(OperationError::RestoreNotAccepted {
                organization: self.slug.clone(),
                backup_of: restoration.backup_of,
            }),
            None => Ok(()),
        }
    }

    /// Checks that no restoration is writing the catalog's records, unless this process is it.
    pub(super) fn expect_restored(
        &self,
        record: &OrganizationRecord,
    ) -> Result<(), OperationError> {
        match &record.restoration {
            Some(restoration)
                if restoration.state == RestorationState::Writing && !self.restores =>
            {
                Err(OperationError::RestoreUnfinished {
                    organization: self.slug.clone(),
                    backup_of: restoration.backup_of,
                })
            }
            _ => Ok(()),
        }
    }

    /// Gives the platform's keys the identifiers that the record has, where the settings alone
    /// do not tell them.
    ///
    /// # Errors
    ///
    /// `Misconfigured` or `NotFound` for a record that names other keys than the settings. Not
    /// with an escrow identity, which unwraps in their place.
    pub(super) fn expect_recorded_keys(&self, record: &OrganizationRecord) -> Result<(), KekError> {
        // The main wrap comes first.
        let wraps = record.state.mac_key();
        let mac = wraps.and_then(|wraps| wraps.first().map(|wrap| &wrap.kek));
        let main = record.main_key.as_ref().or(mac);
        let (kek, mac_kek) = (&self.platform.kek, &self.platform.mac_kek);
        let is_one = Arc::ptr_eq(kek, mac_kek);
        let expect = |kek: &Arc<dyn ProvisionKek>, id: Option<&KekId>| match id {
            Some(id) if kek.is_recorded() => kek.expect_recorded(id),
            _ => Ok(()),
        };
        let expected = expect(kek, main).and_then(|()| {
            let of_mac = expect(mac_kek, mac);
            of_mac.map_err(|error| match (is_one, mac) {
                (true, Some(mac)) if main != Some(mac) => second_key_missing(mac, error),
                (false, Some(mac)) if main == Some(mac) => second_key_unknown(mac, error),
                _ => error,
            })
        });
        let expected = expected.and_then(|()| self.expect_two_keys());
        if self.rescue.is_empty() {
            expected?;
        }
        Ok(())
    }

    /// Checks that a second key is another key than the main one, by their identifiers: two
    /// names may be of one key.
    pub(super) fn expect_two_keys(&self) -> Result<(), KekError> {
        let (kek, mac_kek) = (&self.platform.kek, &self.platform.mac_kek);
        let is_one = Arc::ptr_eq(kek, mac_kek) || kek.id() != mac_kek.id();
        if is_one || !kek.is_recorded() {
            return Ok(());
        }
        let id = kek.id().id.as_str();
        Err(
            KekError::new(KekErrorKind::Misconfigured, "compare keys", id).with_remedy(
                "The key of the MAC key is the main key, under another name. It protects the MAC \
                 key only if it is another one. Name another key in mac_key_name, or omit it.",
            ),
        )
    }

    /// Returns whether an escrow identity was given.
    pub(super) fn has_rescue(&self) -> bool {
        !self.rescue.is_empty()
    }

    /// Returns the identifier of the main key, where the record has to keep it.
    pub(super) fn recorded_main_key(&self) -> Option<KekId> {
        let kek = &self.platform.kek;
        kek.is_recorded().then(|| kek.id().clone())
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

fn second_key_missing(mac: &KekId, error: KekError) -> KekError {
    KekError::new(KekErrorKind::Misconfigured, "open key", mac.id.as_str())
        .with_remedy(format!(
            "The organization's MAC key has a key of its own, {}:{}, and the settings name none. \
             Set mac_key_name to it.",
            mac.provider, mac.id
        ))
        .with_source(error)
}

fn second_key_unknown(mac: &KekId, error: KekError) -> KekError {
    KekError::new(KekErrorKind::Misconfigured, "open key", mac.id.as_str())
        .with_remedy(
            "The organization was created without a second key for its MAC key, and the settings \
             name one. Omit mac_key_name, and pin the organization's fingerprint. A second key \
             cannot be added later.",
        )
        .with_source(error)
}
