//! An organization with two secrets in a backend under the attacked key, and what its
//! provider does, each time in a new process.

use std::collections::BTreeMap;
use std::sync::Arc;

use planton_core::catalog::{InMemoryCatalog, OnDestroy, SecretArguments, SecretMetadata};
use planton_core::kek::{KekPins, KekSettings, KeyEncryptionKey, WrapNames, pin_of};
use planton_core::names::SecretName;
use planton_core::operations::{
    BackendArguments, BackendOnDestroy, BackendView, CreateSecret, DeclaredKek, DeclaredKeys,
    Interrupt, OperationError, Organization, Platform, Problem, RegisterBackend, RewrapProgress,
    SecretView, Selector, UpdateBackend, UpdateSecret, ValueSource, Verification, Verify,
};
use planton_core::store::{InMemoryStore, StoreCredential, StoreSettings};
use planton_envelope::{Envelope, KekId, SecretValue};
use planton_vendors::age::AgeIdentity;

use super::Target;
use super::objects::{Connector, Objects};

/// Two key pairs from the tests of rage:
/// <https://github.com/str4d/rage/blob/main/age/src/keys.rs>.
const OURS: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const THEIRS: &str = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
/// A recipient from age's README.
const SECOND: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub(super) const DB: &str = "prod/db";
pub(super) const API: &str = "prod/api";

/// An organization under attack.
pub(super) struct Scene<'a> {
    pub(super) target: &'a Target,
    pub(super) catalog: Arc<InMemoryCatalog>,
    pub(super) objects: Arc<Objects>,
    pub(super) backend: BackendView,
    /// The key of the backend, as the provider opens it.
    pub(super) main: Arc<dyn KeyEncryptionKey>,
    /// The holder of the backend's escrow key.
    pub(super) escrow: AgeIdentity,
    /// The attacker's own identity.
    pub(super) theirs: AgeIdentity,
}

pub(super) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(super) fn names() -> WrapNames {
    WrapNames::secret(&"acme".parse().unwrap(), &name(DB))
}

/// Declares a recipient of age.
pub(super) fn recipient(text: &str) -> DeclaredKek {
    DeclaredKek {
        settings: KekSettings {
            kind: "age".to_owned(),
            configuration: [("recipient".to_owned(), text.into())].into(),
        },
        credential: Some(StoreCredential::new()),
    }
}

pub(super) fn second_recipient() -> DeclaredKek {
    recipient(SECOND)
}

impl<'a> Scene<'a> {
    /// Makes the secrets `prod/db`, with two versions, and `prod/api`.
    pub(super) async fn new(target: &'a Target) -> Self {
        let catalog = Arc::new(InMemoryCatalog::new());
        let objects = Arc::new(Objects::default());
        let escrow = AgeIdentity::parse(OURS).unwrap();
        let process = organization(target, &catalog, &objects);
        let keys = DeclaredKeys {
            encryption: target.main.clone(),
            escrow: vec![recipient(escrow.recipient())],
            ..DeclaredKeys::default()
        };
        let interrupt = Interrupt::default();
        let registered = process.backends().register(declaration(keys), &interrupt);
        let backend = registered.await.unwrap().view;
        let main = match &target.main {
            None => Arc::clone(&target.platform.0) as Arc<dyn KeyEncryptionKey>,
            Some(key) => {
                let credential = key.credential.clone().unwrap_or_default();
                let resolved = target.connector.resolve(&key.settings, &credential);
                let id = resolved.await.unwrap().id;
                let opened = target.connector.open(&key.settings, &credential, &id);
                opened.unwrap()
            }
        };
        let scene = Self {
            target,
            catalog,
            objects,
            backend,
            main,
            escrow,
            theirs: AgeIdentity::parse(THEIRS).unwrap(),
        };
        let db = scene.create(&scene.process(), DB, "one").await.unwrap();
        let further = UpdateSecret {
            name: db.name.clone(),
            uuid: db.uuid,
            generation: db.generation,
            stamp: Some(db.owner.stamp),
            source: Some(ValueSource::Given(SecretValue::Text("two".into()))),
            current: None,
            heals: false,
            metadata: db.metadata.clone(),
            arguments: db.arguments.clone(),
        };
        let process = scene.process();
        process.secrets().update(further, &interrupt).await.unwrap();
        scene.create(&scene.process(), API, "three").await.unwrap();
        scene.expect_intact().await;
        scene
    }

    pub(super) fn process(&self) -> Organization {
        organization(self.target, &self.catalog, &self.objects)
    }

    /// Starts a process that pins these keys besides those of the organization and the backend.
    pub(super) fn pinned(&self, others: &[&KekId]) -> Organization {
        let (kek, mac_kek) = &self.target.platform;
        let own = [kek.id(), mac_kek.id(), self.main.id()];
        let allowed = own.iter().chain(others).map(|id| pin_of(id));
        self.process().with_pins(KekPins {
            organization: None,
            allowed_key_ids: Some(allowed.collect()),
        })
    }

