//! Installs a new main key of the organization after the former one was lost, through an
//! escrow identity alone.
//!
//! A key of a service may come back under its former identifier with other key material. So
//! the identifier of a wrap does not show whether the present key opens it: where an identity
//! was given, the main key has to open a wrap before it counts as current.

use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::Keys;
use crate::catalog::OrganizationState;
use crate::kek::{WrapNames, pin_of};
use crate::operations::sealing::unwrap_with_main;
use crate::operations::{Interrupt, OperationError};
use planton_envelope::{KekId, WrapBinding, WrappedKey};

impl Keys<'_> {
    /// Creates the organization's main keys where they are missing, once an escrow identity
    /// has unwrapped the MAC key. A rewrap of the records and of each backend belongs after
    /// it. Existing keys stay as they are, so a killed call is repeated.
    ///
    /// # Errors
    ///
    /// `PinsMissing`; `NoEscrowIdentity` if the MAC key is not wrapped for the identity;
    /// `AnotherFingerprint` if the identity unwraps another MAC key than the pinned one;
    /// `KeyNotAllowed`; `KeyDeclaredTwice` for an escrow key. All of them before anything is
    /// created or written.
    pub async fn install_main_key(self, interrupt: &Interrupt) -> Result<(), OperationError> {
        self.expect_pins()?;
        self.expect_escrow_identity().await?;
        // Unwraps with the identity, and compares the fingerprint with the pinned one.
        self.mac_key().await?;
        let platform = &self.organization.platform;
        // The keys that the record names may be lost.
        platform.kek.resolve_anew().await?;
        platform.mac_kek.resolve_anew().await?;
        for id in [platform.kek.id(), platform.mac_kek.id()] {
            if !self.organization.pins.allows(id) {
                return Err(OperationError::KeyNotAllowed { key: id.clone() });
            }
            let record = self.organization.existing().await?;
            let mut escrow = record.escrow.iter();
            if escrow.any(|key| pin_of(&key.kek) == pin_of(id)) {
                return Err(OperationError::KeyDeclaredTwice { key: id.clone() });
            }
        }
        interrupt.before("provision main key")?;
        platform.kek.provision().await?;
        if platform.mac_kek.id() != platform.kek.id() {
            platform.mac_kek.provision().await?;
        }
        Ok(())
    }

    /// Checks that the MAC key is wrapped for an identity that was given: no other key may
    /// vouch for the catalog.
    async fn expect_escrow_identity(self) -> Result<(), OperationError> {
        let record = self.organization.existing().await?;
        let rescue = &self.organization.rescue;
        let OrganizationState::Ready { mac_key } = &record.state else {
            return Err(self.organization.missing());
        };
        let mut wraps = mac_key.iter();
        if wraps.any(|wrap| rescue.iter().any(|identity| *identity.id() == wrap.kek)) {
            return Ok(());
        }
        Err(OperationError::NoEscrowIdentity {
            escrow: record.escrow.iter().map(|key| key.kek.clone()).collect(),
        })
    }

    /// Returns whether the MAC key's own KEK opens it; true without a request where no
    /// identity was given.
    pub(super) async fn main_key_opens_mac_key(
        self,
        organization: Uuid,
        wraps: &[(KekId, WrappedKey)],
    ) -> Result<bool, OperationError> {
        let keyring = self.mac_keyring(Vec::new());
        if !keyring.has_rescue() {
            return Ok(true);
        }
        let names = WrapNames::mac_key(self.organization.slug());
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        let unwrapped = unwrap_with_main(wraps, &names, &keyring, binding).await?;
        let mac_key = self.mac_key().await?;
        Ok(unwrapped.is_some_and(|key| bool::from(key.ct_eq(mac_key.expose()))))
    }
}
