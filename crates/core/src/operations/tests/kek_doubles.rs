//! KEKs and a connector of KEKs that tests control.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::requests::acme;
use crate::kek::{
    ConnectKek, KekError, KekErrorKind, KekSettings, KeyDescription, KeyEncryptionKey, LocalKek,
    ProvisionKek, ResolvedKek, Rewrap, WrapContext,
};
use crate::store::{StoreCredential, TICK};
use planton_envelope::{DataKey, KekId, RootKey, WrappedKey};
use planton_secret::SecretString;

/// The calls of a KEK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KekVerb {
    Wrap,
    Unwrap,
    Provision,
    Rewrap,
}

/// A local KEK that counts, denies and cancels.
#[derive(Debug)]
pub(super) struct TestKek {
    inner: LocalKek,
    calls: [AtomicUsize; 4],
    /// The newest version; each wrap begins with the one it is under.
    version: AtomicU8,
    /// Raised by a loss: a wrap ends with the one that it was made in.
    epoch: AtomicU8,
    is_missing: AtomicBool,
    is_disabled: AtomicBool,
    denied: Mutex<Vec<(KekVerb, KekErrorKind)>>,
    cancel_on_wrap: Mutex<Option<CancellationToken>>,
    oversize: AtomicBool,
    claims_long_wraps: AtomicBool,
    hides_versions: AtomicBool,
    is_timed: AtomicBool,
}

impl TestKek {
    pub(super) fn generate() -> Self {
        let root = RootKey::generate().unwrap();
        Self {
            inner: LocalKek::new(&root, &acme()),
            calls: Default::default(),
            version: AtomicU8::new(1),
            epoch: AtomicU8::new(0),
            is_missing: AtomicBool::new(false),
            is_disabled: AtomicBool::new(false),
            denied: Mutex::default(),
            cancel_on_wrap: Mutex::default(),
            oversize: AtomicBool::new(false),
            claims_long_wraps: AtomicBool::new(false),
            hides_versions: AtomicBool::new(false),
            is_timed: AtomicBool::new(false),
        }
    }

    /// Gives the key a new version.
    pub(super) fn rotate(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives wraps that do not show their version, as AWS KMS does.
    pub(super) fn hide_versions(&self) {
        self.hides_versions.store(true, Ordering::Relaxed);
    }

    /// Takes the newest version back, as a restored backup of the service does.
    pub(super) fn forget_newest(&self) {
        self.version.fetch_sub(1, Ordering::Relaxed);
    }

    /// Deletes the key. A key of the same identifier that is created later opens nothing
    /// that this one has wrapped.
    pub(super) fn lose(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.version.store(1, Ordering::Relaxed);
        self.is_missing.store(true, Ordering::Relaxed);
    }

    /// Disables the key, which then neither wraps nor unwraps.
    pub(super) fn disable(&self) {
        self.is_disabled.store(true, Ordering::Relaxed);
    }

    fn versioned(&self, wrapped: &WrappedKey) -> WrappedKey {
        let version = self.version.load(Ordering::Relaxed);
        let epoch = self.epoch.load(Ordering::Relaxed);
        WrappedKey::new([&[version], wrapped.as_bytes(), &[epoch]].concat())
    }

    /// Returns the wrap of the inner key.
    fn inner_wrap(&self, wrapped: &WrappedKey) -> Result<WrappedKey, KekError> {
        match wrapped.as_bytes() {
            [version, inner @ .., epoch]
                if *epoch == self.epoch.load(Ordering::Relaxed)
                    && *version <= self.version.load(Ordering::Relaxed) =>
            {
                Ok(WrappedKey::new(inner.to_vec()))
            }
            _ => Err(self.error(KekErrorKind::Refused)),
        }
    }

    fn error(&self, kind: KekErrorKind) -> KekError {
        KekError::new(kind, "test", self.inner.id().id.as_str())
    }

    /// Gives wraps that no envelope holds from now on.
    pub(super) fn wrap_oversize(&self) {
        self.oversize.store(true, Ordering::Relaxed);
    }

    /// Claims that wraps may be as long as the format allows.
    pub(super) fn claim_long_wraps(&self) {
        self.claims_long_wraps.store(true, Ordering::Relaxed);
    }

    /// Denies `verb` from now on.
    pub(super) fn deny(&self, verb: KekVerb, kind: KekErrorKind) {
        self.denied.lock().unwrap().push((verb, kind));
    }

    pub(super) fn allow(&self) {
        self.denied.lock().unwrap().clear();
    }

    /// Cancels `token` when the next wrap is under way.
    pub(super) fn cancel_on_wrap(&self, token: &CancellationToken) {
        *self.cancel_on_wrap.lock().unwrap() = Some(token.clone());
    }

    /// Lets each request take a tick of a paused clock from now on.
    pub(super) fn time(&self) {
        self.is_timed.store(true, Ordering::Relaxed);
    }

    async fn call(&self, verb: KekVerb) -> Result<(), KekError> {
        if self.is_timed.load(Ordering::Relaxed) {
            tokio::time::sleep(TICK).await;
        }
        self.calls[verb as usize].fetch_add(1, Ordering::Relaxed);
        if verb != KekVerb::Provision && self.is_missing.load(Ordering::Relaxed) {
            return Err(self.error(KekErrorKind::NotFound));
        }
        if self.is_disabled.load(Ordering::Relaxed) {
            let disabled = self.error(KekErrorKind::Disabled);
            return Err(disabled.with_remedy("Enable the key."));
        }
        let denied = self.denied.lock().unwrap();
        match denied.iter().find(|(which, _)| *which == verb) {
            Some((_, kind)) => Err(self
                .error(*kind)
                .with_remedy("Use the arguments of a backend.")),
            None => Ok(()),
        }
    }

    pub(super) fn calls(&self, verb: KekVerb) -> usize {
        self.calls[verb as usize].load(Ordering::Relaxed)
    }
}

#[async_trait]
impl KeyEncryptionKey for TestKek {
    fn id(&self) -> &KekId {
        self.inner.id()
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.call(KekVerb::Wrap).await?;
        if let Some(token) = self.cancel_on_wrap.lock().unwrap().take() {
            token.cancel();
        }
        if self.oversize.load(Ordering::Relaxed) {
            return Ok(WrappedKey::new(vec![0; 2049]));
        }
        let wrapped = self.inner.wrap(dek, context).await?;
        Ok(self.versioned(&wrapped))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.call(KekVerb::Unwrap).await?;
        let inner = self.inner_wrap(wrapped)?;
        self.inner.unwrap(&inner, context).await
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        if self.hides_versions.load(Ordering::Relaxed) {
            return None;
        }
        Some(u64::from(wrapped.as_bytes()[0]) == description.newest_version?)
    }

