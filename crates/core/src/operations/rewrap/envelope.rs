//! The wraps of one envelope: which are due, and what replaces them.

use futures_util::stream::{self, StreamExt as _};
use planton_envelope::{Context, DataKey, Envelope, KekId, WrappedKey};
use uuid::Uuid;

use crate::catalog::{SecretRecord, VersionRecord};
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, Keyring, Rewrap, WrapNames};
use crate::operations::key_versions::KeyVersions;
use crate::operations::secrets::context;
use crate::operations::{Backend, OperationError};

/// A version that may have to be rewrapped.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// The position of its document.
    pub(super) held: usize,
    pub(super) secret: SecretRecord,
    pub(super) version: VersionRecord,
}

impl Candidate {
    /// Fetches the envelope that the verified record names.
    pub(super) async fn fetch(self, backend: &Backend) -> (Self, Result<Envelope, OperationError>) {
        let envelope = backend.fetch_envelope(&self.secret, &self.version).await;
        (self, envelope)
    }

    pub(super) fn names(&self, backend: &Backend) -> WrapNames {
        WrapNames::secret(&backend.organization, &self.secret.name)
    }

    pub(super) fn context(&self, organization: Uuid) -> Context {
        context(organization, &self.secret, self.version.number)
    }
}

/// A version, and its envelope with new wraps.
type Outcome = (Candidate, Result<Envelope, KekError>);

/// Wraps the data keys of `due` again under each wrapping key of `keyring`.
///
/// Whatever concerns one envelope fails that envelope only.
pub(super) async fn rewrapped(
    keyring: &Keyring,
    versions: &KeyVersions,
    organization: Uuid,
    backend: &Backend,
    due: Vec<(Candidate, Envelope)>,
) -> Vec<Outcome> {
    let mut work: Vec<Work> = due
        .into_iter()
        .map(|(candidate, envelope)| Work {
            names: candidate.names(backend),
            context: candidate.context(organization),
            candidate,
            envelope,
            data_key: None,
            wraps: Vec::new(),
            failed: None,
        })
        .collect();
    let main = keyring.main().as_ref();
    // With an escrow identity, what is due does not open under the main key. And where the data
    // keys leave the service, `wrap_anew` compares them with the envelopes.
    if !keyring.has_rescue() && main.rewraps_in_service() {
        rewrap_under(main, &mut work).await;
    }
    wrap_anew(main, keyring, &mut work).await;
    // The provider may be unable to decrypt with an escrow key, so no service rewraps under
    // one: a wrap that is the newest stays, and the main key unwraps for all others.
    for kek in keyring.wrapping().skip(1) {
        for one in &mut work {
            one.carry(kek, versions);
        }
        wrap_anew(kek, keyring, &mut work).await;
    }
    work.into_iter().map(Work::finish).collect()
}

/// One envelope on its way to new wraps.
struct Work {
    candidate: Candidate,
    envelope: Envelope,
    names: WrapNames,
    context: Context,
    /// Unwrapped where a key that has no wrap yet needs it, and not before.
    data_key: Option<DataKey>,
    wraps: Vec<(KekId, WrappedKey)>,
    failed: Option<KekError>,
}

/// Rewraps what `kek` has wrapped already, in one batch within the service.
async fn rewrap_under(kek: &dyn KeyEncryptionKey, work: &mut [Work]) {
    let has_wrap = |one: &Work| one.failed.is_none() && one.wrapped_by(kek.id()).is_some();
    let ours: Vec<usize> = (0..work.len()).filter(|at| has_wrap(&work[*at])).collect();
    let wraps: Vec<Rewrap<'_>> = ours
        .iter()
        .map(|at| {
            let one = &work[*at];
            let binding = one.envelope.binding_in(&one.context, kek.id());
            Rewrap {
                wrapped: one.wrapped_by(kek.id()).expect("filtered above"),
                context: one.names.bound(binding),
            }
        })
        .collect();
    if wraps.is_empty() {
        return;
    }
    let outcomes = kek.rewrap(&wraps).await;
    for (at, outcome) in ours.into_iter().zip(outcomes) {
        match outcome {
            Ok(wrapped) => work[at].wraps.push((kek.id().clone(), wrapped)),
            Err(error) => work[at].failed = Some(error),
        }
    }
}

