//! Exact number of requests on the wire that run in a row, and of all requests.

use std::time::Duration;

use futures_util::future::join_all;
use planton_core::operations::Refreshed;
use xtask::bucket::BucketService;

use super::process::Process;
use super::stores::on_each_service;
use super::support::Place;

on_each_service!(
    a_lifecycle_takes_the_documented_requests,
    sixty_four_creations_are_under_way_at_once,
);

/// The delay of each request. Requests that are sent side by side overlap even on a busy
/// machine.
const PACE: Duration = Duration::from_millis(150);

/// All requests of a use case, and those in a row.
type Cost = (usize, usize);

/// Runs a use case and the removals after its response. Returns its cost, and the cost of
/// both.
async fn cost<T>(
    place: &Place,
    process: &Process,
    use_case: impl Future<Output = T>,
) -> (T, [Cost; 2]) {
    let proxy = place.proxy();
    proxy.forget();
    // A removal may have begun with the response, and has no answer yet.
    let answered = || {
        let requests = proxy.requests();
        let answered = requests.iter().filter(|seen| seen.status().is_some());
        (answered.count(), proxy.in_a_row())
    };
    let result = use_case.await;
    let cost = answered();
    process.settle().await;
    (result, [cost, answered()])
}

async fn a_lifecycle_takes_the_documented_requests(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let process = Process::warm(&place).await;
    place.proxy().pace(PACE);
    let (created, creation) = cost(&place, &process, process.create("db", "v1")).await;
    let created = created.unwrap();
    let (rotated, rotation) = cost(&place, &process, process.rotate(&created, "v2")).await;
    let rotated = rotated.unwrap();
    let (edited, edit) = cost(&place, &process, process.edit(&rotated, "new")).await;
    let edited = edited.unwrap();
    let (refreshed, refresh) = cost(&place, &process, process.refresh(&edited)).await;
    assert!(matches!(refreshed.unwrap(), Refreshed::Present(_)));
    let (destroyed, destroy) = cost(&place, &process, process.destroy(&edited)).await;
    destroyed.unwrap();
    let (again, over_tombstone) = cost(&place, &process, process.create("db", "v3")).await;
    again.unwrap();
    assert_eq!(creation, [(3, 3); 2], "record; put; commit");
    let removal = "record; put; commit; then the version before";
    assert_eq!(rotation, [(3, 3), (4, 4)], "{removal}");
    assert_eq!(edit, [(2, 2); 2], "record; commit");
    assert_eq!(refresh, [(2, 2); 2], "record; version");
    // The version is deleted beside a listing of others. A record has no history.
    assert_eq!(destroy, [(5, 4); 2], "record; mark; object; tombstone");
    assert_eq!(over_tombstone, [(3, 3); 2], "record; put; commit");
}

/// Nothing in the process limits how many requests are under way, as with `-parallelism=64`. How
/// many are in a row depends on the stand-in, which may serve one at a time.
async fn sixty_four_creations_are_under_way_at_once(service: BucketService) {
    const AT_ONCE: usize = 64;
    let place = Place::new(service).behind_proxy();
    let process = Process::warm(&place).await;
    place.proxy().pace(4 * PACE);
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("db-{number}")).collect();
    let creations = names.iter().map(|named| process.create(named, "v1"));
    let (created, [(requests, _), _]) = cost(&place, &process, join_all(creations)).await;
    for created in created {
        created.unwrap();
    }
    assert!(requests >= 3 * AT_ONCE, "{requests}: record; put; commit");
    // A busy machine may send the last ones when the first ones have their answers.
    let at_once = place.proxy().at_once();
    assert!(at_once > AT_ONCE / 2, "{at_once}");
}
