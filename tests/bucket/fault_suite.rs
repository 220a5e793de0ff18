//! Runs the fault suite of stores.

use async_trait::async_trait;
use planton_core::store::RemoteName;
use test_support::store_faults::{self, Bench, CountVersions, Requests, Step};
use xtask::bucket::BucketService;
use xtask::faults::Match;

use super::stores::on_each_service;
use super::support::Place;

on_each_service!(the_store_passes_the_fault_suite);

/// Counts the objects of a name.
struct Objects<'a>(&'a Place);

#[async_trait]
impl CountVersions for Objects<'_> {
    async fn count(&self, name: &RemoteName) -> usize {
        self.0.keys(&format!("/objects/{name}/")).len()
    }
}

/// Returns the request of each verb.
fn requests(place: &Place) -> Requests {
    let of = |method| Match::method(method).and(Match::path("/objects/"));
    Requests {
        put: vec![Step {
            looks: true,
            ..Step::new(place.service().creations())
        }],
        get: Step::new(of("GET")),
        describe: Step::new(of("HEAD")),
        delete: Step {
            // The store lists other versions.
            beside: 1,
            ..Step::new(of("DELETE"))
        },
    }
}

async fn the_store_passes_the_fault_suite(service: BucketService) {
    let place = Place::new(service);
    let proxied = place.behind_proxy();
    let bench = Bench {
        proxy: proxied.proxy(),
        store: &proxied.store_with(store_faults::patient(proxied.http())),
        hasty: &proxied.store_with(store_faults::hasty(proxied.http())),
        direct: &place.store(),
        versions: &Objects(&place),
        requests: requests(&place),
        spares: 0,
        prefix: "faults".to_owned(),
    };
    store_faults::run_all(&bench).await;
}
