//! Exact number of requests of the operator commands that look at every secret.

use std::time::Duration;

use planton_core::names::Slug;
use planton_core::operations::{Collect, Collection, Interrupt, Verify};
use test_support::refresh_listing::create;
use xtask::bucket::BucketService;

use super::process::Process;
use super::stores::on_each_service;
use super::support::Place;

on_each_service!(verify_and_gc_send_the_same_requests_for_each_secret);

const SECRETS: usize = 40;

/// The organization's record, which has the wraps of the MAC key.
const RECORD: usize = 1;

/// The lists of the secrets' records, or of another folder of the catalog.
const LIST: usize = 1;

/// Returns the number of requests of a collection that finds nothing.
async fn requests_of_gc(place: &Place, orphans: Option<Duration>) -> usize {
    let process = Process::start(place);
    let keys = process.organization().keys();
    let platform = Slug::parse("platform").unwrap();
    let mut found = Collection::default();
    let what = Collect {
        orphans,
        deletes: true,
    };
    place.proxy().forget();
    let interrupt = Interrupt::default();
    let collected = keys.collect(&platform, what, &mut found, (&|_| {}, &interrupt));
    collected.await.unwrap();
    assert_eq!(found.leftovers, []);
    assert!(found.looked_at >= SECRETS, "{found:?}");
    place.proxy().requests().len()
}

async fn verify_and_gc_send_the_same_requests_for_each_secret(service: BucketService) {
    let place = Place::new(service);
    let creator = Process::start(&place);
    create(creator.organization(), SECRETS).await;
    let place = place.behind_proxy();

    let process = Process::start(&place);
    let keys = process.organization().keys();
    let interrupt = Interrupt::default();
    let verified = keys.verify(Verify::default(), &|_| {}, &interrupt).await;
    assert_eq!(verified.unwrap().documents, SECRETS);
    // The record and the envelope of each secret; the backends' records and the default.
    let verify = RECORD + LIST + 2 * SECRETS + LIST + 1;
    assert_eq!(place.proxy().requests().len(), verify);

    // It reads the organization's record again, since it deletes.
    let superseded = 2 * RECORD + LIST + SECRETS;
    assert_eq!(requests_of_gc(&place, None).await, superseded);
    // The folders of the organization and of its environment; then the versions of each object,
    // and the record that may name them.
    let orphans = superseded + 2 * LIST + 2 * SECRETS;
    let found = requests_of_gc(&place, Some(Duration::ZERO)).await;
    assert_eq!(found, orphans);
}
