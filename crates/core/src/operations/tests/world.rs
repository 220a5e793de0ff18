//! A platform in memory, what happened on it, and requests to it.

use std::collections::BTreeMap;
use std::ops::Sub;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalog::{
    CatalogErrorKind, CatalogStore, CatalogVerb, GenerateSpec, InMemoryCatalog, OnDestroy,
    RecordKey, SecretArguments, SecretDocument, SecretMetadata, StoredRecord, record_key_of_name,
};
use crate::kek::{KekError, KekErrorKind, KeyEncryptionKey, LocalKek, ProvisionKek};
use crate::names::{SecretName, Slug};
use crate::operations::{
    CreateSecret, DeleteSecret, Interrupt, OperationError, Organization, Platform, Run, SecretView,
    Selector, UpdateSecret, ValueSource,
};
use crate::store::{
    ConnectStore, Fault, InMemoryStore, Landing, NativeVersionId, RemoteName, SecretStore,
    StoreCapability, StoreCredential, StoreError, StoreErrorKind, StoreSettings, StoreVerb,
};
use planton_envelope::{DataKey, KekId, RootKey, SecretValue, WrapBinding, WrappedKey};
use planton_secret::SecretString;

/// The calls of a KEK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KekVerb {
    Wrap,
    Unwrap,
    Provision,
}

/// A local KEK that counts, denies and cancels.
#[derive(Debug)]
pub(super) struct TestKek {
    inner: LocalKek,
    calls: [AtomicUsize; 3],
    denied: Mutex<Vec<(KekVerb, KekErrorKind)>>,
    cancel_on_wrap: Mutex<Option<CancellationToken>>,
    oversize: AtomicBool,
}

impl TestKek {
    /// Gives wraps that no envelope holds from now on.
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

    /// Cancels `token` when the next wrap is under way.
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

    fn calls(&self, verb: KekVerb) -> usize {
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

/// Opens stores in memory: settings name the place, and each place wants its own
/// credential, if any was ever set for it.
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

    /// Lets `place` be the same as `other` from now on.
    pub(super) fn alias(&self, place: &str, other: &str) {
        let store = self.place(other);
        self.places.lock().unwrap().insert(place.to_owned(), store);
    }

    /// Puts a store back where it was.
    pub(super) fn places_back(&self, place: &str, store: Arc<InMemoryStore>) {
        self.places.lock().unwrap().insert(place.to_owned(), store);
    }

    /// Demands this password at a place.
    pub(super) fn demand(&self, place: &str, password: &str) {
        let mut passwords = self.passwords.lock().unwrap();
        passwords.insert(place.to_owned(), password.to_owned());
    }

    /// How often a store was opened.
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

/// How often each call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) read: usize,
    pub(super) fenced: usize,
    pub(super) write: usize,
    pub(super) forget: usize,
    pub(super) put: usize,
    pub(super) get: usize,
    pub(super) describe: usize,
    pub(super) delete: usize,
    pub(super) wrap: usize,
    pub(super) unwrap: usize,
    pub(super) provision: usize,
}

impl Counts {
    pub(super) fn total(&self) -> usize {
        let catalog = self.read + self.fenced + self.write + self.forget;
        let store = self.put + self.get + self.describe + self.delete;
        catalog + store + self.wrap + self.unwrap + self.provision
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            read: self.read - before.read,
            fenced: self.fenced - before.fenced,
            write: self.write - before.write,
            forget: self.forget - before.forget,
            put: self.put - before.put,
            get: self.get - before.get,
            describe: self.describe - before.describe,
            delete: self.delete - before.delete,
            wrap: self.wrap - before.wrap,
            unwrap: self.unwrap - before.unwrap,
            provision: self.provision - before.provision,
        }
    }
}

