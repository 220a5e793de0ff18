//! Objects that a person has restored, copied or replaced, and a bucket that keeps versions.

use planton_core::catalog;
use planton_core::store::conformance;
use planton_core::store::{
    Absence, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore, StoreErrorKind,
    VersionStatus,
};
use uuid::Uuid;
use xtask::bucket::BucketService;

use super::stores::on_each_service;
use super::support::Place;

on_each_service!(
    a_restored_copy_without_metadata_is_the_same_version,
    another_content_under_the_same_metadata_is_not_opened,
);

const PAYLOAD: &[u8] = b"PSE1 sealed";

fn name() -> RemoteName {
    RemoteName::new("planton/acme/org/db-0badcafe".to_owned())
}

/// Puts a version. Returns its identifier, and the key of its object.
async fn put(place: &Place) -> (NativeVersionId, String) {
    let options = PutOptions {
        version: 1,
        attempt: Uuid::new_v4(),
        keep: Vec::new(),
        labels: [("environment".to_owned(), "prod".to_owned())].into(),
    };
    let id = place.store().put(&name(), PAYLOAD, options).await.unwrap();
    let key = place.keys("/objects/").pop().unwrap();
    (id, key)
}

async fn status(place: &Place, version: &NativeVersionId) -> VersionStatus {
    let options = DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Confirmed,
    };
    place.store().describe(&name(), options).await.unwrap()
}

/// A plan must not rotate a generated secret after a restore.
async fn a_restored_copy_without_metadata_is_the_same_version(service: BucketService) {
    let place = Place::new(service);
    let (id, key) = put(&place).await;
    place.way.replace(&key, PAYLOAD).unwrap();
    assert_eq!(status(&place, &id).await, VersionStatus::Present);
    assert_eq!(place.store().get(&name(), &id).await.unwrap(), PAYLOAD);
}

async fn another_content_under_the_same_metadata_is_not_opened(service: BucketService) {
    let place = Place::new(service);
    let (id, key) = put(&place).await;
    place.way.overwrite(&key, b"PSE1 another").unwrap();
    // The metadata is sufficient for a description, and never for a read.
    assert_eq!(status(&place, &id).await, VersionStatus::Present);
    let error = place.store().get(&name(), &id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_bucket_of_s3_that_keeps_versions_passes_and_is_reported() {
    let place = Place::versioned_s3();
    catalog::conformance::run_all(&place.catalog(), "all").await;
    let bucket = place.open();
    let gaps = conformance::run_all(&place.store_on(&bucket), "all").await;
    assert_eq!(gaps.unwrap().all().len(), 1, "as without versions");
    let advice = bucket.advice();
    let told: Vec<_> = advice.iter().map(|advice| advice.summary).collect();
    assert_eq!(told, ["Bucket Keeps Old Versions"]);
}
