//! A store that records which versions exist.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, NativeVersionId, PutOptions, RemoteName,
    SecretStore, StoreCapability, StoreError, VersionStatus,
};

/// The payloads of an object's versions.
pub(super) type Versions = BTreeMap<String, Vec<u8>>;

/// Forwards every call, and records acknowledged changes.
#[derive(Debug)]
pub struct Recorded<S> {
    store: S,
    left: Mutex<BTreeMap<String, Versions>>,
}

impl<S: SecretStore> Recorded<S> {
    pub fn new(store: S) -> Self {
        Self {
            store,
            left: Mutex::default(),
        }
    }

    /// Returns the versions that must exist, by name and native identifier.
    pub fn left(&self) -> BTreeMap<String, Versions> {
        self.record().clone()
    }

    fn record(&self) -> MutexGuard<'_, BTreeMap<String, Versions>> {
        self.left.lock().unwrap()
    }
}

#[async_trait]
impl<S: SecretStore> SecretStore for Recorded<S> {
    fn capability(&self) -> &StoreCapability {
        self.store.capability()
    }

    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        self.store.foreign()
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        let id = self.store.put(name, payload, options).await?;
        let mut record = self.record();
        let versions = record.entry(name.to_string()).or_default();
        versions.insert(id.to_string(), payload.to_owned());
        Ok(id)
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, version).await
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        self.store.describe(name, options).await
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        self.store.delete(name, what.clone()).await?;
        let mut record = self.record();
        match what {
            Deletion::Versions(gone) if self.capability().deletes_versions => {
                if let Some(versions) = record.get_mut(name.as_str()) {
                    versions.retain(|id, _| !gone.iter().any(|gone| gone.as_str() == id));
                }
            }
            Deletion::Versions(_) => {}
            _ => drop(record.remove(name.as_str())),
        }
        Ok(())
    }
}
