//! Operator commands on a bucket, by the environment variables.

use serde_json::{Value, json};
use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::operator::{json as json_of, told};
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

    let status = json_of(&on.run(&["platform", "status", "--json"], &[]));
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
    let rotated = json_of(&on.run(&["platform", "key-file", "rotate", "--json"], &[]));
    let now = rotated["key_id"].as_str().unwrap();
    workspace.unchanged(&next);
    assert_eq!(on.value("given"), "hunter2 of the second");
    let status = json_of(&on.run(&["platform", "status", "--json"], &[]));
    assert_eq!(status["key_ids"][0].as_str().unwrap(), key);
    assert_ne!(now, key);
    let pins = [
        ("PLANTON_ORGANIZATION_FINGERPRINT", fingerprint.as_str()),
        ("PLANTON_ALLOWED_KEY_IDS", now),
    ];
    // Before the rewrap, every record is under the former root key: this might be another file.
    let remove = ["platform", "key-file", "remove-former", "--apply"];
    let both = std::fs::read(on.key_file()).unwrap();
    let mut objects = on.objects().into_iter();
    let before = objects.find(|(key, _)| key.starts_with("records/secrets/"));
    let before = before.unwrap();
    has(&told(&on.run(&remove, &[]), 2), &["Key File Not In Use"]);
    assert_eq!(std::fs::read(on.key_file()).unwrap(), both);
    told(&on.run(&["rewrap"], &pins), 0);
    let recorded = &on.records()["organization"]["main_key"];
    assert_eq!(format!("local:{}", recorded["id"].as_str().unwrap()), now);
    has(
        &told(&on.run(&["rewrap", "--remove-former-keys"], &pins), 0),
        &["Former Root Keys Kept"],
    );
    former_root_key_is_removed(&on, (&before.0, &before.1));
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

/// Checks that the former root key stays in the file as long as a record names it, and that
/// nothing is removed unasked. `before` is a record from before the rewrap.
fn former_root_key_is_removed(on: &OnBucket, before: (&str, &[u8])) {
    let file = || std::fs::read(on.key_file()).unwrap();
    let both = file();
    let remove = ["platform", "key-file", "remove-former", "--json"];
    let listed = json_of(&on.run(&remove, &[]));
    let former = listed["unneeded"][0].as_str().unwrap().to_owned();
    assert_eq!(listed["applied"], false);
    assert_eq!(file(), both);
    let apply = [&remove[..], &["--apply"]].concat();
    // A record from before the rewrap comes back, as from a version of its object.
    let (key, old) = before;
    let current = on.objects().remove(key).unwrap();
    on.bucket.overwrite(&on.key(key), old).unwrap();
    let needed = on.run(&apply, &[]);
    told(&needed, 1);
    let needed: Value = serde_json::from_slice(&needed.stdout).unwrap();
    let record = key.strip_prefix("records/").unwrap();
    let record = record.strip_suffix(".json").unwrap();
    let by = json!([{"root_key": former, "organization": "acme", "record": record}]);
    assert_eq!(needed["needed_by"], by);
    assert_eq!(file(), both);
    on.bucket.overwrite(&on.key(key), &current).unwrap();
    let removed = json_of(&on.run(&apply, &[]));
    assert_eq!(
        (&removed["unneeded"], &removed["applied"]),
        (&json!([former]), &json!(true))
    );
    assert!(file().len() < both.len());
    assert_eq!(json_of(&on.run(&apply, &[]))["unneeded"], json!([]));
}
