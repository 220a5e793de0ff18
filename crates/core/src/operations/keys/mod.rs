//! The organization's keys: its MAC key, which a process unwraps once, and its escrow keys.

mod escrow;
mod initialize;
mod newest;
mod records;
mod rescue;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::crash_hooks::crash_point;
use super::credential::CredentialOwner;
use super::keyrings::OrganizationKeyring;
use super::organization::Opened;
use super::sealing::{unwrap, wrap_with};
use super::{OperationError, Organization};
use crate::catalog::Loaded;
use crate::catalog::{KekRecord, OrganizationRecord, WrappedMacKey};
use crate::deadline::OperationContext;
use crate::kek::{
    KekError, KekErrorKind, KeyEncryptionKey, Keyring, OrganizationFingerprint, Rewrap, WrapNames,
};
use crate::names::{PLATFORM_BACKEND, Slug};
use planton_envelope::{KekId, MacKey, WrapBinding, WrappedKey};

pub(super) use escrow::overtaken;
pub(super) use newest::NewestRecord;

pub use escrow::EscrowChanged;
pub use initialize::Initialized;
pub use records::RewrappedRecords;
pub(super) use records::{rewrap_credentials, rewrap_keys};
pub use status::{KeyStatus, OrganizationStatus};

/// How long a KEK that was not at hand is not asked again for what can do without: a plan of many
/// secrets would ask it for each.
const WITHHELD: Duration = Duration::from_secs(60);

/// The keys of an organization.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub(super) organization: &'a Organization,
}

impl Organization {
    /// Returns the use cases of the organization's keys.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys { organization: self }
    }
}

impl<'a> Keys<'a> {
    /// Checks that the MAC key has the fingerprint that the caller remembers.
    ///
    /// # Errors
    ///
    /// `MacKeyReplaced` if it has another one.
    ///
    /// # Security
    ///
    /// A client that may encrypt under the KEK and write the catalog can replace the MAC
    /// key and then forge every record. The remembered fingerprint detects this.
    //= docs/format.md#18-commitment-of-a-mac-key
    //# A reader that remembers a commitment, or its first 16 bytes, MUST refuse a catalog whose
    //# MAC key has another one.
    pub async fn expect_fingerprint(
        self,
        expected: OrganizationFingerprint,
    ) -> Result<(), OperationError> {
        if self.fingerprint().await? == expected {
            return Ok(());
        }
        Err(OperationError::MacKeyReplaced)
    }

