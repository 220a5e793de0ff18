//! Verifies the record that leads to another platform, for whoever finds it.

use crate::catalog::{CatalogError, CatalogErrorKind, Loaded, OrganizationRecord};
use crate::kek::KekErrorKind;
use crate::operations::organization::key;
use crate::operations::{Keys, OperationError};

impl Keys<'_> {
    /// Returns the error of a record of the organization that leads to another platform, as far
    /// as it can be verified.
    ///
    /// # Security
    ///
    /// Somebody who reads the error may configure the platform that it names, with a credential.
    /// Whoever writes the catalog could name one of their own. A record that does not verify
    /// leads nowhere. Without a key that unwraps the MAC key, the error says that nothing was
    /// verified.
    pub(in crate::operations) async fn checked_move(
        self,
        loaded: &Loaded<OrganizationRecord>,
        moved: CatalogError,
    ) -> OperationError {
        match self.verify_move(loaded).await {
            Ok(()) => {
                let verified = loaded.record.state.verified_elsewhere();
                verified.unwrap_or(moved).into()
            }
            Err(refused @ OperationError::AnotherFingerprint { .. }) => refused,
            Err(OperationError::Catalog(altered))
                if altered.kind() == CatalogErrorKind::Altered =>
            {
                altered.into()
            }
            // The key is there, and the wraps are not its own.
            Err(OperationError::Kek(error)) if error.kind() == KekErrorKind::Refused => {
                CatalogError::new(CatalogErrorKind::Altered, "verify", key().as_str()).into()
            }
            // The former key may be gone, or withheld from this role.
            Err(_) => moved.into(),
        }
    }

    async fn verify_move(self, loaded: &Loaded<OrganizationRecord>) -> Result<(), OperationError> {
        let organization = self.organization;
        let record = &loaded.record;
        organization.expect_recorded_keys(record)?;
        let wraps = record.state.mac_key().unwrap_or_default();
        let mac_key = self.unwrap_mac_key(record.uuid, wraps).await?;
        self.expect_pinned(&mac_key)?;
        Ok(loaded.verify(&mac_key)?)
    }
}
