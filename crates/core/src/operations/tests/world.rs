//! A platform in memory that counts its calls.

use std::ops::Sub;
use std::sync::Arc;

use super::doubles::TestConnector;
pub(super) use super::kek_doubles::KekVerb;
use super::kek_doubles::{TestKek, TestKekConnector};
pub(super) use super::requests::*;
use crate::catalog::{
    CatalogErrorKind, CatalogStore, CatalogVerb, InMemoryCatalog, RecordKey, SecretDocument,
    StoredRecord, record_key_of_name,
};
use crate::names::SecretName;
use crate::operations::{OperationError, Organization, Platform, Run, Selector};
use crate::store::{
    Fault, InMemoryStore, Landing, NativeVersionId, RemoteName, StoreErrorKind, StoreVerb,
};

/// Number of calls of each kind.
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

/// A platform in memory, shared by any number of processes.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) catalog: Arc<InMemoryCatalog>,
    pub(super) store: Arc<InMemoryStore>,
    pub(super) kek: Arc<TestKek>,
    pub(super) mac_kek: Arc<TestKek>,
    pub(super) kek_connector: Arc<TestKekConnector>,
    pub(super) connector: Arc<TestConnector>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_store(InMemoryStore::default())
    }

    pub(super) fn with_store(store: InMemoryStore) -> Self {
        let kek = Arc::new(TestKek::generate());
        Self {
            catalog: Arc::new(InMemoryCatalog::new()),
            store: Arc::new(store),
            mac_kek: Arc::clone(&kek),
            kek,
            kek_connector: Arc::default(),
            connector: Arc::new(TestConnector::default()),
        }
    }

    /// Starts another process on this platform.
    pub(super) fn process(&self) -> Organization {
        Organization::new(acme(), self.platform())
    }

    /// Starts a process of a run that resumes the run of `interrupted`.
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
            mac_kek: Arc::clone(&self.mac_kek) as _,
            former_keks: Vec::new(),
            kek_connector: Arc::clone(&self.kek_connector) as _,
            store: Arc::clone(&self.store) as _,
            connector: Arc::clone(&self.connector) as _,
        }
    }

    /// Starts a process that has completed the first use of the organization.
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

    /// Writes the document of `name` with a valid MAC, as another process with the key could.
    pub(super) async fn write_document(&self, name: &SecretName, document: &SecretDocument) {
        let organization = self.warm().await;
        let key = record_key_of_name(name);
        let body = serde_json::to_string(document).unwrap();
        let mac_key = organization.keys().mac_key().await.unwrap();
        let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
        self.catalog.overwrite(&key, StoredRecord { body, mac });
    }

    /// Changes the body of the record of `name` by hand, and keeps its MAC.
    pub(super) async fn alter(&self, name: &SecretName, change: impl FnOnce(&str) -> String) {
        self.alter_key(record_key_of_name(name).as_str(), change)
            .await;
    }

    /// Changes the body of the record under `key`, with a valid MAC.
    pub(super) async fn forge(&self, key: &str, change: impl FnOnce(&str) -> String) {
        let organization = self.warm().await;
        let key = RecordKey::new(key);
        let body = change(&self.stored(&key).await.unwrap().body);
        let mac_key = organization.keys().mac_key().await.unwrap();
        let mac = hex::encode(mac_key.mac(key.as_str(), body.as_bytes()));
        self.catalog.overwrite(&key, StoredRecord { body, mac });
    }

    /// Changes the body of the record under `key` by hand, and keeps its MAC.
    pub(super) async fn alter_key(&self, key: &str, change: impl FnOnce(&str) -> String) {
        let key = RecordKey::new(key);
        let stored = self.stored(&key).await.unwrap();
        let body = change(&stored.body);
        assert_ne!(body, stored.body, "nothing was altered");
        self.catalog
            .overwrite(&key, StoredRecord { body, ..stored });
    }

    /// Checks that the store has every version that the documents of `names` name. Returns
    /// the number of versions that no document names.
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

    /// Opens the current value of `named` in a separate process.
    pub(super) async fn value(&self, named: &str) -> Result<String, OperationError> {
        let opened = self
            .process()
            .secrets()
            .open(&Selector::Name(name(named)), None)
            .await?;
        Ok(exposed(&opened.value))
    }
}
