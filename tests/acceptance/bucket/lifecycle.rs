//! The life of secrets in a bucket: creation, rotation, drift, import and destroy.

use serde_json::json;
use xtask::bucket::BucketService;
use xtask::moto::NewKmsKey;

use super::SECRETS;
use super::scene::OnBucket;
use crate::operator::{json as json_of, told};
use crate::scene::assert_tombstones;
use crate::steps::{Steps, has};

#[test]
fn acc_bucket_lives_on_s3_with_a_key_file() {
    lives(BucketService::S3);
}

#[test]
fn acc_bucket_lives_on_gcs_with_a_key_file() {
    lives(BucketService::Gcs);
}

#[test]
fn acc_bucket_lives_on_azure_with_a_key_file() {
    lives(BucketService::Azure);
}

fn lives(service: BucketService) {
    let on = OnBucket::new(service);
    let workspace = on.workspace(SECRETS);
    workspace.settled(&[]);
    assert!(on.key_file().exists());
    assert_eq!(on.value("given"), "hunter2 of the first");
    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    workspace.settled(&next);
    assert_eq!(on.value("given"), "hunter2 of the second");
    let edited = [next[0], next[1], ("description", "edited")];
    workspace.settled(&edited);
    let generated = on.value("generated");

    drifts(&on);
    restored(&on);
    // Whatever drifted and came back, the generated value is the same one.
    workspace.unchanged(&edited);
    assert_eq!(on.value("generated"), generated);

    let lost = on.versions();
    let lost = lost.iter().find(|key| key.contains("/generated-"));
    on.bucket.remove(&on.key(lost.unwrap())).unwrap();
    workspace.changes(&edited);
    workspace.settled(&edited);
    assert_ne!(on.value("generated"), generated);

    let taker = on.workspace(SECRETS);
    taker
        .import("planton_secret.given", "given", &edited)
        .unwrap()
        .ok()
        .unwrap();
    taker
        .import("planton_secret.generated", "generated", &edited)
        .unwrap()
        .ok()
        .unwrap();
    taker.unchanged(&edited);
    workspace.destroyed(&edited);
    assert_tombstones(&on.records());
    assert_eq!(on.versions(), [""; 0]);
}

/// A version that is put back with the same bytes is the same one.
fn drifts(on: &OnBucket) {
    for (key, body) in on.objects() {
        if key.starts_with("objects/") {
            on.bucket.overwrite(&on.key(&key), &body).unwrap();
        }
    }
}

/// So is one that a restore has written without its metadata.
fn restored(on: &OnBucket) {
    for (key, body) in on.objects() {
        if key.starts_with("objects/") {
            on.bucket.replace(&on.key(&key), &body).unwrap();
        }
    }
}

#[test]
fn acc_bucket_with_a_key_in_aws_kms_never_follows_a_moved_alias() {
    let plain = OnBucket::new(BucketService::S3);
    let moto = plain.moto();
    let keys = [(); 2].map(|()| moto.create_kms_key(&NewKmsKey::default()).unwrap());
    moto.alias_kms_key("alias/bucket", &keys[0]).unwrap();
    let encryption = plain.aws_kms("alias/bucket");
    let on = plain.encrypted_by(&encryption);
    let workspace = on.workspace(SECRETS);

    // Nobody has compared the key that the alias names.
    let refused = workspace.fails(&[]);
    has(
        &refused,
        &["Organization Fingerprint Required", "platform init"],
    );
    assert!(on.objects().is_empty());
    let key = format!(
        "aws_kms:key_id=alias/bucket,region=eu-central-1,endpoint={}",
        moto.address()
    );
    let key = [("PLANTON_BUCKET_KEY", key.as_str())];
    let made = json_of(&on.run(&["platform", "init", "--json"], &key));
    assert_eq!(made["key_ids"], json!([format!("aws_kms:{}", keys[0])]));
    // Nobody vouches for an organization that another run has created.
    has(
        &told(&on.run(&["platform", "init"], &key), 0),
        &["Organization Not Verified", "existed before this command"],
    );
    let on = on.pinned(format!(
        "organization_fingerprint = {}",
        made["fingerprint"]
    ));
    workspace.write("provider.tf", &on.provider("")).unwrap();
    workspace.settled(&[]);
    assert_eq!(
        on.records()["organization"]["main_key"],
        json!({"provider": "aws_kms", "id": keys[0]})
    );
    assert_eq!(on.value("given"), "hunter2 of the first");

    moto.alias_kms_key("alias/bucket", &keys[1]).unwrap();
    // A refresh needs no key.
    workspace.unchanged(&[]);
    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    let moved = workspace.fails(&next);
    has(&moved, &["an alias was moved", &keys[0]]);
    // The key itself, in the place of the alias.
    let by_arn = on.encrypted_by(&encryption.replace("alias/bucket", &keys[0]));
    workspace
        .write("provider.tf", &by_arn.provider(""))
        .unwrap();
    workspace.settled(&next);
    assert_eq!(by_arn.value("given"), "hunter2 of the second");
    let other = by_arn.provider("").replace(&keys[0], &keys[1]);
    workspace.write("provider.tf", &other).unwrap();
    let another = workspace.refused(&next);
    has(&another, &["was created with the key", &keys[0]]);
    workspace
        .write("provider.tf", &by_arn.provider(""))
        .unwrap();
    workspace.destroyed(&next);
}
