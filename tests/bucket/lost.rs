//! Writes of records whose answers are lost, or that land late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use planton_core::catalog::{
    CatalogError, CatalogErrorKind, CatalogStore, RecordKey, Revision, StoredRecord,
};
use planton_core::store::{
    Absence, DescribeOptions, PutOptions, RemoteName, SecretStore as _, StoreErrorKind,
};
use planton_vendors::http::OperationContext;
use test_support::store_faults::{self, HASTY_TRIES};
use uuid::Uuid;
use xtask::bucket::BucketService;
use xtask::faults::{Fault, Match};

use super::stores::on_each_service;
use super::support::Place;

on_each_service!(
    a_lost_answer_is_found_to_be_the_own_write,
    a_lost_update_that_another_has_overtaken_is_a_conflict,
    a_write_that_lands_late_is_counted_once,
    a_late_write_loses_to_the_update_that_came_first,
    an_outage_after_the_write_reports_no_conflict,
    the_own_faults_of_a_service_are_no_conflicts,
    a_rate_limited_write_is_repeated,
    a_restored_copy_of_a_record_can_be_written,
);

/// Google's store may return fewer objects than a page has.
#[tokio::test]
async fn a_listing_of_several_pages_is_whole() {
    let place = Place::new(BucketService::Gcs).behind_proxy();
    let gcs = place.way.server().gcs().unwrap();
    gcs.shorten_pages(place.way.name(), 50);
    let catalog = place.catalog();
    let keys: Vec<_> = (0..60).map(|it| format!("entries/{it:02}")).collect();
    let keys: Vec<_> = keys.into_iter().map(RecordKey::new).collect();
    let record = record("entry");
    let writes = keys
        .iter()
        .map(|key| catalog.write(key, &record, Revision::ABSENT));
    for written in join_all(writes).await {
        written.unwrap();
    }
    place.proxy().forget();
    assert_eq!(catalog.list("entries").await.unwrap(), keys);
    assert_eq!(place.proxy().requests().len(), 2);
}

/// S3 answers a HEAD without a body, and so without a code. The words beside the status tell
/// both apart, without a further request.
#[tokio::test]
async fn a_rate_limit_of_s3_is_told_from_an_outage_though_a_head_has_no_code() {
    let place = Place::new(BucketService::S3).behind_proxy();
    let name = RemoteName::new("planton/acme/org/db-0badcafe".to_owned());
    let options = PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: BTreeMap::new(),
    };
    let version = place.store().put(&name, b"sealed", options).await.unwrap();
    for (reason, kind) in [
        ("Slow Down", StoreErrorKind::RateLimited),
        ("Service Unavailable", StoreErrorKind::Unavailable),
    ] {
        let store = place.store_with(store_faults::hasty(place.http()));
        place.proxy().forget();
        let fault = Fault::status(503).with_reason(reason);
        let heads = Match::method("HEAD");
        place
            .proxy()
            .fail(fault.on(heads.clone()).times(HASTY_TRIES));
        let options = DescribeOptions {
            version: version.clone(),
            others: Vec::new(),
            absence: Absence::Quick,
        };
        let error = store.describe(&name, options).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert_eq!(place.proxy().unused_faults(), [""; 0]);
        let requests = place.proxy().requests();
        assert!(
            requests.iter().all(|request| request.is(&heads)),
            "{requests:?}"
        );
    }
}

/// <https://cloud.google.com/storage/quotas#objects>
#[tokio::test]
async fn a_limit_of_one_write_at_a_time_for_a_name_is_waited_for() {
    let place = Place::new(BucketService::Gcs).behind_proxy();
    let catalog = place.catalog();
    let gcs = place.way.server().gcs().unwrap();
    gcs.limit_writes(place.way.name(), Duration::from_millis(300));
    // A rate limit is waited for until the deadline of the operation.
    let bounded = OperationContext {
        deadline: Some(Instant::now() + Duration::from_secs(60)),
        ..OperationContext::default()
    };
    let writing = async {
        let mut revision = Revision::ABSENT;
        for text in ["one", "two", "three"] {
            revision = catalog.write(&key(), &record(text), revision).await?;
        }
        Ok::<_, CatalogError>(revision)
    };
    assert_eq!(bounded.scope(writing).await.unwrap(), Revision(3));
    let requests = place.proxy().requests();
    let limited = requests.iter().filter(|seen| seen.status() == Some(429));
    assert!(limited.count() >= 2, "{requests:?}");
}

fn record(text: &str) -> StoredRecord {
    StoredRecord {
        body: format!("{{\"text\":\"{text}\"}}"),
        mac: "0f".repeat(32),
    }
}

fn key() -> RecordKey {
    RecordKey::new("secrets/0123")
}

/// Writes two revisions, with the answer to each lost.
async fn a_lost_answer_is_found_to_be_the_own_write(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    for writes in place.writes() {
        place.proxy().fail(Fault::lose_answer().on(writes));
    }
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let two = catalog.write(&key(), &record("two"), one).await.unwrap();
    assert_eq!(place.proxy().unused_faults(), [""; 0]);
    assert_eq!((one, two), (Revision(1), Revision(2)));
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("two"), two))
    );
}

