//! Adds and removes escrow keys of an organization.
//!
//! One commit of the organization's record enters a key together with the MAC key's wrap for
//! it, or removes both. A process that opened the organization before keeps the keys that it
//! knows, so a rewrap belongs after either.

use super::Keys;
use super::status::escrow_of;
use crate::catalog::{
    Catalog, Compared, Loaded, OrganizationRecord, OrganizationState, Revision, WrappedMacKey,
};
use crate::deadline::OperationContext;
use crate::kek::WrapNames;
use crate::operations::crash_hooks::crash_point;
use crate::operations::organization::key;
use crate::operations::{ChangedRecord, DeclaredKek, Interrupt, KekView, OperationError};
use planton_envelope::{KekId, WrapBinding};

/// How often a change is tried again while others write.
const TRIES: usize = 5;

/// The escrow keys of an organization after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscrowChanged {
    /// The key that was added or removed.
    pub key: KekView,
    /// All escrow keys from now on.
    pub escrow: Vec<KekView>,
    /// Whether the record had to change. An interrupted call may have changed it before.
    pub is_changed: bool,
}

/// The organization's record, verified, and the revision that a commit must expect.
#[derive(Clone, Debug)]
pub(crate) struct HeldRecord {
    pub(crate) record: OrganizationRecord,
    revision: Revision,
}

