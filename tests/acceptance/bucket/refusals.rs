//! Buckets and credentials that are refused, with what to do.

use serde_json::json;
use xtask::bucket::BucketService;
use xtask::faults::Weakness;

use super::SECRETS;
use super::scene::OnBucket;
use crate::steps::{Steps, has};

#[test]
fn acc_bucket_whose_conditions_do_not_hold_is_refused_before_anything_is_written() {
    let on = OnBucket::new(BucketService::S3);
    for weakness in [Weakness::Ignores, Weakness::Races] {
        let weak = on.weakened(weakness);
        let refused = weak.workspace(SECRETS).fails(&[]);
        has(
            &refused,
            &["Platform Misconfigured", "execute", "conditional"],
        );
        assert!(on.objects().keys().all(|key| !key.starts_with("records/")));
        assert!(!weak.key_file().exists(), "a key was created");
    }
}

#[test]
fn acc_bucket_that_does_not_exist_is_named() {
    for service in BucketService::ALL {
        let on = OnBucket::new(service);
        let workspace = on.workspace(SECRETS);
        let name = on.bucket.name();
        let missing = on.provider("").replace(name, "no-such-bucket");
        workspace.write("provider.tf", &missing).unwrap();
        let refused = workspace.fails(&[]);
        has(&refused, &["no-such-bucket does not exist", "change url"]);
    }
}

#[test]
fn acc_bucket_role_that_only_reads_refreshes_and_is_told_the_missing_grant() {
    let on = OnBucket::new(BucketService::S3);
    let workspace = on.workspace(SECRETS);
    workspace.settled(&[]);
    let moto = on.moto();
    moto.allow_key("AKIAREADER", "a/reader", None).unwrap();
    let name = on.bucket.name();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject",
         "Resource": format!("arn:aws:s3:::{name}/terraform/planton/acme/*")},
        {"Effect": "Allow", "Action": "s3:ListBucket",
         "Resource": format!("arn:aws:s3:::{name}")},
    ]});
    moto.attach_policy("AKIAREADER", &policy).unwrap();
    let (_, secret) = on.bucket.credential();
    let reader = on
        .provider("")
        .replace("AKIABUCKETS", "AKIAREADER")
        .replace(&secret, "a/reader");
    workspace.write("provider.tf", &reader).unwrap();
    workspace.unchanged(&[]);
    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    let denied = workspace.fails(&next);
    has(&denied, &["Denied", "s3:PutObject", name]);
    assert_eq!(on.value("given"), "hunter2 of the first");
}

#[test]
fn acc_bucket_block_is_checked_by_the_plan_though_its_url_is_unknown() {
    let on = OnBucket::new(BucketService::S3);
    let arguments = "url = terraform_data.url.output\nendpoint = \"http://example.com\"\n";
    let workspace = on.workspace(&format!(
        "resource \"terraform_data\" \"url\" {{ input = \"s3://later\" }}\n{SECRETS}"
    ));
    let provider = on.provider_with(arguments, "");
    workspace.write("provider.tf", &provider).unwrap();
    let refused = workspace.refused(&[]);
    has(&refused, &["Invalid Bucket Configuration", "endpoint"]);
}
