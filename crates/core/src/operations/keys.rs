//! The organization's MAC key: unwraps it once per process, and detects a replaced one.

use uuid::Uuid;

use super::crash_hooks::crash_point;
use super::organization::Opened;
use super::sealing::{unwrap, wrap};
use super::{OperationError, Organization};
use crate::catalog::{OrganizationState, WrappedMacKey};
use crate::kek::KekError;
use planton_envelope::{KekId, MacKey, WrapBinding, WrappedKey};

/// The keys of an organization.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    organization: &'a Organization,
}

impl Organization {
    /// Returns the use cases of the organization's keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys { organization: self }
    }
}

impl<'a> Keys<'a> {
    /// Checks that the MAC key has the commitment that the caller remembers.
    ///
    /// # Errors
    ///
    /// `MacKeyReplaced` if it has another one.
    ///
    /// # Security
    ///
    /// A client that may encrypt under the KEK and write the catalog can replace the MAC
    /// key and then forge every record. The remembered commitment detects this.
    //= docs/format.md#18-commitment-of-a-mac-key
    //# A reader that remembers a commitment MUST refuse a catalog whose MAC key has another
    //# one.
    pub async fn expect_commitment(self, expected: &str) -> Result<(), OperationError> {
        if self.commitment().await? == expected {
            return Ok(());
        }
        Err(OperationError::MacKeyReplaced)
    }

    /// Returns the MAC key's commitment, in hexadecimal.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of catalog and KEK.
    pub async fn commitment(self) -> Result<String, OperationError> {
        Ok(hex::encode(self.mac_key().await?.commitment()))
    }

    /// Returns the MAC key. Unwraps it at most once per process.
    pub(crate) async fn mac_key(self) -> Result<&'a MacKey, OperationError> {
        self.organization.existing().await?;
        let loaded = match self.organization.opened.get() {
            Some(Opened::Loaded(loaded)) => loaded,
            Some(Opened::Written(_, mac_key)) => return Ok(mac_key),
            None => return Err(self.organization.missing()),
        };
        let unwrapped = self.organization.mac_key.get_or_try_init(async || {
            let OrganizationState::Ready { mac_key } = &loaded.record.state else {
                return Err(self.organization.missing());
            };
            let unwrapped = self.unwrap_mac_key(loaded.record.uuid, mac_key).await?;
            loaded.verify(&unwrapped)?;
            Ok(unwrapped)
        });
        unwrapped.await
    }

    pub(super) async fn wrap_mac_key(
        self,
        organization: Uuid,
        mac_key: &MacKey,
    ) -> Result<Vec<WrappedMacKey>, KekError> {
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        let wraps = wrap(
            mac_key.expose(),
            &[&*self.organization.platform.kek],
            binding,
        )
        .await?;
        let wraps = wraps.into_iter().map(|(kek, wrapped)| WrappedMacKey {
            kek,
            wrapped: hex::encode(wrapped.as_bytes()),
        });
        Ok(wraps.collect())
    }

    async fn unwrap_mac_key(
        self,
        organization: Uuid,
        wraps: &[WrappedMacKey],
    ) -> Result<MacKey, KekError> {
        let decode = |wrap: &WrappedMacKey| {
            let wrapped = hex::decode(&wrap.wrapped).ok()?;
            Some((wrap.kek.clone(), WrappedKey::new(wrapped)))
        };
        let wraps: Vec<_> = wraps.iter().filter_map(decode).collect();
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        crash_point("unwrap");
        let key = unwrap(&wraps, &[&*self.organization.platform.kek], binding).await?;
        Ok(MacKey::from_data_key(key))
    }
}
