//! First use as a step of its own, with the escrow keys that the organization begins with.

use std::sync::Arc;

use super::{Keys, OrganizationStatus};
use crate::catalog::OrganizationRecord;
use crate::kek::{KekSlot, KeyEncryptionKey};
use crate::operations::crash_hooks::crash_point;
use crate::operations::organization::Opened;
use crate::operations::{DeclaredKek, Interrupt, OperationError};

/// An organization that was initialized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialized {
    /// The organization.
    pub status: OrganizationStatus,
    /// Whether this call created it; otherwise it existed, with the same escrow keys.
    pub is_new: bool,
}

impl Keys<'_> {
    /// Creates the organization: its record, its KEK, and its MAC key, which is wrapped for
    /// the escrow keys as well. One commit makes all of it visible, so a call that is killed
    /// is repeated.
    ///
    /// # Errors
    ///
    /// `AlreadyInitialized` if the organization exists with other escrow keys;
    /// `KeyProbeFailed`, `KeyNotAllowed`, `KeyDeclaredTwice`, `TooManyKeys`; failures of
    /// catalog and KEK.
    pub async fn initialize(
        self,
        escrow: &[DeclaredKek],
        interrupt: &Interrupt,
    ) -> Result<Initialized, OperationError> {
        interrupt.before("initialize")?;
        let connector = &self.organization.platform.kek_connector;
        for (at, key) in escrow.iter().enumerate() {
            let checked = connector.check(&key.settings, key.credential.as_ref());
            checked.map_err(|error| OperationError::KeyProbeFailed {
                slot: KekSlot::Escrow(at),
                error,
            })?;
        }
        let opened = &self.organization.opened;
        let opened = opened
            .get_or_try_init(|| self.organization.first_use(escrow))
            .await?;
        crash_point("answer");
        let is_new = matches!(opened, Opened::Written(..));
        let present = &opened.record().escrow;
        let has = |key: &DeclaredKek| present.iter().any(|one| one.settings == key.settings);
        if !is_new && (present.len() != escrow.len() || !escrow.iter().all(has)) {
            return Err(OperationError::AlreadyInitialized {
                organization: self.organization.slug().clone(),
            });
        }
        Ok(Initialized {
            status: self.status().await?,
            is_new,
        })
    }

    /// Resolves the escrow keys of an organization that is about to be ready, and enters them
    /// into its record. Returns the open keys.
    pub(in crate::operations) async fn enter_escrow(
        self,
        record: &mut OrganizationRecord,
        escrow: &[DeclaredKek],
    ) -> Result<Vec<Arc<dyn KeyEncryptionKey>>, OperationError> {
        let mut opened = Vec::new();
        for key in escrow {
            let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
            let key = DeclaredKek {
                credential: Some(key.credential.clone().unwrap_or_default()),
                ..key.clone()
            };
            let (resolved, kek) = keyring.resolve_escrow(key, record.generation).await?;
            record.escrow.push(resolved);
            opened.push(kek);
        }
        Ok(opened)
    }
}