/// A platform in memory, shared by as many processes as a test wants.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) catalog: Arc<InMemoryCatalog>,
    pub(super) store: Arc<InMemoryStore>,
    pub(super) kek: Arc<TestKek>,
    pub(super) connector: Arc<TestConnector>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_store(InMemoryStore::default())
    }

    pub(super) fn with_store(store: InMemoryStore) -> Self {
        let root = RootKey::generate().unwrap();
        let kek = TestKek {
            inner: LocalKek::new(&root, &acme()),
            calls: Default::default(),
            denied: Mutex::default(),
            cancel_on_wrap: Mutex::default(),
            oversize: AtomicBool::new(false),
        };
        Self {
            catalog: Arc::new(InMemoryCatalog::new()),
            store: Arc::new(store),
            kek: Arc::new(kek),
            connector: Arc::new(TestConnector::default()),
        }
    }

    /// Starts another process on this platform.
    pub(super) fn process(&self) -> Organization {
        Organization::new(acme(), self.platform())
    }

    /// Starts a process of a run that resumes that of `interrupted`.
    pub(super) fn resuming(&self, interrupted: &Organization) -> Organization {
        self.process().in_run(Run {
            resumes: Some(interrupted.run().id),
            ..Run::of_its_own()
        })
    }

    pub(super) fn platform(&self) -> Platform {
        Platform {
            catalog: Arc::clone(&self.catalog) as _,
            kek: Arc::clone(&self.kek) as _,
            store: Arc::clone(&self.store) as _,
            connector: Arc::clone(&self.connector) as _,
        }
    }

    /// Starts a process that has done its first use of the organization.
    pub(super) async fn warm(&self) -> Organization {
        let organization = self.process();
        organization.ensure().await.unwrap();
        organization.keys().mac_key().await.unwrap();
        organization
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            read: self.catalog.calls(CatalogVerb::Read)
                + self.catalog.calls(CatalogVerb::ReadSinceOwnWrites),
            fenced: self.catalog.calls(CatalogVerb::ReadFenced),
            write: self.catalog.calls(CatalogVerb::Write),
            forget: self.catalog.calls(CatalogVerb::ForgetHistory),
            put: self.store.calls(StoreVerb::Put),
            get: self.store.calls(StoreVerb::Get),
            describe: self.store.calls(StoreVerb::Describe),
            delete: self.store.calls(StoreVerb::Delete),
            wrap: self.kek.calls(KekVerb::Wrap),
            unwrap: self.kek.calls(KekVerb::Unwrap),
            provision: self.kek.calls(KekVerb::Provision),
        }
    }

    pub(super) fn fail_catalog(
        &self,
        verb: CatalogVerb,
        nth: usize,
        landing: Landing,
        kind: CatalogErrorKind,
    ) {
        self.catalog.inject(Fault {
            verb,
            nth,
            landing,
            kind,
        });
    }

    pub(super) fn fail_store(
        &self,
        verb: StoreVerb,
        nth: usize,
        landing: Landing,
        kind: StoreErrorKind,
    ) {
        self.store.inject(Fault {
            verb,
            nth,
            landing,
            kind,
        });
    }

    /// Returns the stored record under `key`.
    pub(super) async fn stored(&self, key: &RecordKey) -> Option<StoredRecord> {
        let found = self.catalog.read_fenced(key).await.unwrap();
        found.map(|(record, _)| record)
    }

    /// Returns the document of `name`, its MAC unverified.
    pub(super) async fn document(&self, name: &SecretName) -> SecretDocument {
        let stored = self.stored(&record_key_of_name(name)).await;
        stored.map_or_else(SecretDocument::default, |stored| {
            serde_json::from_str(&stored.body).unwrap()
        })
    }

    /// Writes the document of `name` with a good MAC, as a process of ours with
    /// other ideas might.
    pub(super) async fn write_document(&self, name: &SecretName, document: &SecretDocument) {
        let organization = self.warm().await;
        let key = record_key_of_name(name);
        let body = serde_json::to_string(document).unwrap();
        let mac_key = organization.keys().mac_key().await.unwrap();
        let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
        self.catalog.overwrite(&key, StoredRecord { body, mac });
    }

    /// Changes the body of a record by hand, and leaves its MAC as it was.
    pub(super) async fn alter(&self, name: &SecretName, change: impl FnOnce(&str) -> String) {
        self.alter_key(record_key_of_name(name).as_str(), change)
            .await;
    }

    /// Changes the body of the record under `key`, with a good MAC.
    pub(super) async fn forge(&self, key: &str, change: impl FnOnce(&str) -> String) {
        let organization = self.warm().await;
        let key = RecordKey::new(key);
        let body = change(&self.stored(&key).await.unwrap().body);
        let mac_key = organization.keys().mac_key().await.unwrap();
        let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
        self.catalog.overwrite(&key, StoredRecord { body, mac });
    }

    /// Changes the body of the record under `key` by hand, and leaves its MAC.
    pub(super) async fn alter_key(&self, key: &str, change: impl FnOnce(&str) -> String) {
        let key = RecordKey::new(key);
        let stored = self.stored(&key).await.unwrap();
        let body = change(&stored.body);
        assert_ne!(body, stored.body, "nothing was altered");
        self.catalog
            .overwrite(&key, StoredRecord { body, ..stored });
    }

    /// Checks that all that the documents of `names` name is in the store, and
    /// returns how many versions there are that nothing refers to.
    pub(super) async fn unreferenced(&self, names: &[&str]) -> usize {
        let mut named: Vec<(RemoteName, NativeVersionId)> = Vec::new();
        for text in names {
            let document = self.document(&name(text)).await;
            for secret in document.current.iter().chain(&document.displaced) {
                if secret.state != crate::catalog::SecretState::Ready {
                    continue;
                }
                for version in &secret.versions {
                    named.push((secret.remote_name.clone(), version.native_id.clone()));
                }
            }
        }
        let mut there = Vec::new();
        for object in self.store.objects() {
            for version in self.store.versions(&object) {
                there.push((object.clone(), version));
            }
        }
        for version in &named {
            assert!(
                there.contains(version),
                "{version:?} is named and not there"
            );
        }
        there.iter().filter(|one| !named.contains(one)).count()
    }

    /// Opens the current value of `named` in a process of its own.
    pub(super) async fn value(&self, named: &str) -> Result<String, OperationError> {
        let opened = self
            .process()
            .secrets()
            .open(&Selector::Name(name(named)), None)
            .await?;
        Ok(exposed(&opened.value))
    }
}

