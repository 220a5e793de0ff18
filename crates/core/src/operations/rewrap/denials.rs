//! What the keys deny to a rewrap, found out before it changes anything.
//!
//! A permission that is missing would otherwise show within the pass, after some versions were
//! moved and for each of the others again. So the requests of a rewrap are sent first for a few
//! wraps that stand in records and objects, as a key policy may depend on their names. Results
//! are dropped, and what has to be encrypted is a throw-away key.

use std::collections::BTreeSet;

use planton_envelope::{Context, DataKey, Envelope, KekId, WrapBinding, WrappedKey};

use super::envelope::Candidate;
use super::{AT_ONCE, candidates};
use crate::catalog::{BackendRecord, KekRecord, SealedCredential};
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, Keyring, Rewrap, WrapNames};
use crate::names::Slug;
use crate::operations::credential::{CredentialOwner, CredentialUse};
use crate::operations::key_versions::KeyVersions;
use crate::operations::keyrings::OrganizationKeyring;
use crate::operations::{Keys, OperationError, RewrapProgress};

/// How many documents of a backend are looked at.
const SAMPLE: usize = AT_ONCE;

impl Keys<'_> {
    /// Returns what the keys deny to [`rewrap_records`](Self::rewrap_records): one error for
    /// each missing permission. Writes nothing.
    ///
    /// # Errors
    ///
    /// Failures of catalog and KEK that are no denial for a wrap; the rewrap fails by them too.
    pub async fn denied_to_rewrap_records(self) -> Result<Vec<KekError>, OperationError> {
        let platform = &self.organization.platform;
        self.organization.existing().await?;
        platform.kek.resolve_newest().await?;
        platform.mac_kek.resolve_newest().await?;
        let record = self.hold_record().await?.record;
        let keyring = self.keyring_of(record.uuid, &record.escrow).await?;
        let mut denials = Denials::default();
        let (mac_keyring, wraps) = self.keys_of_mac_key(&record, &keyring.keyring);
        if mac_keyring
            .forbidden()
            .or(keyring.keyring.forbidden())
            .is_some()
        {
            return Ok(denials.0);
        }
        let versions = KeyVersions::of(&mac_keyring).await?;
        let named: Vec<_> = wraps.iter().map(|(id, _)| id.clone()).collect();
        if !versions.are_current(&wraps, &named) {
            let names = WrapNames::mac_key(self.organization.slug());
            let sample = Sample {
                wraps: &wraps,
                names: &names,
                binding: &|kek: &KekId| WrapBinding::for_mac_key(record.uuid, kek),
            };
            denials.ask(&mac_keyring, &sample, Way::InService).await?;
            for kek in mac_keyring.wrapping().skip(1) {
                denials.wrap(kek, &sample).await?;
            }
        }
        let versions = KeyVersions::of(&keyring.keyring).await?;
        let owner = CredentialOwner::organization();
        let mut is_asked = false;
        for (usage, sealed) in credentials_of_keys(&record.escrow, owner) {
            is_asked = is_asked
                || denials
                    .credential(&keyring, &versions, usage, sealed)
                    .await?;
        }
        for name in self.organization.backends().in_use().await? {
            if is_asked {
                break;
            }
            let held = self.organization.backends().hold(&name).await?;
            let Some(backend) = &held.document.backend else {
                continue;
            };
            for (usage, sealed) in credentials_of(backend) {
                is_asked = is_asked
                    || denials
                        .credential(&keyring, &versions, usage, sealed)
                        .await?;
            }
        }
        Ok(denials.0)
    }

    /// Returns what the keys of a backend deny to [`rewrap`](Self::rewrap): one error for each
    /// missing permission. Looks at a few documents, and writes nothing.
    ///
    /// # Errors
    ///
    /// As [`denied_to_rewrap_records`](Self::denied_to_rewrap_records); `UnknownBackend`.
    pub async fn denied_to_rewrap(self, backend: &Slug) -> Result<Vec<KekError>, OperationError> {
        let (opened, _) = self.open_fenced(backend).await?;
        let keyring = opened.keyring.get().await?;
        let mut denials = Denials::default();
        // Nothing is sent to a key that may not wrap. The rewrap itself refuses it.
        if keyring.forbidden().is_some() {
            return Ok(denials.0);
        }
        let versions = KeyVersions::of(keyring).await?;
        let documents = self.documents_of(&opened).await?;
        let some = &documents[..documents.len().min(SAMPLE)];
        let held = self.hold_some(some, &mut RewrapProgress::default()).await?;
        let organization = self.organization.existing().await?.uuid;
        let mut current = Vec::new();
        let mut is_any_due = false;
        for candidate in one_of_each(candidates(&held, &opened)) {
            let (candidate, envelope) = candidate.fetch(&opened).await;
            // The rewrap reports a version whose envelope cannot be had.
            let Ok(envelope) = envelope else { continue };
            let names = candidate.names(&opened);
            let found = (envelope, candidate.context(organization), names);
            if versions.are_current(found.0.wrapped_keys(), &candidate.version.keks) {
                current.push(found);
                continue;
            }
            is_any_due = true;
            denials.version(keyring, &versions, &found).await?;
        }
        // Others may be due where these are not.
        if let (false, true, Some(found)) = (is_any_due, documents.len() > SAMPLE, current.first())
        {
            denials.version(keyring, &versions, found).await?;
        }
        Ok(denials.0)
    }
}

