//! Operator commands on a bucket, by the environment variables.

use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::operator::{json, told};
use crate::steps::{Steps, has};

#[test]
fn acc_bucket_operator_commands_find_the_platform_by_variables() {
    let on = OnBucket::new(BucketService::S3);
    let automation = on.run(&["platform", "init"], &[("TF_IN_AUTOMATION", "1")]);
    has(
        &told(&automation, 1),
        &["TF_IN_AUTOMATION", "platform init"],
    );
    assert!(!on.key_file().exists());
    has(
        &told(&on.run(&["platform", "init"], &[]), 0),
        &["Created the organization", "Key File Not Backed Up"],
    );
    let workspace = on.workspace(SECRETS);
    workspace.settled(&[]);
    let next = [("trigger", "2"), ("value", "hunter2 of the second")];
    workspace.settled(&next);

    let status = json(&on.run(&["platform", "status", "--json"], &[]));
    let fingerprint = status["fingerprint"].as_str().unwrap().to_owned();
    let key = status["key_ids"][0].as_str().unwrap().to_owned();
    has(&told(&on.run(&["verify"], &[]), 0), &["verified"]);
    told(&on.run(&["gc"], &[]), 0);
    let open = [
        "open",
        "--from-backend",
        "--secret",
        "given",
        "--platform-key",
    ];
    has(&told(&on.run(&open, &[]), 0), &["The envelope opens", &key]);

    // A machine without the file plans, and an apply after a rotation wraps under the key of
    // the record, which the copies of the other machines have as well.
    let away = on.key_file().with_extension("away");
    std::fs::rename(on.key_file(), &away).unwrap();
    workspace.unchanged(&next);
    std::fs::rename(&away, on.key_file()).unwrap();
    let rotated = json(&on.run(&["platform", "key-file", "rotate", "--json"], &[]));
    let now = rotated["key_id"].as_str().unwrap();
    workspace.unchanged(&next);
    assert_eq!(on.value("given"), "hunter2 of the second");
    let status = json(&on.run(&["platform", "status", "--json"], &[]));
    assert_eq!(status["key_ids"][0].as_str().unwrap(), key);
    assert_ne!(now, key);
    let pins = [
        ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint.as_str()),
        ("PLANTON_ALLOWED_KEY_IDS", now),
    ];
    told(&on.run(&["rewrap"], &pins), 0);
    let recorded = &on.records()["organization"]["main_key"];
    assert_eq!(format!("local:{}", recorded["id"].as_str().unwrap()), now);
    has(
        &told(&on.run(&["rewrap", "--remove-former-keys"], &pins), 0),
        &["Former Root Keys Kept"],
    );
    assert_eq!(on.value("given"), "hunter2 of the second");
    has(&told(&on.run(&["verify"], &[]), 0), &["verified"]);

    let conflict = on.run(&["platform", "status"], &[("PLANTON_DATA_DIR", "/nowhere")]);
    has(
        &told(&conflict, 1),
        &[
            "Conflicting Platforms",
            "PLANTON_DATA_DIR",
            "PLANTON_BUCKET_URL",
        ],
    );
}
