//! The store of a backend, in which an attacker writes as its administrator can.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use planton_core::store::{
    ConnectStore, Deletion, DescribeOptions, InMemoryStore, NativeVersionId, PutOptions,
    RemoteName, SecretStore, StoreCapability, StoreCredential, StoreError, StoreSettings,
    VersionStatus,
};

/// Where an envelope is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) object: RemoteName,
    pub(super) version: NativeVersionId,
}

/// A store whose administrator has replaced what stands at some places.
#[derive(Debug, Default)]
pub(super) struct Objects {
    inner: InMemoryStore,
    planted: Mutex<HashMap<Place, Vec<u8>>>,
}

impl Objects {
    /// Replaces what stands at a place, without a trace.
    pub(super) fn plant(&self, place: &Place, payload: Vec<u8>) {
        self.planted.lock().unwrap().insert(place.clone(), payload);
    }

    /// Returns what was put.
    pub(super) fn payloads(&self) -> Vec<Vec<u8>> {
        self.inner.payloads()
    }
}

#[async_trait]
impl SecretStore for Objects {
    fn capability(&self) -> &StoreCapability {
        self.inner.capability()
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        self.inner.put(name, payload, options).await
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        let place = Place {
            object: name.clone(),
            version: version.clone(),
        };
        let planted = self.planted.lock().unwrap().get(&place).cloned();
        match planted {
            Some(payload) => Ok(payload),
            None => self.inner.get(name, version).await,
        }
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        self.inner.describe(name, options).await
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        self.inner.delete(name, what).await
    }
}

/// Opens the store at any place.
#[derive(Debug)]
pub(super) struct Connector(pub(super) Arc<Objects>);

#[async_trait]
impl ConnectStore for Connector {
    fn capabilities(&self) -> Vec<StoreCapability> {
        vec![self.0.capability().clone()]
    }

    fn check(&self, _: &StoreSettings, _: Option<&StoreCredential>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn connect(
        &self,
        _: &StoreSettings,
        _: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        Ok(Arc::clone(&self.0) as _)
    }
}
