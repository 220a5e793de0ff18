//! Rewraps what records themselves contain: the MAC key, and the credentials of backends and
//! of KEKs.

use super::escrow::{overtaken, wraps_of};
use super::{Keys, decoded};
use crate::catalog::{BackendDocument, BackendRecord, KekRecord, OrganizationState};
use crate::names::Slug;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_versions::KeyVersions;
use crate::operations::keyrings::OrganizationKeyring;
use crate::operations::{Interrupt, OperationError};

/// How often a record is tried again while others write.
const TRIES: usize = 5;

/// What a rewrap of records has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewrappedRecords {
    /// Whether the MAC key was wrapped again; otherwise its wraps were the newest.
    pub mac_key: bool,
    /// The credentials that were wrapped again.
    pub credentials: usize,
    /// The credentials whose wraps were the newest already.
    pub current: usize,
    /// The backends whose credentials failed, with the reason.
    pub failed: Vec<(Slug, String)>,
}

impl Keys<'_> {
    /// Wraps the MAC key and all sealed credentials under the organization's present keys and
    /// their newest versions. A killed call is repeated.
    ///
    /// A backend that fails does not keep the others from being rewrapped.
    ///
    /// # Errors
    ///
    /// `KeyNotAllowed`; failures of catalog and KEK that concern the organization's record.
    pub async fn rewrap_records(
        self,
        interrupt: &Interrupt,
    ) -> Result<RewrappedRecords, OperationError> {
        let mut done = RewrappedRecords::default();
        let platform = &self.organization.platform;
        self.organization.existing().await?;
        if !self.organization.has_rescue() {
            platform.kek.resolve_newest().await?;
            platform.mac_kek.resolve_newest().await?;
        }
        self.rewrap_organization(&mut done, interrupt).await?;
        let held = self.hold_record().await?;
        let keyring = self
            .keyring_of(held.record.uuid, &held.record.escrow)
            .await?;
        let versions = KeyVersions::of(&keyring.keyring).await?;
        for key in self.organization.catalog.list("backends").await? {
            let Some(Ok(name)) = key.as_str().strip_prefix("backends/").map(str::parse) else {
                continue;
            };
            let rewrapped = self.rewrap_backend(&name, &keyring, &versions, &mut done, interrupt);
            match rewrapped.await {
                Ok(()) => {}
                Err(error @ OperationError::Interrupted { .. }) => return Err(error),
                Err(error) => done.failed.push((name, error.with_sources())),
            }
        }
        Ok(done)
    }

    /// Rewraps what the organization's own record contains.
    async fn rewrap_organization(
        self,
        done: &mut RewrappedRecords,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let mut held = self.hold_record().await?;
        for _ in 0..TRIES {
            let mut record = held.record.clone();
            let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
            let escrow: Vec<_> = keyring.keyring.wrapping_keys().skip(1).cloned().collect();
            let mac_keyring = self.mac_keyring(escrow.clone());
            let versions = KeyVersions::of(&mac_keyring).await?;
            let wraps = decoded(wraps_of(&mut record));
            let ids: Vec<_> = wraps.iter().map(|(kek, _)| kek.clone()).collect();
            let opens = self.main_key_opens_mac_key(record.uuid, &wraps).await?;
            let main_key = self.organization.recorded_main_key();
            let is_due =
                !opens || !versions.are_current(&wraps, &ids) || main_key != record.main_key;
            if is_due {
                let mac_key = self.mac_key().await?;
                let present = match opens {
                    true => self.rewrapped_mac_key(record.uuid, &wraps).await?,
                    false => None,
                };
                let wrapped = self
                    .wrap_mac_key(record.uuid, mac_key, escrow, present)
                    .await?;
                record.state = OrganizationState::Ready { mac_key: wrapped };
                record.main_key = main_key;
            }
            let versions = KeyVersions::of(&keyring.keyring).await?;
            let owner = CredentialOwner::organization();
            let mut counts = RewrappedRecords::default();
            let escrow = &mut record.escrow;
            rewrap_keys(escrow, owner, &keyring, &versions, &mut counts).await?;
            if is_due || counts.credentials > 0 {
                // Until a restored record is accepted, states have to see that it is older.
                record.generation += u64::from(record.restoration.is_none());
                interrupt.before("commit rewrapped organization")?;
                if let Some(now) = self.try_commit_record(&held, &record).await? {
                    held = now;
                    continue;
                }
            }
            done.mac_key = is_due;
            done.credentials += counts.credentials;
            done.current += counts.current;
            return Ok(());
        }
        Err(overtaken())
    }

    /// Rewraps the credentials of a backend.
    async fn rewrap_backend(
        self,
        name: &Slug,
        keyring: &OrganizationKeyring,
        versions: &KeyVersions,
        done: &mut RewrappedRecords,
        interrupt: &Interrupt,
    ) -> Result<(), OperationError> {
        let organization = self.organization;
        let mut held = organization
            .hold_fenced::<BackendDocument>(name.clone())
            .await?;
        for _ in 0..TRIES {
            let Some(record) = &mut held.document.backend else {
                return Ok(());
            };
            let mut counts = RewrappedRecords::default();
            rewrap_credentials(record, keyring, versions, &mut counts).await?;
            if counts.credentials > 0 {
                interrupt.before("commit rewrapped credential")?;
                if let Some(now) = organization.try_commit(&mut held).await? {
                    held = now;
                    continue;
                }
                organization.connections.forget(name);
            }
            done.credentials += counts.credentials;
            done.current += counts.current;
            return Ok(());
        }
        Err(held.overtaken())
    }
}

pub(in crate::operations) async fn rewrap_credentials(
    record: &mut BackendRecord,
    keyring: &OrganizationKeyring,
    versions: &KeyVersions,
    counts: &mut RewrappedRecords,
) -> Result<(), OperationError> {
    let name = record.name.clone();
    let owner = CredentialOwner::backend(record.uuid, &name);
    if let Some(sealed) = &mut record.credential {
        let usage = CredentialUse::store(owner, &record.settings);
        match keyring.rewrap_credential(usage, sealed, versions).await? {
            None => counts.current += 1,
            Some(rewrapped) => {
                *sealed = rewrapped;
                counts.credentials += 1;
            }
        }
    }
    let keys = &mut record.keys;
    let keys = keys.encryption.iter_mut();
    rewrap_keys(keys, owner, keyring, versions, counts).await?;
    rewrap_keys(&mut record.keys.escrow, owner, keyring, versions, counts).await?;
    rewrap_keys(&mut record.keys.former, owner, keyring, versions, counts).await
}

/// Rewraps the credentials of KEKs.
pub(in crate::operations) async fn rewrap_keys<'a>(
    keys: impl IntoIterator<Item = &'a mut KekRecord>,
    owner: CredentialOwner<'_>,
    keyring: &OrganizationKeyring,
    versions: &KeyVersions,
    counts: &mut RewrappedRecords,
) -> Result<(), OperationError> {
    for key in keys {
        let Some(sealed) = &key.credential else {
            continue;
        };
        let usage = CredentialUse::kek(owner, &key.settings);
        match keyring.rewrap_credential(usage, sealed, versions).await? {
            None => counts.current += 1,
            Some(rewrapped) => {
                key.credential = Some(rewrapped);
                counts.credentials += 1;
            }
        }
    }
    Ok(())
}
