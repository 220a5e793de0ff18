//! A connector of stores under the control of tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::store::{
    ConnectStore, InMemoryStore, SecretStore, StoreCapability, StoreCredential, StoreError,
    StoreErrorKind, StoreSettings,
};
use planton_secret::SecretString;

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