/// Wraps what `kek` has not wrapped yet, several at once.
async fn wrap_anew(kek: &dyn KeyEncryptionKey, keyring: &Keyring, work: &mut [Work]) {
    // The keys of `opening` unwrap.
    let keys = keyring.opening().map(|kek| kek.concurrency());
    let at_once = keys.chain([kek.concurrency()]).min().unwrap_or(1);
    let each: Vec<_> = work
        .iter_mut()
        .map(|one| one.wrap_anew(kek, keyring))
        .collect();
    stream::iter(each)
        .for_each_concurrent(at_once, |wrapping| wrapping)
        .await;
}

impl Work {
    fn wrapped_by(&self, id: &KekId) -> Option<&WrappedKey> {
        let mut wraps = self.envelope.wrapped_keys().iter();
        // Only a wrap that the verified record names.
        let is_named = self.candidate.version.keks.contains(id);
        let found = wraps.find(|(kek, _)| kek == id && is_named);
        found.map(|(_, wrapped)| wrapped)
    }

    /// Keeps the wrap of `kek`, if it shows that it is under the newest version.
    fn carry(&mut self, kek: &dyn KeyEncryptionKey, versions: &KeyVersions) {
        let kept = self.wrapped_by(kek.id());
        let kept = kept.filter(|wrapped| versions.is_newest(kek.id(), wrapped));
        if let Some(wrapped) = kept.cloned() {
            self.wraps.push((kek.id().clone(), wrapped));
        }
    }

    /// Wraps the data key under a key that has no wrap of it yet.
    async fn wrap_anew(&mut self, kek: &dyn KeyEncryptionKey, keyring: &Keyring) {
        if self.failed.is_some() || self.wraps.iter().any(|(id, _)| id == kek.id()) {
            return;
        }
        if let Err(error) = self.try_wrap_anew(kek, keyring).await {
            self.failed = Some(error);
        }
    }

    async fn try_wrap_anew(
        &mut self,
        kek: &dyn KeyEncryptionKey,
        keyring: &Keyring,
    ) -> Result<(), KekError> {
        if self.data_key.is_none() {
            self.data_key = Some(self.unwrapped(keyring).await?);
        }
        let data_key = self.data_key.as_ref().expect("set above");
        let binding = self.envelope.binding_in(&self.context, kek.id());
        let wrapped = kek.wrap(data_key, self.names.bound(binding)).await?;
        self.wraps.push((kek.id().clone(), wrapped));
        Ok(())
    }

    /// Unwraps the data key, and makes sure that it is the envelope's: a substituted wrap
    /// is not carried on.
    async fn unwrapped(&self, keyring: &Keyring) -> Result<DataKey, KekError> {
        let refused = |id: &KekId| KekError::new(KekErrorKind::Refused, "rewrap", id.id.as_str());
        let ids = self.envelope.wrapped_keys().iter().map(|(id, _)| id);
        let ids: Vec<_> = ids.filter(|id| self.wrapped_by(id).is_some()).collect();
        let Some(kek) = keyring.opener(&ids) else {
            return Err(refused(keyring.main().id()));
        };
        let id = kek.id();
        let wrapped = self.wrapped_by(id).ok_or_else(|| refused(id))?;
        let binding = self.envelope.binding_in(&self.context, id);
        let key = kek.unwrap(wrapped, self.names.bound(binding)).await?;
        let is_its_own = self.envelope.is_key(&key, &self.context);
        is_its_own.then_some(key).ok_or_else(|| refused(id))
    }

    fn finish(mut self) -> Outcome {
        let outcome = match self.failed.take() {
            Some(error) => Err(error),
            None => {
                let id = self
                    .wraps
                    .first()
                    .map_or("", |(id, _)| id.id.as_str())
                    .to_owned();
                let wraps = std::mem::take(&mut self.wraps);
                let replaced = self.envelope.replace_wrapped_keys(wraps);
                replaced.map(|()| self.envelope).map_err(|source| {
                    KekError::new(KekErrorKind::Misconfigured, "rewrap", &id).with_source(source)
                })
            }
        };
        (self.candidate, outcome)
    }
}
