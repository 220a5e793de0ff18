//! First use of an organization: creates its record, its KEK and its MAC key.

use jiff::Timestamp;
use uuid::Uuid;

use super::crash_hooks::crash_point;
use super::organization::{Opened, key};
use super::{DeclaredKek, OperationError, Organization, OrganizationFingerprint};
use crate::boot_time::BootTime;
use crate::catalog::{
    CatalogError, CatalogErrorKind, Compared, Loaded, OrganizationRecord, OrganizationState,
    Revision,
};
use crate::deadline::OperationContext;
use planton_envelope::MacKey;

/// How often first use is retried after a conflict with another process.
const INITIALIZE_TRIES: usize = 4;

/// The generation of a record that first use has begun with.
const FIRST_GENERATION: u64 = 1;

/// The revision of a record that was written once.
const FIRST_REVISION: Revision = Revision(1);

impl Organization {
    /// Returns the organization's record. On first use, creates it together with the KEK
    /// and the MAC key. Several processes may do so at once.
    ///
    /// # Errors
    ///
    /// `Kek(PermissionDenied)` and `Catalog(PermissionDenied)`, with the policy to grant.
    pub(crate) async fn ensure(&self) -> Result<&OrganizationRecord, OperationError> {
        self.opened
            .get_or_try_init(|| self.first_use(&[]))
            .await
            .map(Opened::record)
    }

    /// Checks that the organization is the one that the client pins, as far as a plan can
    /// tell. A role that only plans may not unwrap the MAC key; the apply then finds out.
    ///
    /// # Errors
    ///
    /// `AnotherFingerprint` if it is another one or does not exist; failures of the catalog.
    pub async fn expect_pinned_one(&self) -> Result<(), OperationError> {
        let Some(expected) = self.pins.organization else {
            return Ok(());
        };
        match self.keys().mac_key_at_hand().await {
            Ok(_) => Ok(()),
            Err(OperationError::OrganizationMissing { .. }) => {
                Err(self.pinned_and_missing(expected))
            }
            Err(error) => Err(error),
        }
    }

    fn pinned_and_missing(&self, expected: OrganizationFingerprint) -> OperationError {
        OperationError::AnotherFingerprint {
            organization: self.slug().clone(),
            expected,
            found: None,
        }
    }

    /// Creates the organization's record with these escrow keys, unless it exists.
    pub(super) async fn first_use(&self, escrow: &[DeclaredKek]) -> Result<Opened, OperationError> {
        let mut found = self.load().await?;
        for _ in 0..=INITIALIZE_TRIES {
            // The record was read, so the platform is there: the writes get all of their tries.
            let context = OperationContext {
                max_tries: None,
                ..OperationContext::current()
            };
            let tried = context.scope(Box::pin(self.try_initialize(found, escrow)));
            match tried.await? {
                Ok(opened) => return Ok(opened),
                Err(now) => found = now,
            }
        }
        let key = key();
        Err(CatalogError::new(CatalogErrorKind::Conflict, "write", key.as_str()).into())
    }

