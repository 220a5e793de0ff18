//! Exact number of requests on the wire that run in a row, and of all requests.

use std::time::Duration;

use planton_core::operations::Refreshed;
use xtask::bucket::BucketService;

use super::process::Process;
use super::stores::on_each_service;
use super::support::Place;

on_each_service!(a_lifecycle_takes_the_documented_requests);

/// The delay of each request. Requests that are sent side by side overlap even on a busy
/// machine.
const PACE: Duration = Duration::from_millis(150);

/// All requests of a use case, and those in a row.
type Cost = (usize, usize);

async fn cost<T>(place: &Place, use_case: impl Future<Output = T>) -> (T, Cost) {
    let proxy = place.proxy();
    proxy.forget();
    let result = use_case.await;
    let requests = proxy.requests();
    let slow: Vec<_> = requests
        .iter()
        .filter(|seen| seen.status().is_none())
        .collect();
    assert!(slow.is_empty(), "{slow:?}");
    (result, (requests.len(), proxy.in_a_row()))
}

async fn a_lifecycle_takes_the_documented_requests(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let process = Process::warm(&place).await;
    place.proxy().pace(PACE);
    let (created, creation) = cost(&place, process.create("db", "v1")).await;
    let created = created.unwrap();
    let (rotated, rotation) = cost(&place, process.rotate(&created, "v2")).await;
    let rotated = rotated.unwrap();
    let ((), pruning) = cost(&place, process.settle()).await;
    let (edited, edit) = cost(&place, process.edit(&rotated, "new")).await;
    let edited = edited.unwrap();
    let (refreshed, refresh) = cost(&place, process.refresh(&edited)).await;
    assert!(matches!(refreshed.unwrap(), Refreshed::Present(_)));
    let (destroyed, destroy) = cost(&place, process.destroy(&edited)).await;
    destroyed.unwrap();
    let ((), removal) = cost(&place, process.settle()).await;
    let (again, over_tombstone) = cost(&place, process.create("db", "v3")).await;
    again.unwrap();
    assert_eq!(creation, (3, 3), "record; put; commit");
    assert_eq!(rotation, (3, 3), "record; put; commit");
    assert_eq!(pruning, (1, 1), "the version before");
    assert_eq!(edit, (2, 2), "record; commit");
    assert_eq!(refresh, (2, 2), "record; version");
    // The version is deleted beside a listing of others.
    assert_eq!(destroy, (5, 4), "record; mark; object; tombstone");
    assert_eq!(removal, (0, 0), "a record has no history");
    assert_eq!(over_tombstone, (3, 3), "record; put; commit");
}
