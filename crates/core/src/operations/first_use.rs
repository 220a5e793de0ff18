//! First use of an organization: creates its record, its KEK and its MAC key.

use jiff::Timestamp;
use uuid::Uuid;

use super::crash_hooks::crash_point;
use super::organization::{Opened, key};
use super::{OperationError, Organization};
use crate::catalog::{
    CatalogError, CatalogErrorKind, Compared, Loaded, OrganizationRecord, OrganizationState,
    Revision,
};
use planton_envelope::MacKey;

/// How often first use is retried after a conflict with another process.
const INITIALIZE_TRIES: usize = 4;

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
            .get_or_try_init(|| self.initialize())
            .await
            .map(Opened::record)
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

    /// Continues first use. Returns the present record after a conflict with another
    /// process.
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
            mac_key: self.keys().wrap_mac_key(record.uuid, &mac_key).await?,
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

    fn new_record(&self) -> OrganizationRecord {
        OrganizationRecord {
            generation: 1,
            uuid: Uuid::new_v4(),
            organization: self.slug().clone(),
            platform_backend: Uuid::new_v4(),
            state: OrganizationState::Initializing,
            created_at: Timestamp::now(),
        }
    }
}
