//! The KEKs of a backend or of an organization: resolves declared keys, probes them, and seals
//! their credentials.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Keys;
use super::keyrings::OrganizationKeyring;
use crate::catalog::{BackendKeys, KekRecord};
use crate::kek::{
    KekError, KekErrorKind, KekSettings, KekSlot, KeyEncryptionKey, KeyPurpose, KeyRotation,
    ResolvedKek, pin_of,
};
use crate::operations::OperationError;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::store::StoreCredential;
use planton_envelope::{
    DataKey, KekId, MAX_WRAPPED_KEYS, MAX_WRAPS_BYTES, WrapBinding, wrap_bytes,
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The most escrow keys of a backend or an organization.
pub const MAX_ESCROW_KEYS: usize = MAX_WRAPPED_KEYS - 1;

/// The most former keys of a backend. Each process that opens the backend opens all of them,
/// and its record, with their credentials, has to fit the catalog.
pub const MAX_FORMER_KEYS: usize = 8;

/// The KEKs of a backend, as they are declared. The default is the organization's key
/// without any escrow key.
#[derive(Debug, Default)]
pub struct DeclaredKeys {
    /// The main key; absent for the organization's own.
    pub encryption: Option<DeclaredKek>,
    /// Keys under which each data key is wrapped as well, at most [`MAX_ESCROW_KEYS`].
    pub escrow: Vec<DeclaredKek>,
    /// Whether the services are asked again for keys that are declared as before: an alias
    /// may name another key by now.
    pub resolves_again: bool,
}

/// A KEK, as it is declared.
#[derive(Clone, Debug)]
pub struct DeclaredKek {
    /// The key's settings.
    pub settings: KekSettings,
    /// The credential from now on; absent to keep the present one. Empty for the vendor's
    /// ambient chain.
    pub credential: Option<StoreCredential>,
}

impl DeclaredKeys {
    /// Returns whether `before` already is what is declared, with its credentials.
    fn keeps(&self, before: &BackendKeys) -> bool {
        let is_any_declared = self.encryption.is_some() || !self.escrow.is_empty();
        if self.resolves_again && is_any_declared {
            return false;
        }
        let keeps = |declared: &DeclaredKek, record: &KekRecord| {
            declared.credential.is_none() && declared.settings == record.settings
        };
        let escrow = self.escrow.iter().zip(&before.escrow);
        let encryption = match (&self.encryption, &before.encryption) {
            (None, None) => true,
            (Some(declared), Some(record)) => keeps(declared, record),
            _ => false,
        };
        encryption
            && self.escrow.len() == before.escrow.len()
            && escrow
                .into_iter()
                .all(|(declared, record)| keeps(declared, record))
    }
}

/// What a change of a backend's keys has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyNotes {
    /// The main key, if it stays although its settings name another one by now, since the
    /// record has no room for one more former key.
    pub kept: Option<KekId>,
    /// How the main key rotates, if its service was asked and the key is saved.
    pub rotation: Option<KeyRotation>,
}

/// The keys of a backend from now on.
#[derive(Debug)]
pub(crate) struct ResolvedKeys {
    pub(crate) keys: BackendKeys,
    pub(crate) notes: KeyNotes,
}

