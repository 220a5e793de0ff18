//! What a listing may cost, and what one in vain costs.

use std::time::Duration;

use tokio::time::Instant;

use super::{LISTED, Place, SERVES, are_present, request, rotated, singly};
use crate::catalog::{CatalogErrorKind, CatalogVerb};
use crate::deadline::OperationContext;
use crate::operations::Refreshed;
use crate::store::{Fault, Landing, StoreErrorKind, StoreVerb};

#[tokio::test(start_paused = true)]
async fn a_large_organization_costs_a_small_state_a_tenth_at_most() {
    let place = Place::with(200).await;
    place.world.catalog.list_pages_of(1);
    place.world.store.list_pages_of(1);
    let mut sum = [0; 2];
    for first in (0..50).step_by(10) {
        let (_, calls) = place.refresh(first..first + 10).await;
        sum[0] += calls.records;
        sum[1] += calls.versions;
    }
    assert_eq!(sum, [5, 5]);
}

#[tokio::test(start_paused = true)]
async fn slow_pages_of_a_large_organization_are_requested_rarely() {
    let place = Place::with(130).await;
    place.world.catalog.list_pages_of(1);
    place.world.store.list_pages_of(1);
    let slow = async || tokio::time::sleep(Duration::from_millis(200)).await;
    for nth in 1..=13 {
        let (catalog, store) = (&place.world.catalog, &place.world.store);
        catalog.before(CatalogVerb::ListMarks, nth, slow());
        store.before(StoreVerb::ListMarks, nth, slow());
    }
    let mut tries = Vec::new();
    for first in (0..130).step_by(10) {
        let (results, calls) = place.refresh(first..first + 10).await;
        assert!(are_present(&results), "{results:?}");
        assert_eq!(calls.records, calls.versions);
        tries.extend((calls.records > 0).then_some(first + 10));
    }
    assert_eq!(tries, [10, 110]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_listed_as_a_whole_is_tried_rarely_until_it_is_worth_it() {
    let place = Place::with(50).await;
    place.world.store.list_whole_folders();
    place.world.store.list_pages_of(5);
    let mut tries = Vec::new();
    for round in 0..20 {
        let first = round % 5 * 10;
        let (_, calls) = place.refresh(first..first + 10).await;
        if calls.versions > 0 {
            tries.push((round + 1) * 10);
        }
    }
    // Five, ten, 20 and 40 versions were too few for 50.
    assert_eq!(tries, [10, 30, 60, 110, 200]);
    assert_eq!(place.confirm(0..50).await, singly(0));
}

#[tokio::test(start_paused = true)]
async fn a_platform_without_a_listing_is_asked_once() {
    let place = Place::with(30).await;
    place.world.catalog.list_no_marks();
    for first in [0, 10, 20] {
        let (results, calls) = place.refresh(first..first + 10).await;
        assert!(are_present(&results), "{results:?}");
        let asked = if first == 0 { 1 } else { 0 };
        assert_eq!((calls.records, calls.reads), (asked, 10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_is_tried_again_after_twenty_more() {
    let place = Place::with(30).await;
    place.world.catalog.inject(Fault {
        verb: CatalogVerb::ListMarks,
        nth: 1,
        landing: Landing::Before,
        kind: CatalogErrorKind::Unavailable,
    });
    place.world.store.inject(Fault {
        verb: StoreVerb::ListMarks,
        nth: 1,
        landing: Landing::Before,
        kind: StoreErrorKind::RateLimited,
    });
    let (results, calls) = place.refresh(0..10).await;
    assert!(are_present(&results), "{results:?}");
    assert_eq!((calls.records, calls.versions), (1, 1));
    let (_, calls) = place.refresh(10..29).await;
    assert_eq!(calls, singly(19));
    assert_eq!(place.confirm(29..30).await, LISTED);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_hangs_leaves_time_for_the_refreshes() {
    let place = Place::with(10).await;
    let hangs = std::future::pending();
    place.world.catalog.before(CatalogVerb::ListMarks, 1, hangs);
    let start = Instant::now();
    let (results, calls) = place.refresh(0..10).await;
    assert!(are_present(&results), "{results:?}");
    assert_eq!((calls.records, calls.reads), (1, 10));
    assert!(start.elapsed() < SERVES + Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_hangs_takes_a_quarter_of_the_time_that_is_left() {
    let place = Place::listed().await;
    tokio::time::advance(SERVES).await;
    drop(place.refresh(0..9).await);
    let hangs = std::future::pending();
    place.world.catalog.before(CatalogVerb::ListMarks, 1, hangs);
    let context = OperationContext {
        deadline: Some(std::time::Instant::now() + Duration::from_secs(4)),
        ..OperationContext::default()
    };
    let request = request(&place.views[9]);
    let start = Instant::now();
    let refreshed = context.scope(place.process.secrets().refresh(&request));
    assert!(matches!(refreshed.await, Ok(Refreshed::Present(_))));
    assert!(start.elapsed() <= Duration::from_millis(1_010));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_serves_nobody_is_requested_again_after_a_hundred_refreshes() {
    let place = Place::with(110).await;
    let slow = async || tokio::time::sleep(SERVES + Duration::from_millis(1)).await;
    for nth in 1..=8 {
        place.world.store.before(StoreVerb::ListMarks, nth, slow());
    }
    let mut tries = Vec::new();
    for first in (0..110).step_by(10) {
        let (results, calls) = place.refresh(first..first + 10).await;
        assert!(are_present(&results), "{results:?}");
        tries.extend((calls.versions > 0).then_some(first + 10));
    }
    assert_eq!(tries, [10, 110]);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_confirmed_fewer_than_ten_is_not_requested_again() {
    let place = Place::with(20).await;
    drop(place.refresh(0..9).await);
    assert_eq!(place.confirm(9..10).await, LISTED);
    tokio::time::advance(SERVES).await;
    let (results, calls) = place.refresh(10..20).await;
    assert!(are_present(&results), "{results:?}");
    assert_eq!(calls, singly(10));
}

#[tokio::test(start_paused = true)]
async fn versions_on_several_pages_are_listed_while_some_are_asked_for_singly() {
    const NUMBER: usize = 200;
    let mut place = Place::with(NUMBER).await;
    let other = place.world.warm().await;
    for view in &mut place.views {
        let twice = rotated(&other, view).await;
        *view = rotated(&other, &twice).await;
    }
    // A host refreshes in another order than pages have.
    place.views = (0..NUMBER)
        .map(|number| place.views[number * 7 % NUMBER].clone())
        .collect();
    place.world.store.list_pages_of(NUMBER);
    place.process = Place::started(&place.world).await;
    let mut sum = singly(0);
    for first in (0..NUMBER).step_by(10) {
        let (results, calls) = place.refresh(first..first + 10).await;
        for (result, view) in results.into_iter().zip(&place.views[first..]) {
            let is_present = result == Refreshed::Present(view.clone());
            assert!(is_present || result == Refreshed::Unchanged);
        }
        sum.records += calls.records;
        sum.versions += calls.versions;
        sum.reads += calls.reads;
    }
    assert_eq!((sum.records, sum.versions), (1, 3));
    assert!(sum.reads <= 30, "{sum:?}");
}