impl Keys<'_> {
    /// Adds an escrow key: wraps the MAC key for it, and from now on each data key of the
    /// platform's own secrets and of credentials. Existing ones follow with a rewrap.
    ///
    /// # Errors
    ///
    /// `PinsMissing`, `AnotherFingerprint`, `KeyNotAllowed`; `RestoreNotAccepted`; `KeyProbeFailed`,
    /// `KeyDeclaredTwice`, `TooManyKeys`, `WrapsTooLong`; failures of catalog and KEK.
    pub async fn add_escrow(
        self,
        declared: DeclaredKek,
        interrupt: &Interrupt,
    ) -> Result<EscrowChanged, OperationError> {
        self.expect_pins()?;
        interrupt.before("add escrow key")?;
        let declared = DeclaredKek {
            credential: Some(declared.credential.unwrap_or_default()),
            ..declared
        };
        let mut held = self.hold_record().await?;
        for _ in 0..TRIES {
            // A new generation would hide from states that the restored record is older.
            self.organization.expect_accepted(&held.record)?;
            let mut present = held.record.escrow.iter();
            if let Some(same) = present.find(|key| key.settings == declared.settings) {
                return Ok(changed(same.into(), &held.record, false));
            }
            let mut record = held.record.clone();
            record.generation += 1;
            let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
            let resolved = keyring.resolve_escrow(declared.clone(), record.generation);
            let (added, kek) = resolved.await?;
            let mac_key = self.mac_key().await?;
            let names = WrapNames::mac_key(self.organization.slug());
            let binding = WrapBinding::for_mac_key(record.uuid, kek.id());
            let wrapped = kek.wrap(mac_key.expose(), names.bound(binding)).await?;
            let added_key = KekView::from(&added);
            record.escrow.push(added);
            wraps_of(&mut record).push(WrappedMacKey {
                kek: kek.id().clone(),
                wrapped: hex::encode(wrapped.as_bytes()),
            });
            interrupt.before("commit escrow key")?;
            match self.try_commit_record(&held, &record).await? {
                None => {
                    crash_point("answer");
                    return Ok(changed(added_key, &record, true));
                }
                Some(now) => held = now,
            }
        }
        Err(overtaken())
    }

    /// Removes an escrow key, and the MAC key's wrap for it. What it could open, its holder
    /// may have opened; existing versions keep its wraps until a rewrap.
    ///
    /// # Errors
    ///
    /// `PinsMissing`, `AnotherFingerprint`; `RestoreNotAccepted`; `EscrowKeyNotFound`;
    /// `KeyDeclaredTwice` for the only key that the MAC key is wrapped for; failures of catalog
    /// and KEK.
    pub async fn remove_escrow(
        self,
        kek: &KekId,
        interrupt: &Interrupt,
    ) -> Result<EscrowChanged, OperationError> {
        self.expect_pins()?;
        interrupt.before("remove escrow key")?;
        let mut held = self.hold_record().await?;
        for _ in 0..TRIES {
            self.organization.expect_accepted(&held.record)?;
            let mut record = held.record.clone();
            let mut present = record.escrow.iter();
            let at = present.position(|key| key.kek == *kek);
            let at = at.ok_or_else(|| OperationError::EscrowKeyNotFound { key: kek.clone() })?;
            let removed = record.escrow.remove(at);
            let wraps = wraps_of(&mut record);
            wraps.retain(|wrap| wrap.kek != *kek);
            // Without a wrap, nobody would open the organization again.
            if wraps.is_empty() {
                return Err(OperationError::KeyDeclaredTwice { key: kek.clone() });
            }
            record.generation += 1;
            interrupt.before("commit escrow key")?;
            match self.try_commit_record(&held, &record).await? {
                None => {
                    crash_point("answer");
                    return Ok(changed((&removed).into(), &record, true));
                }
                Some(now) => held = now,
            }
        }
        Err(overtaken())
    }

    /// Loads the organization's record behind a fence, and verifies it.
    pub(crate) async fn hold_record(self) -> Result<HeldRecord, OperationError> {
        // It also compares the fingerprint with the pinned one.
        self.mac_key().await?;
        let loaded = self.organization.catalog.load_fenced(&key()).await?;
        self.held_record(loaded).await
    }

    async fn held_record(
        self,
        loaded: Option<Loaded<OrganizationRecord>>,
    ) -> Result<HeldRecord, OperationError> {
        let loaded = loaded.ok_or_else(|| OperationError::OrganizationRecordMissing {
            organization: self.organization.slug().clone(),
        })?;
        loaded.verify(self.mac_key().await?)?;
        loaded.record.state.expect_in_place()?;
        if !loaded.record.state.is_ready() {
            return Err(self.organization.missing());
        }
        Ok(HeldRecord {
            record: loaded.record,
            revision: loaded.revision,
        })
    }

    /// Commits a changed record, and deletes its history, which contains earlier wraps.
    /// Returns the present one if another writer committed first.
    pub(in crate::operations) async fn try_commit_record(
        self,
        held: &HeldRecord,
        record: &OrganizationRecord,
    ) -> Result<Option<HeldRecord>, OperationError> {
        let mac_key = self.mac_key().await?;
        let catalog: &Catalog = &self.organization.catalog;
        let key = key();
        let commit = catalog.compare_and_set(&key, record, Some(mac_key), held.revision);
        match OperationContext::committing(commit).await? {
            Compared::Written(revision) => {
                crash_point("forget history");
                if let Err(error) = catalog.forget_history(&key, revision).await {
                    tracing::warn!(%error, "earlier wraps of the MAC key stay in the history");
                }
                Ok(None)
            }
            Compared::Overtaken(now) => self.held_record(now).await.map(Some),
        }
    }
}

/// Returns the wraps of the MAC key in a record that is ready.
pub(super) fn wraps_of(record: &mut OrganizationRecord) -> &mut Vec<WrappedMacKey> {
    match &mut record.state {
        OrganizationState::Ready { mac_key } => mac_key,
        _ => unreachable!("a held record is ready"),
    }
}

/// Returns the error of a commit that lost to others, again and again.
pub(in crate::operations) fn overtaken() -> OperationError {
    OperationError::ChangedConcurrently {
        record: ChangedRecord::Organization,
    }
}

fn changed(key: KekView, record: &OrganizationRecord, is_changed: bool) -> EscrowChanged {
    EscrowChanged {
        key,
        escrow: escrow_of(record),
        is_changed,
    }
}
