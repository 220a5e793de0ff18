//! The target's record and keys: written when a migration begins, and opened in this process.

use jiff::Timestamp;
use uuid::Uuid;

use super::Migration;
use super::stage::{Begun, Held, overtaken, wraps};
use crate::catalog::{Compared, Move, OrganizationRecord, OrganizationState, Revision};
use crate::deadline::OperationContext;
use crate::operations::credential::CredentialOwner;
use crate::operations::key_versions::KeyVersions;
use crate::operations::keys::{RewrappedRecords, rewrap_keys};
use crate::operations::organization::{Opened, key};
use crate::operations::{Interrupt, OperationError};
use planton_envelope::{DataKey, MacKey};

impl Migration {
    /// Writes the target's record, with its keys, unless it is up to date, and opens the target
    /// in this process.
    pub(super) async fn open_target(
        &self,
        source: &Held,
        target: Option<&Held>,
        id: Uuid,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        self.target.keys().expect_pinned(mac_key)?;
        let target_keys = &self.target.platform;
        match target {
            Some(target) => self.expect_openable(&target.record).await?,
            None => {
                self.target.resolve_keys().await?;
                self.target.catalog.expect_usable().await?;
                target_keys.kek.generate().await?;
            }
        }
        if let Some(target) = target.filter(|target| is_current(target, source)) {
            return self.adopt_target(&target.record, mac_key);
        }
        if target.is_some() {
            // The version that the target's record names may have expired since.
            for kek in [&target_keys.kek, &target_keys.mac_kek] {
                kek.resolve_newest_version().await?;
            }
        }
        interrupt.before("provision target")?;
        target_keys.kek.provision().await?;
        if target_keys.mac_kek.id() != target_keys.kek.id() {
            target_keys.mac_kek.provision().await?;
        }
        let mut record = self.arrived(source, target).await?;
        record.state = OrganizationState::Arriving {
            mac_key: wraps(&record),
            migration: Move {
                id,
                place: self.from.clone(),
                since: Timestamp::now(),
            },
        };
        interrupt.before("write arriving organization")?;
        let revision = target.map_or(Revision::ABSENT, |target| target.revision);
        let catalog = &self.target.catalog;
        let key = key();
        let written = catalog.compare_and_set(&key, &record, Some(mac_key), revision);
        match OperationContext::committing(written).await? {
            Compared::Written(_) => self.adopt_target(&record, mac_key),
            Compared::Overtaken(_) => Err(overtaken()),
        }
    }

    /// Returns the record of the source under the keys of the target, ready for use.
    async fn arrived(
        &self,
        source: &Held,
        target: Option<&Held>,
    ) -> Result<OrganizationRecord, OperationError> {
        let mac_key = self.source.keys().mac_key().await?;
        let keys = self.target.keys();
        let uuid = source.record.uuid;
        let mut escrow = source.record.escrow.clone();
        let pins = &self.source.pins;
        if let Some(key) = escrow.iter().find(|key| !pins.allows(&key.kek)) {
            return Err(OperationError::KeyNotAllowed {
                key: key.kek.clone(),
            });
        }
        let keyring = keys.keyring_of(uuid, &escrow).await?;
        let versions = KeyVersions::of(&keyring.keyring).await?;
        let owner = CredentialOwner::organization();
        let mut counts = RewrappedRecords::default();
        rewrap_keys(&mut escrow, owner, &keyring, &versions, &mut counts).await?;
        let opened = keyring.keyring.wrapping_keys().skip(1).cloned().collect();
        let mac_key = keys.wrap_mac_key(uuid, mac_key, opened, None).await?;
        let before = target.map_or(0, |target| target.record.generation);
        Ok(OrganizationRecord {
            // States must not take it for an older record.
            generation: source.record.generation.max(before) + 1,
            main_key: self.target.recorded_main_key(),
            state: OrganizationState::Ready { mac_key },
            escrow,
            arrived_by: None,
            ..source.record.clone()
        })
    }

    /// Opens the target of a migration that is done. Returns the migration; `None` if the source
    /// does not name it.
    pub(super) async fn reopen(
        &self,
        source: &Held,
        target: &Held,
        mac_key: &MacKey,
    ) -> Result<Option<Begun>, OperationError> {
        let OrganizationState::Moved { migration, .. } = &source.record.state else {
            return Ok(None);
        };
        self.expect_openable(&target.record).await?;
        self.adopt_target(&target.record, mac_key)?;
        Ok(Some(Begun {
            moved: migration.clone(),
            is_resumed: false,
            is_return: false,
        }))
    }

    /// Checks that the keys at hand are those of the target's record. A target under a lost key
    /// must not become the organization's platform, though copies are wrapped under the new key.
    ///
    /// The MAC of the record covers the wraps, so what they hold is the organization's MAC key.
    async fn expect_openable(&self, record: &OrganizationRecord) -> Result<(), OperationError> {
        self.target.expect_recorded_keys(record)?;
        let keys = self.target.keys();
        keys.unwrap_mac_key(record.uuid, &wraps(record)).await?;
        Ok(())
    }

    /// Opens the target in this process as it is going to be.
    fn adopt_target(
        &self,
        record: &OrganizationRecord,
        mac_key: &MacKey,
    ) -> Result<(), OperationError> {
        let mut record = record.clone();
        record.state = OrganizationState::Ready {
            mac_key: wraps(&record),
        };
        self.target.catalog.floor.learn(&record);
        let mac_key = MacKey::from_data_key(DataKey::copy_of(mac_key.expose().expose()));
        let escrow = record.escrow_digest();
        if self.target.opened.set(Opened::Written(record, mac_key)) {
            return Ok(());
        }
        // An earlier try has opened it. The escrow keys may be others by now.
        let opened = self.target.opened.get().map(Opened::record);
        match opened.is_some_and(|opened| opened.escrow_digest() == escrow) {
            true => Ok(()),
            false => Err(overtaken()),
        }
    }
}

/// Returns whether an arriving record still fits the source's.
fn is_current(target: &Held, source: &Held) -> bool {
    matches!(target.record.state, OrganizationState::Arriving { .. })
        && target.record.escrow_digest() == source.record.escrow_digest()
        && target.record.floor == source.record.floor
        && (target.record.generation > source.record.generation || !is_ready(source))
}

fn is_ready(held: &Held) -> bool {
    held.record.state.is_ready()
}