    /// Continues first use. Returns the present record after a conflict with another
    /// process.
    async fn try_initialize(
        &self,
        found: Option<Loaded<OrganizationRecord>>,
        escrow: &[DeclaredKek],
    ) -> Result<Result<Opened, Option<Loaded<OrganizationRecord>>>, OperationError> {
        let key = key();
        if let Some(loaded) = &found {
            loaded.record.state.expect_in_place()?;
        }
        let found = match found {
            Some(loaded) if loaded.record.state.is_ready() => {
                self.expect_restored(&loaded.record)?;
                self.expect_recorded_keys(&loaded.record)?;
                return Ok(Ok(Opened::Loaded(loaded)));
            }
            unfinished => unfinished,
        };
        // Before anything is written: an organization that the client knows is not created.
        if let Some(expected) = self.pins.organization {
            return Err(self.pinned_and_missing(expected));
        }
        let (mut record, revision) = match found {
            // First use writes the record once before it is ready, and again when it is.
            // At a later revision another writer changed it. A new MAC key would make
            // every sealed value unreadable.
            Some(loaded) if loaded.revision > FIRST_REVISION => {
                return Err(
                    CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str()).into(),
                );
            }
            // No key exists yet that could authenticate the record. Whoever writes to the
            // catalog must not add an escrow key to it that way.
            Some(loaded) if !self.is_as_begun(&loaded.record) => {
                return Err(
                    CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str()).into(),
                );
            }
            Some(loaded) => {
                if let Some(now) = self.expect_no_other_record(loaded.revision).await? {
                    return Ok(Err(Some(now)));
                }
                self.expect_recorded_keys(&loaded.record)?;
                self.resolve_keys().await?;
                (loaded.record, loaded.revision)
            }
            None => {
                if let Some(now) = self.expect_empty_catalog().await? {
                    return Ok(Err(Some(now)));
                }
                // The keys first: a probe writes, and a file that nothing uses would stay.
                self.resolve_keys().await?;
                self.catalog.expect_usable().await?;
                self.platform.kek.generate().await?;
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
        if self.platform.mac_kek.id() != self.platform.kek.id() {
            self.platform.mac_kek.provision().await?;
        }
        let mac_key = MacKey::generate().map_err(|_| OperationError::Randomness)?;
        record.generation += 1;
        let opened = self.keys().enter_escrow(&mut record, escrow).await?;
        let wrapped = self
            .keys()
            .wrap_mac_key(record.uuid, &mac_key, opened, None);
        record.state = OrganizationState::Ready {
            mac_key: wrapped.await?,
        };
        crash_point("organization commit");
        let written = self
            .catalog
            .compare_and_set(&key, &record, Some(&mac_key), revision);
        let asked = BootTime::now();
        Ok(match written.await? {
            Compared::Written(_) => {
                self.catalog.note_look(asked, &record);
                Ok(Opened::Written(record, mac_key))
            }
            Compared::Overtaken(now) => Err(now),
        })
    }

    /// Checks that the catalog contains no record, tombstones included: every record depends
    /// on the organization's own. Returns that record if another process wrote it.
    async fn expect_empty_catalog(
        &self,
    ) -> Result<Option<Loaded<OrganizationRecord>>, OperationError> {
        if self.catalog.list("").await?.is_empty() {
            return Ok(None);
        }
        // A stale read may lack the record of an earlier process.
        match self.catalog.load_fenced(&key()).await? {
            Some(now) => Ok(Some(now)),
            None => Err(OperationError::OrganizationRecordMissing {
                organization: self.slug().clone(),
            }),
        }
    }

    /// Checks that the catalog contains nothing beside a record that first use has begun with.
    /// Returns the organization's record if another process has written it since `revision`.
    ///
    /// # Errors
    ///
    /// `Altered`: whoever writes to the catalog has made the organization begin again. A new
    /// MAC key would make every other record unreadable.
    async fn expect_no_other_record(
        &self,
        revision: Revision,
    ) -> Result<Option<Loaded<OrganizationRecord>>, OperationError> {
        let key = key();
        if self.catalog.list("").await?.iter().all(|one| *one == key) {
            return Ok(None);
        }
        match self.catalog.load_fenced(&key).await? {
            Some(now) if now.revision != revision => Ok(Some(now)),
            _ => Err(CatalogError::new(CatalogErrorKind::Altered, "read", key.as_str()).into()),
        }
    }

    /// Finds out the keys that only their service knows, before anything is written.
    ///
    /// # Errors
    ///
    /// `KeyNotAllowed`; failures of the KEK.
    pub(super) async fn resolve_keys(&self) -> Result<(), OperationError> {
        for kek in [&self.platform.kek, &self.platform.mac_kek] {
            kek.resolve().await?;
            if kek.is_recorded() && !self.pins.allows(kek.id()) {
                return Err(OperationError::KeyNotAllowed {
                    key: kek.id().clone(),
                });
            }
        }
        Ok(self.expect_two_keys()?)
    }

    /// Returns true for a record with nothing but what [`new_record`](Self::new_record)
    /// writes.
    fn is_as_begun(&self, record: &OrganizationRecord) -> bool {
        record.generation == FIRST_GENERATION
            && record.organization == *self.slug()
            && record.escrow.is_empty()
            && record.floor == 0
            && record.restoration.is_none()
    }

    fn new_record(&self) -> OrganizationRecord {
        OrganizationRecord {
            generation: FIRST_GENERATION,
            uuid: Uuid::new_v4(),
            organization: self.slug().clone(),
            platform_backend: Uuid::new_v4(),
            main_key: self.recorded_main_key(),
            state: OrganizationState::Initializing,
            escrow: Vec::new(),
            created_at: Timestamp::now(),
            floor: 0,
            restoration: None,
            arrived_by: None,
        }
    }
}
