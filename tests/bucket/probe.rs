//! Stores whose conditional writes do not hold are refused at first use.

use planton_core::catalog::CatalogErrorKind;
use planton_core::operations::OperationError;
use xtask::bucket::BucketService;
use xtask::faults::{Fault, Weakness};

use super::process::Process;
use super::stores::on_each_service;
use super::support::{Place, organization};

on_each_service!(
    a_sound_store_passes_and_keeps_nothing_of_the_probe,
    a_store_that_lets_racing_writes_win_is_refused,
    a_store_that_ignores_conditions_is_refused,
    a_sound_store_passes_under_faults,
    a_first_use_of_a_weak_store_creates_nothing,
);

async fn a_sound_store_passes_and_keeps_nothing_of_the_probe(service: BucketService) {
    let place = Place::new(service);
    place.open().probe(&organization()).await.unwrap();
    assert_eq!(place.keys(""), [""; 0]);
}

async fn a_store_that_lets_racing_writes_win_is_refused(service: BucketService) {
    expect_refusal(service, Weakness::Races).await;
}

async fn a_store_that_ignores_conditions_is_refused(service: BucketService) {
    expect_refusal(service, Weakness::Ignores).await;
}

async fn expect_refusal(service: BucketService, weakness: Weakness) {
    let place = Place::new(service);
    let weak = place.weakened(weakness);
    let refused = weak.open().probe(&organization()).await.unwrap_err();
    assert_eq!(
        refused.kind(),
        CatalogErrorKind::Misconfigured,
        "{refused:?}"
    );
    let remedy = refused.remedy().unwrap();
    assert!(remedy.contains("of 32 parallel"), "{remedy}");
    assert_eq!(place.keys(""), [""; 0], "it removes what it wrote");
}

/// Rate limits, outages and lost answers delay the probe, and change no result.
async fn a_sound_store_passes_under_faults(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let proxy = place.proxy();
    let [creations, updates] = place.writes();
    for writes in [creations, updates] {
        proxy.fail(Fault::lose_answer().on(writes.clone()).every(7));
        proxy.fail(Fault::status(503).on(writes.clone()).every(5));
        proxy.fail(Fault::status(429).on(writes).every(3));
    }
    place.open().probe(&organization()).await.unwrap();
    assert_eq!(proxy.unused_faults(), [""; 0]);
    assert_eq!(place.keys(""), [""; 0]);
}

async fn a_first_use_of_a_weak_store_creates_nothing(service: BucketService) {
    let place = Place::new(service);
    let weak = place.weakened(Weakness::Races);
    let process = Process::start(&weak);
    let refused = process.create("db", "value").await.unwrap_err();
    let OperationError::Catalog(error) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.kind(), CatalogErrorKind::Misconfigured, "{error:?}");
    assert_eq!(place.keys("/records/"), [""; 0]);
    assert_eq!(place.keys("/objects/"), [""; 0]);
}
