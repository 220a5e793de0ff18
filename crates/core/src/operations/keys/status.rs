//! What an operator sees of an organization's keys.

use uuid::Uuid;

use super::{Keys, decoded};
use crate::catalog::OrganizationRecord;
use crate::kek::{KekErrorKind, KeyDescription, KeyEncryptionKey, OrganizationFingerprint};
use crate::names::Slug;
use crate::operations::{KekView, OperationError};
use planton_envelope::{KekId, WrappedKey};

/// An organization and its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationStatus {
    /// The organization.
    pub organization: Slug,
    /// UUID of its catalog.
    pub uuid: Uuid,
    /// When it was created, as its record says.
    pub created_at: jiff::Timestamp,
    /// Generation of its record.
    pub generation: u64,
    /// The fingerprint, to be pinned.
    pub fingerprint: OrganizationFingerprint,
    /// The key of its built-in backend and of all credentials.
    pub main: KeyStatus,
    /// The key of its MAC key. It may be the same one.
    pub mac: KeyStatus,
    /// Keys that only unwrap.
    pub former: Vec<KekId>,
    /// Its escrow keys.
    pub escrow: Vec<KekView>,
    /// Time of the backup that its catalog was restored from, until somebody accepts that.
    pub restored_from: Option<jiff::Timestamp>,
}

/// A key, as its keeper describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key.
    pub id: KekId,
    /// What its keeper says; absent if the credential may not ask.
    pub description: Option<KeyDescription>,
    /// Whether something is wrapped under an older version, which a rewrap moves; absent if
    /// neither the key nor the organization's record shows it.
    pub is_rewrap_due: Option<bool>,
}

impl OrganizationStatus {
    /// Returns every key that wraps, once: what `allowed_key_ids` has to contain.
    #[must_use]
    pub fn wrapping(&self) -> Vec<&KekId> {
        let mut ids = vec![&self.main.id];
        if self.mac.id != self.main.id {
            ids.push(&self.mac.id);
        }
        ids.extend(self.escrow.iter().map(|key| &key.kek));
        ids
    }
}

impl Keys<'_> {
    /// Returns what is known of the organization's keys, with the record verified.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; `AnotherFingerprint`; failures of catalog and KEK.
    pub async fn status(self) -> Result<OrganizationStatus, OperationError> {
        let fingerprint = self.fingerprint().await?;
        let record = self.organization.existing().await?;
        let platform = &self.organization.platform;
        let wraps = decoded(record.state.mac_key().unwrap_or_default());
        let mac = described(platform.mac_kek.as_ref(), Some(&wraps)).await?;
        let main = match platform.mac_kek.id() == platform.kek.id() {
            true => mac.clone(),
            false => described(platform.kek.as_ref(), None).await?,
        };
        let former = platform.former_keks.iter().map(|kek| kek.id());
        let former = former.filter(|id| **id != main.id).cloned().collect();
        Ok(OrganizationStatus {
            organization: record.organization.clone(),
            uuid: record.uuid,
            created_at: record.created_at,
            generation: record.generation,
            fingerprint,
            main,
            mac,
            former,
            escrow: escrow_of(record),
            restored_from: record.restoration.as_ref().map(|it| it.backup_of),
        })
    }

    /// Checks that the client pins the organization's fingerprint and its keys. A command
    /// that adds wraps, and has no state to remember earlier keys, requires both.
    ///
    /// # Errors
    ///
    /// `PinsMissing`.
    pub fn expect_pins(self) -> Result<(), OperationError> {
        let pins = &self.organization.pins;
        let (fingerprint, allowed_key_ids) =
            (pins.organization.is_none(), pins.allowed_key_ids.is_none());
        if fingerprint || allowed_key_ids {
            return Err(OperationError::PinsMissing {
                fingerprint,
                allowed_key_ids,
            });
        }
        Ok(())
    }
}

pub(super) fn escrow_of(record: &OrganizationRecord) -> Vec<KekView> {
    record.escrow.iter().map(KekView::from).collect()
}

/// Describes a key that has made one of `wraps`, if any are at hand.
async fn described(
    kek: &dyn KeyEncryptionKey,
    wraps: Option<&[(KekId, WrappedKey)]>,
) -> Result<KeyStatus, OperationError> {
    let description = match kek.describe().await {
        Ok(description) => Some(description),
        Err(error) if error.kind() == KekErrorKind::PermissionDenied => None,
        Err(error) => return Err(error.into()),
    };
    let newest = match kek.successor().await {
        Err(error) if error.kind() == KekErrorKind::PermissionDenied => None,
        newest => newest?,
    };
    let is_older = newest.is_some_and(|newest| newest.id() != kek.id());
    let is_rewrap_due = match (is_older, wraps) {
        (true, _) => Some(true),
        (false, None) => None,
        (false, Some(wraps)) => match wraps.iter().find(|(id, _)| id == kek.id()) {
            // A former key of the key file has wrapped.
            None => Some(true),
            Some((_, wrapped)) => description
                .as_ref()
                .and_then(|description| kek.is_newest(wrapped, description))
                .map(|is_newest| !is_newest),
        },
    };
    Ok(KeyStatus {
        id: kek.id().clone(),
        description,
        is_rewrap_due,
    })
}