/// Returns one of the versions that are wrapped for the same keys in the same environment, on
/// which a policy may depend.
fn one_of_each(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen = BTreeSet::new();
    let mut one_of_each = candidates;
    one_of_each.retain(|candidate| {
        let keks = candidate.version.keks.iter();
        let keks: Vec<_> = keks.map(|kek| kek.id.clone()).collect();
        let environment = &candidate.secret.name.environment;
        seen.insert((environment.as_ref().map(ToString::to_string), keks))
    });
    one_of_each
}

type Sealed<'a> = (CredentialUse<'a>, &'a SealedCredential);

fn credentials_of_keys<'a>(
    keys: impl IntoIterator<Item = &'a KekRecord>,
    owner: CredentialOwner<'a>,
) -> Vec<Sealed<'a>> {
    let sealed = |key: &'a KekRecord| {
        let sealed = key.credential.as_ref()?;
        Some((CredentialUse::kek(owner, &key.settings), sealed))
    };
    keys.into_iter().filter_map(sealed).collect()
}

fn credentials_of(backend: &BackendRecord) -> Vec<Sealed<'_>> {
    let owner = CredentialOwner::backend(backend.uuid, &backend.name);
    let own = backend.credential.as_ref();
    let own = own.map(|sealed| (CredentialUse::store(owner, &backend.settings), sealed));
    let keys = &backend.keys;
    let keys = keys
        .encryption
        .iter()
        .chain(&keys.escrow)
        .chain(&keys.former);
    own.into_iter()
        .chain(credentials_of_keys(keys, owner))
        .collect()
}

/// Wraps of one data key.
struct Sample<'a> {
    wraps: &'a [(KekId, WrappedKey)],
    names: &'a WrapNames,
    binding: &'a (dyn Fn(&KekId) -> WrapBinding + Sync),
}

/// How the main key's wrap is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By the service, where it can.
    InService,
    /// By an unwrap and a wrap.
    Here,
}

/// The denials so far, each once.
#[derive(Debug, Default)]
struct Denials(Vec<KekError>);

impl Denials {
    /// Keeps a denial. Any other failure is dropped: the rewrap reports it where it concerns it.
    fn note<T>(&mut self, outcome: Result<T, KekError>) {
        let Err(error) = outcome else { return };
        if error.kind() != KekErrorKind::PermissionDenied {
            return;
        }
        let told = |error: &KekError| {
            let (path, remedy) = (error.path().to_owned(), error.remedy().map(str::to_owned));
            (error.operation(), path, remedy)
        };
        if self.0.iter().all(|known| told(known) != told(&error)) {
            self.0.push(error);
        }
    }

