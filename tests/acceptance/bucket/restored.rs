//! The catalog in a bucket is lost, and restored from a backup. The sealed versions are not.

use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::operator::{json, told};
use crate::steps::{Steps, has};

#[test]
fn acc_bucket_catalog_is_restored_beside_the_versions_that_were_not_lost() {
    let on = OnBucket::new(BucketService::S3);
    let workspace = on.workspace(SECRETS);
    workspace.settled(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let path = path.to_str().unwrap();
    let done = json(&on.run(&["platform", "backup", path, "--json"], &[]));
    assert_eq!(done["records"], 3, "{done}");
    let fingerprint = done["fingerprint"].as_str().unwrap();
    let pins = [("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint)];

    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    workspace.settled(&next);
    let versions = on.versions();
    for key in on
        .objects()
        .keys()
        .filter(|key| key.starts_with("records/"))
    {
        on.bucket.remove(&on.key(key)).unwrap();
    }
    assert_eq!(on.records().len(), 0);
    let restore = ["platform", "restore", path, "--apply", "--json"];
    let done = json(&on.run(&restore, &pins));
    assert_eq!(done["missing"], 3, "{done}");
    has(&workspace.refused(&next), &["Catalog Rolled Back"]);
    let accept = ["platform", "accept-rollback", "--apply", "--json"];
    assert_eq!(json(&on.run(&accept, &pins))["accepted"], true);
    assert_eq!(on.value("given"), "hunter2 of the first");
    assert_eq!(on.versions(), versions);
    // The third version of the bucket is the second one of the catalog.
    workspace.settled(&next);
    assert_eq!(on.value("given"), "hunter2 of the second");
    assert_eq!(on.versions().len(), versions.len() + 1);
    told(&on.run(&["verify"], &[]), 0);
}
