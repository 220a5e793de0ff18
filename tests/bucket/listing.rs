//! A refresh of many unchanged secrets takes a page of each listing.

use planton_core::operations::Refreshed;
use planton_vendors::http::HttpSettings;
use test_support::refresh_listing::{self, create, refresh};
use xtask::bucket::BucketService;
use xtask::faults::Match;

use super::process::{Process, platform};
use super::stores::on_each_service;
use super::support::{Place, organization};

on_each_service!(
    a_thousand_unchanged_secrets_take_a_page_of_records_and_one_of_versions,
    a_listing_that_is_rate_limited_is_given_up_at_once,
);

/// The suite runs on one thread, whose clock it moves.
async fn every_change_is_seen(service: BucketService) {
    let place = Place::new(service);
    let start = || platform(&place.open());
    let organization = organization();
    refresh_listing::every_change_is_seen_once_the_listing_is_old(&organization, &start).await;
}

#[tokio::test]
async fn every_change_on_s3_is_seen_once_the_listing_is_old() {
    every_change_is_seen(BucketService::S3).await;
}

#[tokio::test]
async fn every_change_on_gcs_is_seen_once_the_listing_is_old() {
    every_change_is_seen(BucketService::Gcs).await;
}

#[tokio::test]
async fn every_change_on_azure_is_seen_once_the_listing_is_old() {
    every_change_is_seen(BucketService::Azure).await;
}

async fn a_thousand_unchanged_secrets_take_a_page_of_records_and_one_of_versions(
    service: BucketService,
) {
    let place = Place::new(service);
    let creator = Process::start(&place);
    let views = create(creator.organization(), 1_000).await;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("requests");
    let process = Process::on(&place.open_with(HttpSettings {
        request_log: Some(log.clone()),
        ..place.http()
    }));
    let refreshed = refresh(process.organization(), &views).await;
    let unchanged = refreshed.iter().filter(|it| **it == Refreshed::Unchanged);
    assert_eq!(unchanged.count(), 1_000);
    let log = std::fs::read_to_string(&log).unwrap();
    let requests: Vec<&str> = log.lines().collect();
    // A list names the bucket alone.
    let lists = requests.iter().filter(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        path.rfind('/') == Some(0)
    });
    assert_eq!(lists.count(), 2, "{requests:?}");
    // The organization's record; and a token, where the vendor has tokens.
    assert!(requests.len() <= 4, "{requests:?}");
}

async fn a_listing_that_is_rate_limited_is_given_up_at_once(service: BucketService) {
    let place = Place::new(service);
    let creator = Process::start(&place);
    let views = create(creator.organization(), 40).await;
    let place = place.behind_proxy();
    let process = Process::start(&place);
    let lists = Match::method("GET").and(Match::path("prefix="));
    let faults = (place.proxy(), lists);
    let process = process.organization();
    refresh_listing::rate_limited_lists_are_given_up_at_once(process, &views, faults).await;
}

/// Google may return fewer objects than a page has.
#[tokio::test]
async fn a_short_page_confirms_what_it_has() {
    let place = Place::new(BucketService::Gcs);
    let gcs = place.way.server().gcs().unwrap();
    gcs.shorten_pages(place.way.name(), 25);
    let creator = Process::start(&place);
    let views = create(creator.organization(), 40).await;
    let place = place.behind_proxy();
    let process = Process::start(&place);
    let refreshed = refresh(process.organization(), &views).await;
    let mut unchanged = 0;
    for (refreshed, view) in refreshed.into_iter().zip(&views) {
        match refreshed {
            Refreshed::Unchanged => unchanged += 1,
            other => assert_eq!(other, Refreshed::Present(view.clone())),
        }
    }
    // A secret whose record or version is on the second page, which nobody has requested yet,
    // is asked for singly.
    assert!(unchanged >= 20, "{unchanged}");
    let lists = Match::method("GET").and(Match::path("prefix="));
    assert_eq!(place.proxy().count(&lists), 4);
}