async fn a_lost_update_that_another_has_overtaken_is_a_conflict(service: BucketService) {
    let direct = Place::new(service);
    let place = direct.behind_proxy();
    let (ours, theirs) = (place.catalog(), direct.catalog());
    let one = theirs
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    ours.read(&key()).await.unwrap();
    // The request never arrives, and before it is repeated, another writer wins.
    let (fault, gate) = Fault::land_late();
    place.proxy().fail(fault.on(place.service().updates()));
    let (hold, repeat) = Fault::hold();
    let reads = Match::method("GET").and(Match::path("/records/"));
    place.proxy().fail(hold.on(reads));
    let write = async { ours.write(&key(), &record("ours"), one).await };
    let overtake = async {
        repeat.reached().await.unwrap();
        let two = theirs.write(&key(), &record("theirs"), one).await.unwrap();
        repeat.open();
        two
    };
    let (lost, two) = tokio::join!(write, overtake);
    assert_eq!(lost.unwrap_err().kind(), CatalogErrorKind::Conflict);
    gate.open();
    gate.answered().await.unwrap();
    assert_eq!(
        theirs.read(&key()).await.unwrap(),
        Some((record("theirs"), two))
    );
}

/// The write is repeated while the first request is still on its way.
async fn a_write_that_lands_late_is_counted_once(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    let mut expected = Revision::ABSENT;
    for (writes, text) in place.writes().into_iter().zip(["one", "two"]) {
        let (fault, gate) = Fault::land_late();
        place.proxy().fail(fault.on(writes));
        let written = catalog
            .write(&key(), &record(text), expected)
            .await
            .unwrap();
        assert_eq!(written, Revision(expected.0 + 1));
        gate.open();
        gate.answered().await.unwrap();
        let read = catalog.read(&key()).await.unwrap();
        assert_eq!(read, Some((record(text), written)));
        expected = written;
    }
}

async fn a_late_write_loses_to_the_update_that_came_first(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let (fault, gate) = Fault::land_late();
    place.proxy().fail(fault.on(place.service().updates()));
    let two = catalog.write(&key(), &record("two"), one).await.unwrap();
    let three = catalog.write(&key(), &record("three"), two).await.unwrap();
    gate.open();
    gate.answered().await.unwrap();
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("three"), three))
    );
}

/// Every answer is an error, and each write lands.
async fn an_outage_after_the_write_reports_no_conflict(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    for status in [500, 503, 408] {
        let key = RecordKey::new(format!("secrets/{status}"));
        let mut expected = Revision::ABSENT;
        for (writes, text) in place.writes().into_iter().zip(["one", "two"]) {
            let fault = Fault::answer_in_place(status).on(writes);
            place.proxy().fail(fault);
            expected = catalog.write(&key, &record(text), expected).await.unwrap();
            assert_eq!(place.proxy().unused_faults(), [""; 0], "{status}");
            let read = catalog.read(&key).await.unwrap();
            assert_eq!(read, Some((record(text), expected)));
        }
    }
}

async fn the_own_faults_of_a_service_are_no_conflicts(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    let [creations, updates] = place.writes();
    for fault in place.service().own_faults() {
        place.proxy().fail(fault.on(creations.clone()).times(2));
    }
    for fault in place.service().own_faults() {
        place.proxy().fail(fault.on(updates.clone()).times(2));
    }
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let two = catalog.write(&key(), &record("two"), one).await.unwrap();
    assert_eq!(place.proxy().unused_faults(), [""; 0]);
    assert_eq!(
        catalog.read(&key()).await.unwrap(),
        Some((record("two"), two))
    );
}

async fn a_rate_limited_write_is_repeated(service: BucketService) {
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    for writes in place.writes() {
        place.proxy().fail(Fault::status(429).on(writes).times(3));
    }
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    catalog.write(&key(), &record("two"), one).await.unwrap();
    assert_eq!(place.proxy().unused_faults(), [""; 0]);
}

/// A restore changes the ETag or the generation, and not the revision.
async fn a_restored_copy_of_a_record_can_be_written(service: BucketService) {
    let place = Place::new(service);
    let catalog: Arc<dyn CatalogStore> = Arc::new(place.catalog());
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let [(object, content)] = &place.way.objects().unwrap()[..] else {
        panic!("one object")
    };
    place.way.overwrite(object, content).unwrap();
    let read = place.catalog().read(&key()).await.unwrap();
    assert_eq!(read, Some((record("one"), one)));
    let mut written = catalog.write(&key(), &record("two"), one).await;
    // In S3, the same bytes have the same ETag. Elsewhere, the write is based on the new one
    // after another read.
    if service != BucketService::S3 {
        assert_eq!(written.unwrap_err().kind(), CatalogErrorKind::Conflict);
        assert_eq!(catalog.read(&key()).await.unwrap(), read);
        written = catalog.write(&key(), &record("two"), one).await;
    }
    assert_eq!(written.unwrap(), Revision(2));
}

/// The keys of the stand-in of S3 are static, and none can be renewed.
#[tokio::test]
async fn each_of_parallel_reads_with_a_rejected_token_is_repeated() {
    reads_with_a_rejected_token_are_repeated(BucketService::Gcs).await;
    reads_with_a_rejected_token_are_repeated(BucketService::Azure).await;
}

/// The first of them renews the token, while the others still get their answers.
async fn reads_with_a_rejected_token_are_repeated(service: BucketService) {
    const READS: usize = 10;
    let place = Place::new(service).behind_proxy();
    let catalog = place.catalog();
    let one = catalog
        .write(&key(), &record("one"), Revision::ABSENT)
        .await
        .unwrap();
    let reads = Match::method("GET").and(Match::path("/records/"));
    let key = key();
    let in_parallel = || join_all((0..READS).map(|_| catalog.read(&key)));
    // Each has a connection then, so that all are sent before the first one is answered.
    in_parallel().await;
    place.proxy().pace(Duration::from_millis(150));
    let rejected = Fault::answer_in_place(401);
    place.proxy().fail(rejected.on(reads).times(READS));
    for read in in_parallel().await {
        assert_eq!(read.unwrap(), Some((record("one"), one)));
    }
    assert_eq!(place.proxy().unused_faults(), [""; 0]);
}