    pub(super) async fn create(
        &self,
        process: &Organization,
        named: &str,
        value: &str,
    ) -> Result<SecretView, OperationError> {
        let create = CreateSecret {
            name: name(named),
            backend: Some("vault".parse().unwrap()),
            source: ValueSource::Given(SecretValue::Text(value.into())),
            metadata: SecretMetadata::default(),
            arguments: SecretArguments {
                value_wo_version: Some("1".to_owned()),
                generate: None,
                copy_from: None,
                deletion_protection: false,
                on_destroy: OnDestroy::Delete,
                keep_versions: 10,
                takes_over: None,
            },
            replaces: Vec::new(),
        };
        let interrupt = Interrupt::default();
        process.secrets().create(create, &interrupt).await
    }

    pub(super) async fn open(&self, version: u64) -> Result<String, OperationError> {
        let process = self.process();
        let selector = Selector::Name(name(DB));
        let opened = process.secrets().open(&selector, Some(version)).await?;
        Ok(text_of(opened.value))
    }

    pub(super) async fn verify(&self, drill: Option<&dyn KeyEncryptionKey>) -> Verification {
        let what = Verify {
            backend: None,
            drill,
        };
        let process = self.process();
        let interrupt = Interrupt::default();
        let verified = process.keys().verify(what, &|_| {}, &interrupt).await;
        verified.unwrap()
    }

    pub(super) async fn rewrap(
        &self,
        process: &Organization,
    ) -> Result<RewrapProgress, OperationError> {
        let interrupt = Interrupt::default();
        let vault = "vault".parse().unwrap();
        process.keys().rewrap(&vault, &|_| {}, &interrupt).await
    }

    /// Declares other escrow keys for the backend.
    pub(super) async fn change_escrow(&self, escrow: Vec<DeclaredKek>) -> BackendView {
        let update = UpdateBackend {
            name: self.backend.name.clone(),
            uuid: self.backend.uuid,
            seen: Some(self.backend.generation),
            stamp: Some(self.backend.owner.stamp),
            description: None,
            settings: self.backend.settings.clone(),
            credential: None,
            keys: DeclaredKeys {
                encryption: self.target.main.clone(),
                escrow,
                ..DeclaredKeys::default()
            },
            arguments: self.backend.arguments.clone(),
        };
        let interrupt = Interrupt::default();
        let process = self.process();
        process.backends().update(update, &interrupt).await.unwrap()
    }

    /// Opens an envelope with a key alone, as an operator does without a platform.
    pub(super) async fn break_glass(
        &self,
        key: &dyn KeyEncryptionKey,
        envelope: &Envelope,
    ) -> Option<String> {
        let (context, names) = (envelope.context().clone(), names());
        let mut wraps = envelope.wrapped_keys().iter();
        let (id, wrapped) = wraps.find(|(id, _)| id == key.id())?;
        let bound = names.bound(envelope.binding_in(&context, id));
        let data_key = key.unwrap(wrapped, bound).await.ok()?;
        let opened = envelope.open(&data_key, &context).ok()?;
        Some(text_of(
            SecretValue::from_plaintext(&opened.plaintext).ok()?,
        ))
    }

    /// Expects that all versions open and verify.
    pub(super) async fn expect_intact(&self) {
        assert_eq!(self.open(1).await.unwrap(), "one");
        assert_eq!(self.open(2).await.unwrap(), "two");
        assert_eq!(self.verify(None).await.findings, []);
    }

    /// Expects that the provider does not open a version.
    pub(super) async fn expect_refused(&self, version: u64) {
        let opened = self.open(version).await;
        let refused = matches!(opened, Err(OperationError::EnvelopeRefused { .. }));
        assert!(refused, "{opened:?}");
    }

    /// Expects that the provider does not open a version, and that `verify` finds it.
    pub(super) async fn expect_refused_and_found(&self, version: u64) {
        self.expect_refused(version).await;
        let verified = self.verify(None).await;
        let mut findings = verified.findings.iter();
        let found = findings.any(|found| {
            let is_it = (found.subject.as_str(), found.version) == (DB, Some(version));
            is_it && found.problem == Problem::Envelope
        });
        assert!(found, "{verified:?}");
    }
}

fn text_of(value: SecretValue) -> String {
    match value {
        SecretValue::Text(text) => text.expose().to_owned(),
        SecretValue::KeyValue(_) | SecretValue::Binary(_) => panic!("no text"),
    }
}

fn organization(
    target: &Target,
    catalog: &Arc<InMemoryCatalog>,
    objects: &Arc<Objects>,
) -> Organization {
    let (kek, mac_kek) = &target.platform;
    let platform = Platform {
        catalog: Arc::clone(catalog) as _,
        kek: Arc::clone(kek),
        mac_kek: Arc::clone(mac_kek),
        former_keks: Vec::new(),
        kek_connector: Arc::clone(&target.connector),
        store: Arc::new(InMemoryStore::default()),
        connector: Arc::new(Connector(Arc::clone(objects))),
    };
    Organization::new("acme".parse().unwrap(), platform)
}

fn declaration(keys: DeclaredKeys) -> RegisterBackend {
    RegisterBackend {
        name: "vault".parse().unwrap(),
        description: None,
        settings: StoreSettings {
            kind: "memory".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: BTreeMap::new(),
        },
        fixed: Vec::new(),
        credential: StoreCredential::new(),
        keys,
        arguments: BackendArguments {
            credentials_wo_version: Some("1".to_owned()),
            verify_connection: false,
            on_destroy: BackendOnDestroy::Delete,
        },
    }
}