    /// Returns the fingerprint of the organization, to be pinned, and for a state to keep.
    ///
    /// # Errors
    ///
    /// `OrganizationMissing`; failures of catalog and KEK.
    pub async fn fingerprint(self) -> Result<OrganizationFingerprint, OperationError> {
        let mac_key = self.mac_key().await?;
        Ok(OrganizationFingerprint::of_commitment(
            &mac_key.commitment(),
        ))
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
            let mac_key = loaded.record.state.mac_key();
            let mac_key = mac_key.ok_or_else(|| self.organization.missing())?;
            let unwrapped = self.unwrap_mac_key(loaded.record.uuid, mac_key).await?;
            self.expect_pinned(&unwrapped)?;
            loaded.verify(&unwrapped)?;
            Ok(unwrapped)
        });
        unwrapped.await
    }

    /// Returns the MAC key; `None` if its KEK is not at hand. A role that only plans may not
    /// unwrap it, and a refresh works while it is disabled.
    ///
    /// # Errors
    ///
    /// Those of [`mac_key`](Self::mac_key), except for failures of the KEK; `Kek(Refused)` if the
    /// wraps are not of the KEK.
    pub(crate) async fn mac_key_at_hand(self) -> Result<Option<&'a MacKey>, OperationError> {
        let mut withheld = self.organization.mac_key_withheld.lock().await;
        if withheld.is_some_and(|since| since.elapsed() < WITHHELD) {
            return Ok(None);
        }
        match OperationContext::trying_once().scope(self.mac_key()).await {
            Ok(mac_key) => Ok(Some(mac_key)),
            Err(OperationError::Kek(error)) if error.kind() != KekErrorKind::Refused => {
                *withheld = Some(Instant::now());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Verifies a record that takes an object out of a state, if the MAC key is at hand.
    ///
    /// # Errors
    ///
    /// `Catalog(Altered)`; those of [`mac_key_at_hand`](Self::mac_key_at_hand).
    pub(crate) async fn verify_end<T>(self, loaded: &Loaded<T>) -> Result<(), OperationError> {
        match self.mac_key_at_hand().await? {
            Some(mac_key) => Ok(loaded.verify(mac_key)?),
            None => Ok(()),
        }
    }

    /// Sends, side by side, the requests that the first creation of a process needs for its
    /// keys: the MAC key, and the KEK of the built-in backend if the secret may go there.
    ///
    /// # Errors
    ///
    /// Those of the MAC key, without which nothing can be committed. The wrap reports a
    /// failure of the KEK.
    pub(crate) async fn prepare(self, backend: Option<&Slug>) -> Result<(), OperationError> {
        let is_elsewhere = backend.is_some_and(|name| name.as_str() != PLATFORM_BACKEND);
        let kek = async {
            if !is_elsewhere {
                let _ = self.organization.platform.kek.prepare().await;
            }
        };
        let (mac_key, ()) = tokio::join!(self.mac_key(), kek);
        mac_key.map(drop)
    }

    /// Returns the keyring that opens what is sealed for the organization. It has no escrow
    /// key, so it needs no verified record: see
    /// [`wrapping_keyring`](Self::wrapping_keyring).
    pub(crate) async fn keyring(self) -> Result<&'a Arc<OrganizationKeyring>, OperationError> {
        let organization = self.organization;
        let open = async || {
            let record = organization.existing().await?;
            Ok(Arc::new(self.opening_keyring(record.uuid)))
        };
        organization.keyring.get_or_try_init(open).await
    }

    fn opening_keyring(self, uuid: Uuid) -> OrganizationKeyring {
        let platform = &self.organization.platform;
        let main = Arc::clone(&platform.kek) as Arc<dyn KeyEncryptionKey>;
        let pins = Arc::clone(&self.organization.pins);
        OrganizationKeyring {
            organization: self.organization.slug().clone(),
            uuid,
            keyring: Keyring::new(main, pins)
                .with_former(platform.former_keks.clone())
                .with_rescue(self.organization.rescue.clone()),
            connector: Arc::clone(&platform.kek_connector),
        }
    }

    /// Opens the keyring of an organization with these escrow keys.
    pub(crate) async fn keyring_of(
        self,
        uuid: Uuid,
        escrow: &[KekRecord],
    ) -> Result<OrganizationKeyring, OperationError> {
        let without_escrow = self.opening_keyring(uuid);
        let owner = CredentialOwner::organization();
        let mut opened = Vec::new();
        for key in escrow {
            opened.push(without_escrow.open_key(owner, key).await?);
        }
        Ok(OrganizationKeyring {
            keyring: without_escrow.keyring.clone().with_escrow(opened),
            ..without_escrow
        })
    }

    /// Returns the keys of the MAC key: its own KEK, and the escrow keys.
    fn mac_keyring(self, escrow: Vec<Arc<dyn KeyEncryptionKey>>) -> Keyring {
        let platform = &self.organization.platform;
        let main = Arc::clone(&platform.mac_kek) as Arc<dyn KeyEncryptionKey>;
        Keyring::new(main, Arc::clone(&self.organization.pins))
            .with_former(platform.former_keks.clone())
            .with_rescue(self.organization.rescue.clone())
            .with_escrow(escrow)
    }

    /// Returns the keys of the MAC key, with the escrow keys of `keyring`, and its wraps in
    /// `record`.
    pub(super) fn keys_of_mac_key(
        self,
        record: &OrganizationRecord,
        keyring: &Keyring,
    ) -> (Keyring, Vec<(KekId, WrappedKey)>) {
        let escrow = keyring.wrapping_keys().skip(1).cloned().collect();
        let wraps = decoded(record.state.mac_key().unwrap_or_default());
        (self.mac_keyring(escrow), wraps)
    }

    /// Wraps a MAC key under its own KEK and the escrow keys.
    pub(super) async fn wrap_mac_key(
        self,
        organization: Uuid,
        mac_key: &MacKey,
        escrow: Vec<Arc<dyn KeyEncryptionKey>>,
        present: Option<WrappedKey>,
    ) -> Result<Vec<WrappedMacKey>, OperationError> {
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        let names = WrapNames::mac_key(self.organization.slug());
        let keyring = self.mac_keyring(escrow);
        let wraps = wrap_with(mac_key.expose(), &names, &keyring, binding, present).await?;
        let wraps = wraps.into_iter().map(|(kek, wrapped)| WrappedMacKey {
            kek,
            wrapped: hex::encode(wrapped.as_bytes()),
        });
        Ok(wraps.collect())
    }

    /// Moves the MAC key's wrap under its main KEK to the newest version, if there is one.
    ///
    /// # Security
    ///
    /// The service rewraps. Only first use may encrypt with this KEK: a role that could
    /// would be able to replace the MAC key.
    async fn rewrapped_mac_key(
        self,
        organization: Uuid,
        wraps: &[(KekId, WrappedKey)],
    ) -> Result<Option<WrappedKey>, OperationError> {
        let kek = &self.organization.platform.mac_kek;
        let Some((_, wrapped)) = wraps.iter().find(|(id, _)| id == kek.id()) else {
            return Ok(None);
        };
        let names = WrapNames::mac_key(self.organization.slug());
        let context = names.bound(WrapBinding::for_mac_key(organization, kek.id()));
        let rewrapped = kek.rewrap(&[Rewrap { wrapped, context }]).await;
        let rewrapped = rewrapped.into_iter().next();
        Ok(rewrapped.transpose()?)
    }

    pub(super) async fn unwrap_mac_key(
        self,
        organization: Uuid,
        wraps: &[WrappedMacKey],
    ) -> Result<MacKey, KekError> {
        let wraps = decoded(wraps);
        let binding = |kek: &KekId| WrapBinding::for_mac_key(organization, kek);
        let names = WrapNames::mac_key(self.organization.slug());
        let keyring = self.mac_keyring(Vec::new());
        crash_point("unwrap");
        let key = unwrap(&wraps, &names, &keyring, binding).await?;
        Ok(MacKey::from_data_key(key))
    }

    /// Checks a MAC key against the pinned fingerprint.
    ///
    /// # Errors
    ///
    /// `AnotherFingerprint`.
    pub(super) fn expect_pinned(self, mac_key: &MacKey) -> Result<(), OperationError> {
        let found = OrganizationFingerprint::of_commitment(&mac_key.commitment());
        match self.organization.pins.organization {
            Some(expected) if expected != found => Err(OperationError::AnotherFingerprint {
                organization: self.organization.slug().clone(),
                expected,
                found: Some(found),
            }),
            _ => Ok(()),
        }
    }
}

/// Decodes the wraps of a MAC key.
fn decoded(wraps: &[WrappedMacKey]) -> Vec<(KekId, WrappedKey)> {
    let decode = |wrap: &WrappedMacKey| {
        let wrapped = hex::decode(&wrap.wrapped).ok()?;
        Some((wrap.kek.clone(), WrappedKey::new(wrapped)))
    };
    wraps.iter().filter_map(decode).collect()
}