    fn max_wrapped_bytes(&self) -> usize {
        match self.claims_long_wraps.load(Ordering::Relaxed) {
            true => 2048,
            false => self.inner.max_wrapped_bytes(),
        }
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        if self.is_missing.load(Ordering::Relaxed) {
            return Err(self.error(KekErrorKind::NotFound));
        }
        if self.is_disabled.load(Ordering::Relaxed) {
            return Err(self.error(KekErrorKind::Disabled));
        }
        Ok(KeyDescription {
            newest_version: Some(self.version.load(Ordering::Relaxed).into()),
            ..self.inner.describe().await?
        })
    }

    fn rewraps_in_service(&self) -> bool {
        true
    }

    /// Counts one call, as of a service that rewraps a batch.
    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        let mut rewrapped = Vec::new();
        let called = self.call(KekVerb::Rewrap).await;
        for Rewrap { wrapped, context } in wraps {
            let again = async {
                called.as_ref().map_err(|error| self.error(error.kind()))?;
                let inner = self.inner_wrap(wrapped)?;
                let dek = self.inner.unwrap(&inner, *context).await?;
                let wrapped = self.inner.wrap(&dek, *context).await?;
                Ok(self.versioned(&wrapped))
            };
            rewrapped.push(again.await);
        }
        rewrapped
    }
}

