//! Processes of an organization on a bucket, with caches of their own.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use planton_core::catalog::{CatalogError, CatalogStore, RecordKey, Revision, StoredRecord};
use planton_core::kek::LocalKek;
use planton_core::names::Slug;
use planton_core::operations::{
    Interrupt, OperationError, Organization, Platform, Refreshed, SecretValue, SecretView, Selector,
};
use planton_envelope::RootKey;
use planton_vendors::bucket::{Bucket, BucketCatalog, BucketStore};
use planton_vendors::{Connector, KekConnector};
use test_support::refresh_listing::seen;
use test_support::secret_requests::{creation, destruction, edit, rotation};

use super::support::{Place, organization};

/// The key file of all processes.
static ROOT: LazyLock<RootKey> = LazyLock::new(|| RootKey::generate().unwrap());

/// A process of an organization.
pub(crate) struct Process(Organization);

impl Process {
    /// Starts a process that reaches the bucket on this way.
    pub(crate) fn start(place: &Place) -> Self {
        Self::on(&place.open())
    }

    /// Starts a process with this client of the bucket.
    pub(crate) fn on(bucket: &Bucket) -> Self {
        Self::in_organization(&organization(), bucket)
    }

    /// Starts a process of another organization.
    pub(crate) fn in_organization(slug: &Slug, bucket: &Bucket) -> Self {
        Self(Organization::new(slug.clone(), platform_of(slug, bucket)))
    }

    /// As [`in_organization`](Self::in_organization), whose first use does not probe the bucket.
    pub(crate) fn without_probe(slug: &Slug, bucket: &Bucket) -> Self {
        let platform = platform_of(slug, bucket);
        let catalog = Arc::new(Unprobed(platform.catalog));
        Self(Organization::new(
            slug.clone(),
            Platform {
                catalog,
                ..platform
            },
        ))
    }

    /// Starts a process that has used the organization before.
    pub(crate) async fn warm(place: &Place) -> Self {
        let process = Self::start(place);
        let named = format!("warm-{}", uuid::Uuid::new_v4().simple());
        process.create(&named, "warm").await.unwrap();
        process
    }

    pub(crate) async fn create(
        &self,
        named: &str,
        value: &str,
    ) -> Result<SecretView, OperationError> {
        let create = creation(named, value);
        let interrupt = Interrupt::default();
        self.0.secrets().create(create, &interrupt).await
    }

    pub(crate) async fn rotate(
        &self,
        view: &SecretView,
        value: &str,
    ) -> Result<SecretView, OperationError> {
        let update = rotation(view, value);
        let interrupt = Interrupt::default();
        self.0.secrets().update(update, &interrupt).await
    }

    pub(crate) async fn edit(
        &self,
        view: &SecretView,
        description: &str,
    ) -> Result<SecretView, OperationError> {
        let mut update = edit(view);
        update.metadata.description = Some(description.to_owned());
        let interrupt = Interrupt::default();
        self.0.secrets().update(update, &interrupt).await
    }

    pub(crate) async fn destroy(&self, view: &SecretView) -> Result<(), OperationError> {
        let delete = destruction(view);
        let interrupt = Interrupt::default();
        let deleted = self.0.secrets().delete(&delete, &interrupt).await;
        deleted.map(drop)
    }

    pub(crate) async fn refresh(&self, view: &SecretView) -> Result<Refreshed, OperationError> {
        let mut request = seen(view);
        request.seen.iter_mut().for_each(|seen| seen.marks = None);
        self.0.secrets().refresh(&request).await
    }

    /// Returns its organization.
    pub(crate) fn organization(&self) -> &Organization {
        &self.0
    }

    /// Returns the value and the number of its version, or `None` if there is no secret.
    pub(crate) async fn value(&self, named: &str) -> Option<(String, u64)> {
        let selector = Selector::Name(named.parse().unwrap());
        match self.0.secrets().open(&selector, None).await {
            Ok(opened) => match &opened.value {
                SecretValue::Text(text) => Some((text.expose().to_owned(), opened.version)),
                other => panic!("{named} is no text: {other:?}"),
            },
            Err(OperationError::SecretNotFound { .. }) => None,
            Err(error) => panic!("{named}: {error:?}"),
        }
    }

    /// Waits for the removals that follow responses.
    pub(crate) async fn settle(&self) {
        self.0.settle().await;
    }
}

/// Returns the platform of a process with this client of the bucket.
pub(crate) fn platform(bucket: &Bucket) -> Platform {
    platform_of(&organization(), bucket)
}

fn platform_of(organization: &Slug, bucket: &Bucket) -> Platform {
    let kek = || Arc::new(LocalKek::new(&ROOT, organization));
    Platform {
        catalog: Arc::new(BucketCatalog::new(bucket, organization.clone())),
        kek: kek(),
        mac_kek: kek(),
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(BucketStore::new(bucket, organization.clone())),
        connector: Arc::new(Connector::default()),
    }
}

/// The catalog of a bucket that passes for usable without a probe.
#[derive(Debug)]
struct Unprobed(Arc<dyn CatalogStore>);

#[async_trait]
impl CatalogStore for Unprobed {
    async fn expect_usable(&self) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn read(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.0.read(key).await
    }

    async fn read_fenced(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(StoredRecord, Revision)>, CatalogError> {
        self.0.read_fenced(key).await
    }

    async fn expect_never_deleted(&self, key: &RecordKey) -> Result<(), CatalogError> {
        self.0.expect_never_deleted(key).await
    }

    async fn write(
        &self,
        key: &RecordKey,
        record: &StoredRecord,
        expected: Revision,
    ) -> Result<Revision, CatalogError> {
        self.0.write(key, record, expected).await
    }

    async fn forget_history(&self, key: &RecordKey, present: Revision) -> Result<(), CatalogError> {
        self.0.forget_history(key, present).await
    }

    async fn remove(&self, key: &RecordKey) -> Result<(), CatalogError> {
        self.0.remove(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<RecordKey>, CatalogError> {
        self.0.list(prefix).await
    }
}
