//! A KEK and a connector under the control of tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, LocalKek, ProvisionKek};
use crate::store::{
    ConnectStore, InMemoryStore, SecretStore, StoreCapability, StoreCredential, StoreError,
    StoreErrorKind, StoreSettings,
};
use planton_envelope::{DataKey, KekId, WrapBinding, WrappedKey};
use planton_secret::SecretString;

/// The methods of a KEK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KekVerb {
    Wrap,
    Unwrap,
    Provision,
}

/// A local KEK that counts calls, denies them, and cancels use cases.
#[derive(Debug)]
pub(super) struct TestKek {
    inner: LocalKek,
    calls: [AtomicUsize; 3],
    denied: Mutex<Vec<(KekVerb, KekErrorKind)>>,
    cancel_on_wrap: Mutex<Option<CancellationToken>>,
    oversize: AtomicBool,
}

impl TestKek {
    pub(super) fn new(inner: LocalKek) -> Self {
        Self {
            inner,
            calls: Default::default(),
            denied: Mutex::default(),
            cancel_on_wrap: Mutex::default(),
            oversize: AtomicBool::new(false),
        }
    }

    /// Returns wraps that are too long for an envelope from now on.
    pub(super) fn wrap_oversize(&self) {
        self.oversize.store(true, Ordering::Relaxed);
    }

    /// Denies `verb` from now on.
    pub(super) fn deny(&self, verb: KekVerb, kind: KekErrorKind) {
        self.denied.lock().unwrap().push((verb, kind));
    }

    pub(super) fn allow(&self) {
        self.denied.lock().unwrap().clear();
    }

    /// Cancels `token` during the next wrap.
    pub(super) fn cancel_on_wrap(&self, token: &CancellationToken) {
        *self.cancel_on_wrap.lock().unwrap() = Some(token.clone());
    }

    fn call(&self, verb: KekVerb) -> Result<(), KekError> {
        self.calls[verb as usize].fetch_add(1, Ordering::Relaxed);
        let denied = self.denied.lock().unwrap();
        match denied.iter().find(|(which, _)| *which == verb) {
            Some((_, kind)) => Err(KekError::new(*kind, "test", self.inner.id().id.as_str())),
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

    async fn wrap(&self, dek: &DataKey, binding: &WrapBinding) -> Result<WrappedKey, KekError> {
        self.call(KekVerb::Wrap)?;
        if let Some(token) = self.cancel_on_wrap.lock().unwrap().take() {
            token.cancel();
        }
        if self.oversize.load(Ordering::Relaxed) {
            return Ok(WrappedKey::new(vec![0; 1025]));
        }
        self.inner.wrap(dek, binding).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        binding: &WrapBinding,
    ) -> Result<DataKey, KekError> {
        self.call(KekVerb::Unwrap)?;
        self.inner.unwrap(wrapped, binding).await
    }
}

#[async_trait]
impl ProvisionKek for TestKek {
    async fn provision(&self) -> Result<(), KekError> {
        self.call(KekVerb::Provision)
    }
}

/// Opens stores in memory. The settings name the place, and a place may require a password.
#[derive(Debug, Default)]
pub(super) struct TestConnector {
    places: Mutex<BTreeMap<String, Arc<InMemoryStore>>>,
    passwords: Mutex<BTreeMap<String, String>>,
    opened: AtomicUsize,
}

impl TestConnector {
    /// Returns the store at a place.
    pub(super) fn place(&self, place: &str) -> Arc<InMemoryStore> {
        let mut places = self.places.lock().unwrap();
        Arc::clone(places.entry(place.to_owned()).or_default())
    }

    /// Makes `place` the same store as `other` from now on.
    pub(super) fn alias(&self, place: &str, other: &str) {
        let store = self.place(other);
        self.places.lock().unwrap().insert(place.to_owned(), store);
    }

    /// Restores the store of a place.
    pub(super) fn places_back(&self, place: &str, store: Arc<InMemoryStore>) {
        self.places.lock().unwrap().insert(place.to_owned(), store);
    }

    /// Requires this password at a place from now on.
    pub(super) fn demand(&self, place: &str, password: &str) {
        let mut passwords = self.passwords.lock().unwrap();
        passwords.insert(place.to_owned(), password.to_owned());
    }

    /// Returns how often a store was opened.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ConnectStore for TestConnector {
    fn capabilities(&self) -> Vec<StoreCapability> {
        vec![InMemoryStore::default().capability().clone()]
    }

    fn check(
        &self,
        _settings: &StoreSettings,
        _credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn connect(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let place = settings.text("place").unwrap();
        let given = credential.get("password").map(SecretString::expose);
        let wanted = self.passwords.lock().unwrap().get(place).cloned();
        if wanted
            .as_deref()
            .is_some_and(|wanted| Some(wanted) != given)
        {
            let kind = StoreErrorKind::Unauthenticated;
            return Err(StoreError::new(kind, "connect", place));
        }
        Ok(self.place(place))
    }
}