impl Keys<'_> {
    /// Returns the keys that a backend has from now on. Asks each service for its key, and
    /// wraps a throw-away data key under it: what cannot be used is not saved.
    ///
    /// Without room for a further former key, a main key that is declared as before stays,
    /// even if its settings name another one by now: nobody has asked for that change.
    ///
    /// # Errors
    ///
    /// `TooManyKeys`, `TooManyFormerKeys`; `KeyProbeFailed` with the key that failed;
    /// `KeyNotAllowed`; `KeyDeclaredTwice`;
    /// `WrapsTooLong` if the greatest wraps of all keys exceed what an envelope holds.
    pub(crate) async fn resolve(
        self,
        owner: CredentialOwner<'_>,
        before: &BackendKeys,
        declared: DeclaredKeys,
        generation: u64,
    ) -> Result<ResolvedKeys, OperationError> {
        if declared.keeps(before) {
            return Ok(ResolvedKeys {
                keys: before.clone(),
                notes: KeyNotes::default(),
            });
        }
        expect_room(1 + declared.escrow.len())?;
        let organization = self.wrapping_keyring().await?;
        let mut resolving = Resolving::new(&organization, owner, generation);
        resolving.before = before.clone();
        let records = || {
            let main = before.encryption.iter().chain(&before.former);
            main.chain(&before.escrow)
        };
        // A key that changes its role, or comes back, has the same credential.
        let present = |key: &DeclaredKek| {
            let same = records().find(|record| record.settings == key.settings);
            let is_of_type = |record: &&KekRecord| {
                record.settings.kind == key.settings.kind && record.credential.is_some()
            };
            // Else one that the new settings may have replaced.
            same.or_else(|| records().find(is_of_type))
        };
        let encryption = match declared.encryption {
            None => None,
            Some(key) => {
                let present = present(&key);
                let resolved = resolving.resolve(KekSlot::Encryption, key, present);
                Some(resolved.await?)
            }
        };
        let mut escrow = Vec::new();
        for (at, key) in declared.escrow.into_iter().enumerate() {
            let present = present(&key);
            escrow.push(resolving.resolve(KekSlot::Escrow(at), key, present).await?);
        }
        if encryption.is_none() {
            let main = Arc::clone(organization.keyring.main());
            resolving.opened.insert(0, main);
        }
        resolving.check_together()?;
        let mut former = before.former.clone();
        former.extend(before.encryption.clone());
        let main = encryption.as_ref().map(|record| &record.kek);
        former.retain(|record| Some(&record.kek) != main);
        let mut keys = BackendKeys {
            encryption,
            escrow,
            former: Vec::new(),
        };
        for record in former {
            if keys.former.iter().all(|other| other.kek != record.kek) {
                keys.former.push(record);
            }
        }
        let former = keys.former.len();
        if former > MAX_FORMER_KEYS && former > before.former.len() {
            return Err(OperationError::TooManyFormerKeys { keys: former });
        }
        Ok(ResolvedKeys {
            keys,
            notes: resolving.notes,
        })
    }
}

impl OrganizationKeyring {
    /// Returns the record of one more escrow key of the organization, beside those that this
    /// keyring has, and the open key.
    ///
    /// # Errors
    ///
    /// As [`Keys::resolve`].
    pub(crate) async fn resolve_escrow(
        &self,
        declared: DeclaredKek,
        generation: u64,
    ) -> Result<(KekRecord, Arc<dyn KeyEncryptionKey>), OperationError> {
        let present: Vec<_> = self.keyring.wrapping_keys().cloned().collect();
        expect_room(present.len() + 1)?;
        let slot = KekSlot::Escrow(present.len() - 1);
        let owner = CredentialOwner::organization();
        let mut resolving = Resolving::new(self, owner, generation);
        let record = resolving.resolve(slot, declared, None).await?;
        let opened = resolving.opened.clone();
        resolving.opened.splice(0..0, present);
        resolving.check_together()?;
        let mut opened = opened.into_iter();
        Ok((record, opened.next().expect("resolve opens one key")))
    }
}

/// Reports that a key changes and comes without a credential, where it had one.
fn credential_missing(settings: &KekSettings) -> KekError {
    KekError::new(
        KekErrorKind::Unauthenticated,
        "configure",
        settings.kind.as_str(),
    )
    .with_remedy(
        "The key's settings changed. Its sealed credential stays with the former settings. Set \
         the credential again. To use ambient credentials instead, change \
         credentials_wo_version.",
    )
}

/// Checks that an envelope holds a wrap of each key.
fn expect_room(keys: usize) -> Result<(), OperationError> {
    if keys > MAX_WRAPPED_KEYS {
        return Err(OperationError::TooManyKeys { keys });
    }
    Ok(())
}

/// Keys that are about to be saved.
struct Resolving<'a> {
    organization: &'a OrganizationKeyring,
    owner: CredentialOwner<'a>,
    generation: u64,
    /// The present keys.
    before: BackendKeys,
    opened: Vec<Arc<dyn KeyEncryptionKey>>,
    notes: KeyNotes,
}

impl<'a> Resolving<'a> {
    fn new(
        organization: &'a OrganizationKeyring,
        owner: CredentialOwner<'a>,
        generation: u64,
    ) -> Self {
        Self {
            organization,
            owner,
            generation,
            before: BackendKeys::default(),
            opened: Vec::new(),
            notes: KeyNotes::default(),
        }
    }

