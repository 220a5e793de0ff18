//! Runs the conformance suites of catalogs and of stores, with the listing.

use async_trait::async_trait;
use planton_core::catalog;
use planton_core::store::conformance::{self, Gap, Sabotage, Sabotaged};
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
    /// Returns the key of a version's object, if it is there.
    fn key(&self, name: &RemoteName, version: &NativeVersionId) -> Option<String> {
        let (leaf, _) = version.as_str().rsplit_once('-').unwrap();
        let mut keys = self.0.keys(&format!("/objects/{name}/{leaf}"));
        assert!(keys.len() <= 1, "{keys:?}");
        keys.pop()
    }
}

#[async_trait]
impl Sabotage for Person {
    async fn remove_version(&self, name: &RemoteName, version: &NativeVersionId) -> Sabotaged {
        self.0
            .way
            .remove(&self.key(name, version).unwrap())
            .unwrap();
        Sabotaged::Done
    }

    async fn remove_object(&self, name: &RemoteName, versions: &[NativeVersionId]) {
        for key in versions
            .iter()
            .filter_map(|version| self.key(name, version))
        {
            self.0.way.remove(&key).unwrap();
        }
    }

    /// A person who uploads another content does not know our metadata.
    async fn replace_version(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
        payload: &[u8],
    ) -> Sabotaged {
        let key = self.key(name, version).unwrap();
        self.0.way.replace(&key, payload).unwrap();
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
    let anew = (
        "put_of_a_further_version_makes_no_object",
        Gap::MakesObjectsAnew,
    );
    assert_eq!(gaps.all(), [anew], "each version is an object of its own");
}

async fn the_store_passes_the_conformance_suite_of_drift(service: BucketService) {
    let place = Place::new(service);
    let store = place.store();
    let gaps = conformance::run_drift(&store, &Person(place), "drift").await;
    assert_eq!(gaps.unwrap().all(), []);
}
