//! Processes of an organization on a bucket, with caches of their own.

use std::sync::{Arc, LazyLock};

use planton_core::kek::LocalKek;
use planton_core::operations::{
    CreateSecret, CurrentVersion, DeleteSecret, Interrupt, OnDestroy, OperationError, Organization,
    Platform, Refreshed, SecretArguments, SecretMetadata, SecretValue, SecretView, Selector,
    UpdateSecret, ValueSource,
};
use planton_envelope::RootKey;
use planton_vendors::bucket::{Bucket, BucketCatalog, BucketStore};
use planton_vendors::{Connector, KekConnector};
use test_support::refresh_listing::seen;

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
        Self(Organization::new(organization(), platform(bucket)))
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
        let create = CreateSecret {
            name: named.parse().unwrap(),
            backend: None,
            source: given(value),
            metadata: SecretMetadata::default(),
            arguments: SecretArguments {
                value_wo_version: None,
                generate: None,
                copy_from: None,
                deletion_protection: false,
                on_destroy: OnDestroy::Delete,
                keep_versions: 1,
                takes_over: None,
            },
            replaces: Vec::new(),
        };
        let interrupt = Interrupt::default();
        self.0.secrets().create(create, &interrupt).await
    }

    pub(crate) async fn rotate(
        &self,
        view: &SecretView,
        value: &str,
    ) -> Result<SecretView, OperationError> {
        let update = UpdateSecret {
            source: Some(given(value)),
            ..edited(view)
        };
        let interrupt = Interrupt::default();
        self.0.secrets().update(update, &interrupt).await
    }

    pub(crate) async fn edit(
        &self,
        view: &SecretView,
        description: &str,
    ) -> Result<SecretView, OperationError> {
        let mut update = edited(view);
        update.metadata.description = Some(description.to_owned());
        let interrupt = Interrupt::default();
        self.0.secrets().update(update, &interrupt).await
    }

    pub(crate) async fn destroy(&self, view: &SecretView) -> Result<(), OperationError> {
        let delete = DeleteSecret {
            name: view.name.clone(),
            uuid: view.uuid,
            generation: view.generation,
            stamp: Some(view.owner.stamp),
        };
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
    let organization = organization();
    let kek = || Arc::new(LocalKek::new(&ROOT, &organization));
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

fn given(value: &str) -> ValueSource {
    ValueSource::Given(SecretValue::Text(value.into()))
}

/// Returns an update that changes nothing.
fn edited(view: &SecretView) -> UpdateSecret {
    UpdateSecret {
        name: view.name.clone(),
        uuid: view.uuid,
        generation: view.generation,
        stamp: Some(view.owner.stamp),
        source: None,
        current: view.version.as_ref().map(|version| CurrentVersion {
            backend: view.backend.clone(),
            backend_uuid: view.backend_seen.as_ref().map(|seen| seen.uuid),
            number: version.number,
        }),
        heals: false,
        metadata: view.metadata.clone(),
        arguments: view.arguments.clone(),
    }
}