    /// Sends the requests for a version of a secret.
    async fn version(
        &mut self,
        keyring: &Keyring,
        versions: &KeyVersions,
        (envelope, context, names): &(Envelope, Context, WrapNames),
    ) -> Result<(), OperationError> {
        let sample = Sample {
            wraps: envelope.wrapped_keys(),
            names,
            binding: &|kek: &KekId| envelope.binding_in(context, kek),
        };
        self.ask(keyring, &sample, Way::InService).await?;
        let is_carried = |kek: &dyn KeyEncryptionKey| {
            let mut wraps = sample.wraps.iter();
            let kept = wraps.find(|(id, _)| id == kek.id());
            kept.is_some_and(|(id, wrapped)| versions.is_newest(id, wrapped))
        };
        let mut is_unwrapped = false;
        for kek in keyring.wrapping().skip(1) {
            if is_carried(kek) {
                continue;
            }
            if !std::mem::replace(&mut is_unwrapped, true) {
                self.unwrap(keyring, &sample).await;
            }
            self.wrap(kek, &sample).await?;
        }
        Ok(())
    }

    /// Sends the requests for a sealed credential, if it is due. Returns whether it is.
    async fn credential(
        &mut self,
        keyring: &OrganizationKeyring,
        versions: &KeyVersions,
        usage: CredentialUse<'_>,
        sealed: &SealedCredential,
    ) -> Result<bool, OperationError> {
        let Ok(envelope) = Envelope::parse_stored(sealed.envelope.as_bytes()) else {
            return Ok(false);
        };
        if versions.are_current(envelope.wrapped_keys(), &sealed.keks) {
            return Ok(false);
        }
        let context = usage.context(keyring.uuid, sealed.version);
        let names = usage.names(&keyring.organization);
        let sample = Sample {
            wraps: envelope.wrapped_keys(),
            names: &names,
            binding: &|kek: &KekId| envelope.binding_in(&context, kek),
        };
        self.ask(&keyring.keyring, &sample, Way::Here).await?;
        for kek in keyring.keyring.wrapping().skip(1) {
            self.wrap(kek, &sample).await?;
        }
        Ok(true)
    }

    /// Sends the requests with which the main key's wrap is replaced.
    async fn ask(
        &mut self,
        keyring: &Keyring,
        sample: &Sample<'_>,
        way: Way,
    ) -> Result<(), OperationError> {
        let main = keyring.main();
        let own = sample.wraps.iter().find(|(id, _)| id == main.id());
        if let (Some((id, wrapped)), Way::InService, true) = (own, way, main.rewraps_in_service()) {
            let context = sample.names.bound((sample.binding)(id));
            let rewrapped = main.rewrap(&[Rewrap { wrapped, context }]).await;
            rewrapped.into_iter().for_each(|outcome| self.note(outcome));
            return Ok(());
        }
        self.unwrap(keyring, sample).await;
        self.wrap(main.as_ref(), sample).await
    }

    async fn unwrap(&mut self, keyring: &Keyring, sample: &Sample<'_>) {
        let ids: Vec<_> = sample.wraps.iter().map(|(id, _)| id).collect();
        let Some(kek) = keyring.opener(&ids) else {
            return;
        };
        let mut wraps = sample.wraps.iter();
        if let Some((id, wrapped)) = wraps.find(|(id, _)| id == kek.id()) {
            let context = sample.names.bound((sample.binding)(id));
            self.note(kek.unwrap(wrapped, context).await);
        }
    }

    /// Wraps a throw-away key.
    async fn wrap(
        &mut self,
        kek: &dyn KeyEncryptionKey,
        sample: &Sample<'_>,
    ) -> Result<(), OperationError> {
        let key = DataKey::generate().map_err(|_| OperationError::Randomness)?;
        let context = sample.names.bound((sample.binding)(kek.id()));
        self.note(kek.wrap(&key, context).await);
        Ok(())
    }
}