    async fn resolve(
        &mut self,
        slot: KekSlot,
        declared: DeclaredKek,
        present: Option<&KekRecord>,
    ) -> Result<KekRecord, OperationError> {
        let organization = self.organization;
        let failed = |error: KekError| OperationError::KeyProbeFailed { slot, error };
        let is_new = declared.credential.is_some();
        let sealed = present.and_then(|record| Some((record, record.credential.as_ref()?)));
        let credential = match (declared.credential, sealed) {
            (Some(credential), _) => credential,
            (None, Some((record, sealed))) if record.settings == declared.settings => {
                let usage = CredentialUse::kek(self.owner, &record.settings);
                organization.open_credential(usage, sealed).await?
            }
            // A credential goes to no other place than the one that it was given for, and is
            // not silently replaced by an ambient one.
            (None, Some(_)) => return Err(failed(credential_missing(&declared.settings))),
            (None, None) => StoreCredential::new(),
        };
        let connector = &organization.connector;
        let resolved = connector.resolve(&declared.settings, &credential).await;
        let ResolvedKek {
            mut id,
            mut kek,
            description,
        } = resolved.map_err(failed)?;
        let mut is_probed = true;
        if let Some(saved) = self.to_keep(slot, &declared.settings, &id) {
            kek = connector
                .open(&declared.settings, &credential, &saved)
                .map_err(failed)?;
            // With the present credential, nothing changes that a probe could show.
            is_probed = is_new;
            self.notes.kept = Some(saved.clone());
            id = saved;
        } else if slot == KekSlot::Encryption {
            self.notes.rotation = Some(description.rotation);
        }
        let pins = organization.keyring.pins();
        if !pins.allows(&id) {
            return Err(OperationError::KeyNotAllowed { key: id });
        }
        if is_probed {
            self.probe(slot, kek.as_ref()).await.map_err(failed)?;
        }
        self.opened.push(kek);
        let usage = CredentialUse::kek(self.owner, &declared.settings);
        let sealed = organization
            .seal_credential(usage, &credential, self.generation)
            .await?;
        Ok(KekRecord {
            kek: id,
            settings: declared.settings,
            credential: sealed,
        })
    }

    /// Returns the present main key if it stays in place of `found`, which the unchanged
    /// `settings` name by now: no room is left for one more former key.
    fn to_keep(&self, slot: KekSlot, settings: &KekSettings, found: &KekId) -> Option<KekId> {
        let BackendKeys {
            encryption, former, ..
        } = &self.before;
        let saved = encryption
            .as_ref()
            .filter(|saved| slot == KekSlot::Encryption && saved.settings == *settings)?;
        let is_known = saved.kek == *found || former.iter().any(|record| record.kek == *found);
        (!is_known && former.len() >= MAX_FORMER_KEYS).then(|| saved.kek.clone())
    }

    /// Wraps a throw-away data key, and unwraps it again where the key has to.
    async fn probe(&self, slot: KekSlot, kek: &dyn KeyEncryptionKey) -> Result<(), KekError> {
        let organization = &self.organization.organization;
        let names = self.owner.names(organization, KeyPurpose::KekProbe);
        let binding = WrapBinding::for_probe(Uuid::new_v4(), kek.id());
        let dek = DataKey::generate().map_err(|source| {
            KekError::new(KekErrorKind::Unavailable, "probe", &kek.id().id).with_source(source)
        })?;
        let context = names.bound(binding);
        let wrapped = kek.wrap(&dek, context).await?;
        if slot == KekSlot::Encryption {
            let back = kek.unwrap(&wrapped, context).await?;
            if !bool::from(back.ct_eq(&dek)) {
                return Err(KekError::new(
                    KekErrorKind::Unexpected,
                    "probe",
                    &kek.id().id,
                ));
            }
        }
        Ok(())
    }

    fn check_together(&self) -> Result<(), OperationError> {
        let mut pins = BTreeSet::new();
        for kek in &self.opened {
            // Two versions of a key are one key: its newest version wraps.
            if !pins.insert(pin_of(kek.id())) {
                let key = kek.id().clone();
                return Err(OperationError::KeyDeclaredTwice { key });
            }
        }
        let bytes = self.opened.iter().map(|kek| {
            let KekId { provider, id } = kek.id();
            wrap_bytes(provider.len(), id.len(), kek.max_wrapped_bytes())
        });
        let bytes: usize = bytes.sum();
        if bytes > MAX_WRAPS_BYTES {
            return Err(OperationError::WrapsTooLong { bytes });
        }
        Ok(())
    }
}
