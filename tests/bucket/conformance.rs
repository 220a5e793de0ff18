//! Runs the conformance suites of catalogs and of stores, with the listing.

use async_trait::async_trait;
use planton_core::catalog;
use planton_core::store::conformance::{self, Sabotage, Sabotaged};
use planton_core::store::{NativeVersionId, RemoteName};
use xtask::bucket::BucketService;

use super::stores::on_each_service;
use super::support::Place;

on_each_service!(
    the_catalog_passes_the_conformance_suite,
    the_store_passes_the_conformance_suite,
    the_store_passes_the_conformance_suite_of_drift,
);

/// A person with the vendor's console.
struct Person(Place);

impl Person {
    /// Returns the key of a version's object.
    fn key(&self, name: &RemoteName, version: &NativeVersionId) -> String {
        let (leaf, _) = version.as_str().rsplit_once('-').unwrap();
        let [key] = &self.0.keys(&format!("/objects/{name}/{leaf}"))[..] else {
            panic!("not one object of {name} and {version}")
        };
        key.clone()
    }
}

#[async_trait]
impl Sabotage for Person {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        self.0.way.remove(&self.key(name, version)).unwrap();
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]) {
        for version in versions {
            self.0.way.remove(&self.key(name, version)).unwrap();
        }
    }

    /// A person who uploads another content does not know our metadata.
    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        self.0
            .way
            .replace(&self.key(name, version), payload)
            .unwrap();
        Sabotaged::Done
    }
}

async fn the_catalog_passes_the_conformance_suite(service: BucketService) {
    let place = Place::new(service);
    catalog::conformance::run_all(&place.catalog(), "all").await;
}

async fn the_store_passes_the_conformance_suite(service: BucketService) {
    let place = Place::new(service);
    let gaps = conformance::run_all(&place.store(), "all").await.unwrap();
    assert_eq!(gaps.all(), [], "it lacks nothing");
}

async fn the_store_passes_the_conformance_suite_of_drift(service: BucketService) {
    let place = Place::new(service);
    let store = place.store();
    let gaps = conformance::run_drift(&store, &Person(place), "drift").await;
    assert_eq!(gaps.unwrap().all(), []);
}