/// Returns the value in a form that tests compare.
pub(super) fn exposed(value: &SecretValue) -> String {
    match value {
        SecretValue::Text(text) => text.expose().to_owned(),
        SecretValue::KeyValue(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{key}={}", value.expose()))
                .collect();
            pairs.join(",")
        }
    }
}

pub(super) fn acme() -> Slug {
    Slug::parse("acme").unwrap()
}

pub(super) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(super) fn text(value: &str) -> SecretValue {
    SecretValue::Text(SecretString::from(value))
}

pub(super) fn pairs(all: &[(&str, &str)]) -> SecretValue {
    let pairs = all
        .iter()
        .map(|(key, value)| ((*key).to_owned(), SecretString::from(*value)));
    SecretValue::KeyValue(pairs.collect::<BTreeMap<_, _>>())
}

pub(super) fn given(value: &str) -> ValueSource {
    ValueSource::Given(text(value))
}

pub(super) fn arguments() -> SecretArguments {
    SecretArguments {
        value_wo_version: Some("1".to_owned()),
        generate: None,
        copy_from: None,
        deletion_protection: false,
        on_destroy: OnDestroy::Delete,
        keep_versions: 10,
        takes_over: None,
    }
}

pub(super) fn spec() -> GenerateSpec {
    GenerateSpec {
        length: 24,
        lower: true,
        upper: true,
        numeric: true,
        special: true,
        override_special: None,
        min_lower: 0,
        min_upper: 0,
        min_numeric: 0,
        min_special: 0,
    }
}

/// Asks to create `named` with the source.
pub(super) fn create_of(named: &str, source: ValueSource) -> CreateSecret {
    CreateSecret {
        name: name(named),
        backend: None,
        source,
        metadata: SecretMetadata::default(),
        arguments: arguments(),
        replaces: Vec::new(),
    }
}

/// Asks to create `named` with a generated value.
pub(super) fn generate_of(named: &str, spec: GenerateSpec) -> CreateSecret {
    let create = create_of(named, ValueSource::Generated(spec.clone()));
    CreateSecret {
        arguments: SecretArguments {
            generate: Some(spec),
            ..arguments()
        },
        ..create
    }
}

/// Asks for a new value of what `view` shows.
pub(super) fn rotate(view: &SecretView, value: &str) -> UpdateSecret {
    UpdateSecret {
        source: Some(given(value)),
        ..edit(view)
    }
}

/// Asks to delete a secret whatever was seen of it, and whoever owns it.
pub(super) fn any(name: &SecretName, uuid: Uuid) -> DeleteSecret {
    at(u64::MAX, name, uuid)
}

/// Asks to delete a secret that was last seen at this generation.
pub(super) fn at(generation: u64, name: &SecretName, uuid: Uuid) -> DeleteSecret {
    DeleteSecret {
        name: name.clone(),
        uuid,
        generation,
        stamp: None,
    }
}

/// Asks to delete what `view` shows, as the state that created it knows it.
pub(super) fn own(view: &SecretView) -> DeleteSecret {
    DeleteSecret {
        stamp: Some(view.owner.stamp),
        ..at(view.generation, &view.name, view.uuid)
    }
}

/// Asks for nothing new of what `view` shows; to be changed by the caller.
pub(super) fn edit(view: &SecretView) -> UpdateSecret {
    UpdateSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        generation: view.generation,
        stamp: Some(view.owner.stamp),
        source: None,
        heals: false,
        metadata: view.metadata.clone(),
        arguments: view.arguments.clone(),
    }
}

/// Returns an interrupt and what cancels it.
pub(super) fn cancellable() -> (Interrupt, CancellationToken) {
    let token = CancellationToken::new();
    (Interrupt::new(token.clone(), None), token)
}
