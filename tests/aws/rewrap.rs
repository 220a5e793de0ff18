//! Tests rewraps: what AWS keeps of the versions that they supersede, and of those that are committed
//! where two rewraps meet.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use planton_core::catalog::{CatalogStore, InMemoryCatalog};
use planton_core::kek::LocalKek;
use planton_core::names::Slug;
use planton_core::operations::{
    CreateSecret, Interrupt, KeptEnvelope, OnDestroy, Organization, PLATFORM_BACKEND, Platform,
    RewrapProgress, SecretArguments, SecretMetadata, SecretValue, UpdateSecret, ValueSource,
};
use planton_core::store::{
    Deletion, DescribeOptions, NativeVersionId, PutAgain, PutOptions, RemoteName, SecretStore,
    StoreCapability, StoreError, VersionStatus,
};
use planton_envelope::RootKey;
use planton_vendors::aws::AwsSecretsManagerStore;
use planton_vendors::{Connector, KekConnector};

use super::support::{Place, status};

/// A place whose first repeated put waits for the rewrap of another process.
#[derive(Debug)]
struct Preempted {
    inner: AwsSecretsManagerStore,
    rival: Mutex<Option<Organization>>,
}

#[async_trait]
impl SecretStore for Preempted {
    fn capability(&self) -> &StoreCapability {
        self.inner.capability()
    }

    fn evicts(&self, later: &NativeVersionId, earlier: &NativeVersionId) -> bool {
        self.inner.evicts(later, earlier)
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        self.inner.put(name, payload, options).await
    }

    async fn put_again(
        &self,
        name: &RemoteName,
        payload: &[u8],
        again: PutAgain,
    ) -> Result<NativeVersionId, StoreError> {
        let rival = self.rival.lock().unwrap().take();
        if let Some(rival) = rival {
            rewrapped(&rival).await;
        }
        self.inner.put_again(name, payload, again).await
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        self.inner.get(name, version).await
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

async fn rewrapped(process: &Organization) -> RewrapProgress {
    let (interrupt, platform) = (Interrupt::default(), PLATFORM_BACKEND.parse().unwrap());
    let rewrap = process.keys().rewrap(&platform, &|_| {}, &interrupt);
    rewrap.await.unwrap()
}

fn value(number: u64) -> ValueSource {
    ValueSource::Given(SecretValue::Text(format!("value {number}").as_str().into()))
}

/// Creates a secret with this many versions.
async fn versions(process: &Organization, count: u64) {
    let arguments = SecretArguments {
        value_wo_version: None,
        generate: None,
        copy_from: None,
        deletion_protection: false,
        on_destroy: OnDestroy::Delete,
        keep_versions: 16,
        takes_over: None,
    };
    let interrupt = Interrupt::default();
    let create = CreateSecret {
        name: "db".parse().unwrap(),
        backend: None,
        source: value(1),
        metadata: SecretMetadata::default(),
        arguments: arguments.clone(),
        replaces: Vec::new(),
    };
    let mut view = process.secrets().create(create, &interrupt).await.unwrap();
    for number in 2..=count {
        let update = UpdateSecret {
            name: view.name.clone(),
            uuid: view.uuid,
            generation: view.generation,
            stamp: Some(view.owner.stamp),
            source: Some(value(number)),
            heals: false,
            current: None,
            metadata: SecretMetadata::default(),
            arguments: arguments.clone(),
        };
        view = process.secrets().update(update, &interrupt).await.unwrap();
    }
}

/// Returns the object and the versions that the only record of a secret names.
async fn committed(catalog: &InMemoryCatalog) -> (RemoteName, Vec<NativeVersionId>) {
    let keys = catalog.list("secrets").await.unwrap();
    let stored = catalog.read(&keys[0]).await.unwrap().unwrap().0;
    let record: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
    let secret = &record["current"];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let versions = secret["versions"].as_array().unwrap().iter();
    let versions = versions.map(|version| NativeVersionId::new(text(&version["native_id"])));
    (
        RemoteName::new(text(&secret["remote_name"])),
        versions.collect(),
    )
}

/// Makes a former key and a present one.
fn keys(organization: &Slug) -> [Arc<LocalKek>; 2] {
    [(); 2].map(|()| {
        let root = RootKey::generate().unwrap();
        Arc::new(LocalKek::new(&root, organization))
    })
}

/// Returns the organization of a new process, whose key was rotated or not.
fn organization(
    slug: &Slug,
    catalog: &Arc<InMemoryCatalog>,
    [former, present]: &[Arc<LocalKek>; 2],
    (store, is_rotated): (Arc<dyn SecretStore>, bool),
) -> Organization {
    let platform = Platform {
        catalog: Arc::clone(catalog) as _,
        kek: if is_rotated { present } else { former }.clone(),
        mac_kek: former.clone(),
        former_keks: vec![former.clone()],
        kek_connector: Arc::new(KekConnector::default()),
        store,
        connector: Arc::new(Connector::default()),
    };
    Organization::new(slug.clone(), platform)
}

#[tokio::test]
async fn a_rewrap_names_each_superseded_version_that_aws_keeps() {
    let place = Place::new().await;
    place.moto.keep_unlabelled(&place.unique).unwrap();
    let slug = Slug::parse(&place.unique).unwrap();
    let catalog = Arc::new(InMemoryCatalog::new());
    let keys = keys(&slug);
    let store: Arc<dyn SecretStore> = Arc::new(place.store());
    let process = |is_rotated| organization(&slug, &catalog, &keys, (store.clone(), is_rotated));
    versions(&process(false), 2).await;
    let (object, before) = committed(&catalog).await;
    let progress = rewrapped(&process(true)).await;
    assert_eq!((progress.rewrapped, progress.failed.len()), (2, 0));
    let superseded = before.into_iter().map(|version| KeptEnvelope {
        object: object.clone(),
        version,
    });
    assert_eq!(progress.kept, superseded.collect::<Vec<_>>());
    for kept in &progress.kept {
        store.get(&kept.object, &kept.version).await.unwrap();
    }
}

/// With 14 versions or more, a single label is free for a rewrap, so two choose the same. The
/// one that loses takes it from an older version, which has no other. AWS keeps that one for a
/// day at least.
#[tokio::test]
async fn a_rewrap_that_loses_to_another_one_leaves_each_version_a_label() {
    for count in [1, 14, 15, 16] {
        let place = Place::new().await;
        place.moto.keep_unlabelled(&place.unique).unwrap();
        let slug = Slug::parse(&place.unique).unwrap();
        let catalog = Arc::new(InMemoryCatalog::new());
        let keys = keys(&slug);
        let process = |store, is_rotated| organization(&slug, &catalog, &keys, (store, is_rotated));
        let first = process(Arc::new(place.store()), false);
        versions(&first, count).await;
        let rival = process(Arc::new(place.store()), true);
        let preempted = Preempted {
            inner: place.store(),
            rival: Mutex::new(Some(rival)),
        };
        let late = rewrapped(&process(Arc::new(preempted), true)).await;
        assert_eq!(late.rewrapped, 0, "{count}: the rival came first");

        let (object, versions) = committed(&catalog).await;
        assert_eq!(versions.len(), usize::try_from(count).unwrap());
        let store = place.store();
        for (at, version) in versions.iter().enumerate() {
            let known = status(&store, &object, version).await.unwrap();
            assert_eq!(known, VersionStatus::Present, "{count}: {at}");
        }
    }
}
