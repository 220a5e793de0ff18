//! What a first use tells of the bucket's configuration.

use planton_core::catalog::CatalogStore as _;
use planton_vendors::bucket::{Bucket, BucketCatalog};
use serde_json::{Map, json};
use xtask::bucket::BucketService;
use xtask::faults::{Fault, Match};

use super::support::{PREFIX, Place, organization};

/// Prepares a first use. Returns what it tells.
async fn first_use(bucket: &Bucket) -> Vec<(&'static str, String)> {
    let catalog = BucketCatalog::new(bucket, organization());
    catalog.expect_usable().await.unwrap();
    let advice = bucket.advice().into_iter();
    advice.map(|one| (one.summary, one.detail)).collect()
}

fn summaries(told: &[(&'static str, String)]) -> Vec<&'static str> {
    told.iter().map(|(summary, _)| *summary).collect()
}

/// moto has the rules, and its answers about objects name none.
#[tokio::test]
async fn rules_of_s3_that_cover_the_organization_are_told() {
    let place = Place::new(BucketService::S3);
    assert_eq!(first_use(&place.open()).await, []);
    let moto = place.way.server().moto().unwrap();
    let rules = json!([
        {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"},
         "Expiration": {"Days": "1"}},
        {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": "1"}},
        {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": "30"}},
        {"ID": "cold", "Status": "Enabled", "Filter": {"Prefix": PREFIX},
         "Transition": [{"Days": "90", "StorageClass": "GLACIER"}]},
        {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": PREFIX},
         "NoncurrentVersionExpiration": {"NoncurrentDays": "7"}},
    ]);
    moto.set_lifecycle(place.way.name(), &rules).unwrap();
    // The rule that archives spares small objects, as S3's default is since September 2024.
    let told = first_use(&place.open()).await;
    assert_eq!(summaries(&told), ["Lifecycle Rule Deletes Objects"]);
    let (_, deletes) = &told[0];
    assert!(
        deletes.contains("rule \"all\" (after 30 days) deletes"),
        "{deletes}"
    );
}

/// moto has the newer default alone, so a proxy answers as a bucket with the older one.
#[tokio::test]
async fn a_rule_of_s3_that_archives_small_objects_is_told() {
    let place = Place::new(BucketService::S3).behind_proxy();
    let rule = "<LifecycleConfiguration><Rule><ID>cold</ID><Filter><Prefix>terraform/</Prefix>\
                </Filter><Status>Enabled</Status><Transition><Days>90</Days><StorageClass>\
                GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>";
    let asks = Match::path("?lifecycle");
    place
        .proxy()
        .fail(Fault::status(200).with_body(rule).on(asks));
    let told = first_use(&place.open()).await;
    assert_eq!(summaries(&told), ["Lifecycle Rule Archives Objects"]);
    let (_, archives) = &told[0];
    assert!(
        archives.contains("rule \"cold\" (after 90 days) moves"),
        "{archives}"
    );
}

#[tokio::test]
async fn rules_versions_and_soft_delete_of_google_are_told() {
    let place = Place::new(BucketService::Gcs).behind_proxy();
    assert_eq!(first_use(&place.open()).await, []);
    let gcs = place.way.server().gcs().unwrap();
    let fields = json!({
        "lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 30}}]},
        "softDeletePolicy": {"retentionDurationSeconds": "604800"},
        "versioning": {"enabled": true},
    });
    let fields: Map<_, _> = serde_json::from_value(fields).unwrap();
    gcs.configure(place.way.name(), fields);
    place.proxy().forget();
    let told = first_use(&place.open()).await;
    assert_eq!(
        summaries(&told),
        [
            "Lifecycle Rule Deletes Objects",
            "Bucket Keeps Old Versions",
            "Bucket Keeps Deleted Objects"
        ]
    );
    let (_, rule) = &told[0];
    assert!(
        rule.contains("rule number 1 (after 30 days) deletes"),
        "{rule}"
    );
    assert!(told[2].1.contains("for 7 days"), "{told:?}");
    let asks = Match::path("/storage/v1/b/");
    assert_eq!(place.proxy().count(&asks), 1);
}

/// Azurite has no soft delete, so the proxy answers as an account that has it.
#[tokio::test]
async fn soft_delete_of_azure_is_told() {
    let place = Place::new(BucketService::Azure).behind_proxy();
    assert_eq!(first_use(&place.open()).await, []);
    let kept = Fault::answer_in_place(202).with_header("x-ms-delete-type-permanent", "false");
    place.proxy().fail(kept.on(Match::method("DELETE")));
    let told = first_use(&place.open()).await;
    assert_eq!(summaries(&told), ["Bucket Keeps Deleted Objects"]);
    assert!(told[0].1.contains("data protection of the storage account"));
}

/// A role that applies need not be allowed to read the configuration.
#[tokio::test]
async fn a_configuration_that_is_denied_is_not_told_and_rejects_no_bucket() {
    for (service, asks) in [
        (BucketService::S3, "?lifecycle"),
        (BucketService::Gcs, "/storage/v1/b/"),
    ] {
        let place = Place::new(service);
        place.way.expire("").unwrap();
        let denied = place.behind_proxy();
        let body = "<Error><Code>AccessDenied</Code></Error>";
        let fault = Fault::status(403).with_body(body);
        denied.proxy().fail(fault.on(Match::path(asks)));
        assert_eq!(first_use(&denied.open()).await, []);
        assert_eq!(denied.proxy().unused_faults(), [""; 0]);
        // An outage of this answer alone takes two tries.
        let outage = Fault::status(503).on(Match::path(asks)).times(2);
        denied.proxy().fail(outage);
        assert_eq!(first_use(&denied.open()).await, []);
        assert_eq!(denied.proxy().unused_faults(), [""; 0]);
        let told = first_use(&place.open()).await;
        assert_eq!(summaries(&told), ["Lifecycle Rule Deletes Objects"]);
    }
}
