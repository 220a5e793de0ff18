//! An organization on its platform, opened once a process.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::OperationError;
use super::backends::{Connections, Patience, Place, SeenBackend};
use super::run::Run;
use super::sealing::{check_size, max_plaintext};
use super::steps::crash_point;
use crate::catalog::{
    Catalog, CatalogError, CatalogErrorKind, CatalogStore, Loaded, ORGANIZATION_RECORD,
    OrganizationRecord, OrganizationState, RecordKey, Revision, WrappedMacKey,
};
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, ProvisionKek};
use crate::names::Slug;
use crate::store::{ConnectStore, SecretStore};
use planton_envelope::{MacKey, SecretValue, WrapBinding, WrappedKey};

/// The name of the built-in backend.
pub const PLATFORM_BACKEND: &str = "platform";

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
    pub(super) place: Option<Arc<Place>>,
}

/// An organization on its platform. The use cases are its methods.
///
/// Its record is read, and its MAC key unwrapped, at most once.
#[derive(Debug)]
pub struct Organization {
    slug: Slug,
    pub(super) run: Run,
    pub(super) catalog: Catalog,
    pub(super) platform: Platform,
    pub(super) connections: Connections,
    pub(super) patience: Patience,
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
    pub(super) async fn mac_key(&self) -> Result<&MacKey, OperationError> {
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

    /// Refuses a value beyond what backends of this type can hold; no request.
    ///
    /// # Errors
    ///
    /// `ValueTooLarge`.
    pub fn check_size_of_type(
        &self,
        kind: &str,
        value: &SecretValue,
    ) -> Result<(), OperationError> {
        match self.platform.connector.capability(kind) {
            Some(capability) => check_size(&capability, &value.to_plaintext()),
            None => Ok(()),
        }
    }

    /// Refuses a value beyond what its backend can hold, `None` for the default
    /// one. A value that fits everywhere costs no request.
    ///
    /// # Errors
    ///
    /// `ValueTooLarge`, `UnknownBackend`; failures of the catalog.
    pub async fn check_size(
        &self,
        backend: Option<&Slug>,
        value: &SecretValue,
    ) -> Result<(), OperationError> {
        let plaintext = value.to_plaintext();
        if plaintext.len() <= self.least_limit() {
            return Ok(());
        }
        let default;
        let name = match backend {
            Some(name) => name,
            None => {
                // Only a limit hangs on it, and that is checked again before a put.
                default = match self.default_backend_view().await {
                    Err(OperationError::OrganizationMissing { .. }) => platform_name(),
                    view => view?.backend,
                };
                &default
            }
        };
        check_size(&self.capability_of(name).await?, &plaintext)
    }

    /// Returns the size of a plaintext that every backend holds, in bytes.
    fn least_limit(&self) -> usize {
        let own = self.platform.connector.capabilities();
        let limits = own.iter().map(max_plaintext);
        limits.fold(max_plaintext(self.platform.store.capability()), usize::min)
    }

    /// Loads the organization's record. A node that lags may show it as it was
    /// before it was ready, and then nothing must be provisioned.
    async fn load(&self) -> Result<Option<Loaded<OrganizationRecord>>, CatalogError> {
        match self.catalog.load::<OrganizationRecord>(&key()).await? {
            Some(loaded) if !loaded.record.state.is_ready() => {
                self.catalog.load_fenced(&key()).await
            }
            loaded => Ok(loaded),
        }
    }

    async fn initialize(&self) -> Result<Opened, OperationError> {
        let mut tries = 0;
        loop {
            match self.try_initialize().await {
                Err(OperationError::Catalog(error))
                    if error.kind() == CatalogErrorKind::Conflict && tries < INITIALIZE_TRIES =>
                {
                    // Somebody else was first, or we were and the answer was lost.
                    tries += 1;
                }
                opened => return opened,
            }
        }
    }

    async fn try_initialize(&self) -> Result<Opened, OperationError> {
        let (mut record, revision) = match self.load().await? {
            Some(loaded) if loaded.record.state.is_ready() => return Ok(Opened::Loaded(loaded)),
            // First use writes the record once before it is ready. One that was
            // written since is not its work: made anew, nothing that was sealed
            // could be opened any more.
            Some(loaded) if loaded.revision > FIRST_REVISION => {
                let key = key();
                return Err(
                    CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str()).into(),
                );
            }
            Some(loaded) => (loaded.record, loaded.revision),
            None => {
                self.expect_empty_catalog().await?;
                let record = self.new_record();
                let revision = self
                    .catalog
                    .save(&key(), &record, None, Revision::ABSENT)
                    .await?;
                (record, revision)
            }
        };
        crash_point("organization provision");
        self.platform.kek.provision().await?;
        let mac_key = MacKey::generate().map_err(|_| OperationError::Randomness)?;
        record.state = OrganizationState::Ready {
            mac_key: vec![self.wrap_mac_key(record.uuid, &mac_key).await?],
        };
        record.generation += 1;
        crash_point("organization commit");
        self.catalog
            .save(&key(), &record, Some(&mac_key), revision)
            .await?;
        Ok(Opened::Written(record, mac_key))
    }

    /// Refuses to make a second record over a catalog that holds any document,
    /// tombstones included: all of them hang from the first.
    async fn expect_empty_catalog(&self) -> Result<(), OperationError> {
        if self.catalog.list("").await?.is_empty() {
            return Ok(());
        }
        // Another process may have been first, and a node that lags not know it.
        if self
            .catalog
            .load_fenced::<OrganizationRecord>(&key())
            .await?
            .is_some()
        {
            let (kind, key) = (CatalogErrorKind::Conflict, key());
            return Err(CatalogError::new(kind, "create record", key.as_str()).into());
        }
        Err(OperationError::OrganizationRecordMissing {
            organization: self.slug.clone(),
        })
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
    ) -> Result<WrappedMacKey, KekError> {
        let kek = &self.platform.kek;
        let binding = WrapBinding::for_mac_key(organization, kek.id());
        let wrapped = kek.wrap(mac_key.expose(), &binding).await?;
        Ok(WrappedMacKey {
            kek: kek.id().clone(),
            wrapped: hex::encode(wrapped.as_bytes()),
        })
    }

    async fn unwrap_mac_key(
        &self,
        organization: Uuid,
        wraps: &[WrappedMacKey],
    ) -> Result<MacKey, KekError> {
        let kek = &self.platform.kek;
        let refused = || KekError::new(KekErrorKind::Refused, "unwrap", kek.id().id.as_str());
        let ours = wraps
            .iter()
            .find(|wrap| wrap.kek == *kek.id())
            .ok_or_else(refused)?;
        let wrapped = hex::decode(&ours.wrapped).map_err(|_| refused())?;
        let binding = WrapBinding::for_mac_key(organization, kek.id());
        crash_point("unwrap");
        Ok(MacKey::from_data_key(
            kek.unwrap(&WrappedKey::new(wrapped), &binding).await?,
        ))
    }
}

/// The revision of a record that was written once.
const FIRST_REVISION: Revision = Revision(1);

fn platform_name() -> Slug {
    Slug::parse(PLATFORM_BACKEND).expect("\"platform\" is a slug")
}

fn key() -> RecordKey {
    RecordKey::new(ORGANIZATION_RECORD)
}