#[async_trait]
impl ProvisionKek for TestKek {
    async fn provision(&self) -> Result<(), KekError> {
        self.call(KekVerb::Provision).await?;
        self.is_missing.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Opens keys in memory: the setting `key` names one, and each wants its own password, if
/// any was set for it.
#[derive(Debug, Default)]
pub(super) struct TestKekConnector {
    keys: Mutex<BTreeMap<String, Arc<TestKek>>>,
    passwords: Mutex<BTreeMap<String, String>>,
    aliases: Mutex<BTreeMap<String, String>>,
    /// Keys whose versions are KEKs of their own, the newest one last.
    versions: Mutex<BTreeMap<String, Vec<String>>>,
    /// How often a service was asked whether a key is the same.
    asked: AtomicUsize,
    is_unreachable: AtomicBool,
}

impl TestKekConnector {
    /// Lets the name `alias` name the key `key` from now on.
    pub(super) fn alias(&self, alias: &str, key: &str) {
        let mut aliases = self.aliases.lock().unwrap();
        aliases.insert(alias.to_owned(), key.to_owned());
    }

    /// Gives the key `name` a version, which is the KEK `version`.
    pub(super) fn add_version(&self, name: &str, version: &str) {
        let mut versions = self.versions.lock().unwrap();
        let of_key = versions.entry(name.to_owned()).or_default();
        of_key.push(version.to_owned());
    }

    /// Returns the versions of the key that `settings` name.
    fn versions_of(&self, settings: &KekSettings) -> Vec<Arc<TestKek>> {
        let versions = self.versions.lock().unwrap();
        let name = settings.text("key").unwrap_or_default();
        let of_key = versions.get(name).into_iter().flatten();
        of_key.map(|version| self.key(version)).collect()
    }

    /// Makes the services of all keys unreachable for a comparison.
    pub(super) fn set_unreachable(&self, is_unreachable: bool) {
        self.is_unreachable.store(is_unreachable, Ordering::Relaxed);
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Returns the key of a name.
    pub(super) fn key(&self, name: &str) -> Arc<TestKek> {
        let mut keys = self.keys.lock().unwrap();
        let new = || Arc::new(TestKek::generate());
        Arc::clone(keys.entry(name.to_owned()).or_insert_with(new))
    }

    /// Requires a password for the key.
    pub(super) fn require(&self, name: &str, password: &str) {
        let mut passwords = self.passwords.lock().unwrap();
        passwords.insert(name.to_owned(), password.to_owned());
    }

    fn opened(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<TestKek>, KekError> {
        if let Some(newest) = self.versions_of(settings).pop() {
            return Ok(newest);
        }
        let name = settings.text("key").unwrap_or_default();
        let aliases = self.aliases.lock().unwrap();
        let name = aliases.get(name).map_or(name, String::as_str);
        let given = credential.get("password").map(SecretString::expose);
        let passwords = self.passwords.lock().unwrap();
        if passwords.get(name).map(String::as_str) != given {
            return Err(KekError::new(KekErrorKind::Unauthenticated, "test", name));
        }
        drop(passwords);
        Ok(self.key(name))
    }
}

#[async_trait]
impl ConnectKek for TestKekConnector {
    fn check(&self, _: &KekSettings, _: Option<&StoreCredential>) -> Result<(), KekError> {
        Ok(())
    }

    async fn resolve(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
    ) -> Result<ResolvedKek, KekError> {
        let kek = self.opened(settings, credential)?;
        Ok(ResolvedKek {
            id: kek.id().clone(),
            description: kek.describe().await?,
            kek,
        })
    }

    fn may_move(&self, settings: &KekSettings) -> bool {
        let aliases = self.aliases.lock().unwrap();
        aliases.contains_key(settings.text("key").unwrap_or_default())
    }

    fn names(&self, settings: &KekSettings, _: &KekId) -> bool {
        !self.may_move(settings)
    }

    async fn newest_version(
        &self,
        settings: &KekSettings,
        _: &StoreCredential,
    ) -> Result<Option<Arc<dyn KeyEncryptionKey>>, KekError> {
        let Some(newest) = self.versions_of(settings).pop() else {
            return Ok(None);
        };
        newest.describe().await?;
        Ok(Some(newest))
    }

    async fn is_still(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<bool, KekError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_unreachable.load(Ordering::Relaxed) {
            return Err(KekError::new(KekErrorKind::Unavailable, "test", &id.id));
        }
        Ok(self.opened(settings, credential)?.id() == id)
    }

    fn open(
        &self,
        settings: &KekSettings,
        credential: &StoreCredential,
        id: &KekId,
    ) -> Result<Arc<dyn KeyEncryptionKey>, KekError> {
        let mut versions = self.versions_of(settings).into_iter();
        if let Some(version) = versions.find(|version| version.id() == id) {
            return Ok(version);
        }
        if self.may_move(settings) {
            let keys = self.keys.lock().unwrap();
            if let Some(known) = keys.values().find(|known| known.id() == id) {
                return Ok(Arc::clone(known) as Arc<dyn KeyEncryptionKey>);
            }
        }
        let kek = self.opened(settings, credential)?;
        if kek.id() != id {
            return Err(KekError::new(
                KekErrorKind::NotFound,
                "test",
                id.id.as_str(),
            ));
        }
        Ok(kek)
    }
}
