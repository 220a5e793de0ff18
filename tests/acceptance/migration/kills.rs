//! A migration that is killed before each of its steps, one after the other.

use xtask::bucket::BucketService;

use super::Place;
use crate::operator::{KILL, killed, told};
use crate::steps::{Steps, has};

/// The steps in their order. Those that occur for each record are killed at the first one.
const STEPS: [&str; 12] = [
    "migrate",
    "provision target",
    "write arriving organization",
    "mark moving organization",
    "migrate records",
    "fence document",
    "put migrated version",
    "commit migrated document",
    "last listing",
    "verify migration",
    "finish arriving organization",
    "point to target",
];

const SECRETS: &str = r#"
resource "planton_secret" "one" {
  name     = "one"
  generate = {}
}
resource "planton_secret" "two" {
  name     = "two"
  generate = {}
}
"#;

#[test]
fn acc_migration_that_is_killed_before_each_step_is_continued() {
    let (source, target) = (Place::embedded(), Place::bucket(BucketService::S3));
    let mut workspace = source.workspace(SECRETS);
    workspace.applied(&[]);
    let values = ["one", "two"].map(|name| source.value(name));
    let pins = source.pins();
    for step in STEPS {
        let mut command = source.migration(&target, &["--apply"]);
        let output = command.envs(pins.clone()).env(KILL, step).output().unwrap();
        killed(&output, step);
        if step == "last listing" {
            let late = told(&source.run(&["platform", "status"], &[]), 1);
            has(&late, &["Organization Moved", "was verified"]);
            let early = told(&target.run(&["platform", "status"], &[]), 1);
            has(&early, &["Organization Not Arrived", "run it again"]);
            let dry = told(&source.migration(&target, &[]).output().unwrap(), 1);
            has(&dry, &["and is not done", "Nothing was changed", "--apply"]);
        }
    }
    let done = source
        .migration(&target, &["--apply"])
        .envs(pins)
        .output()
        .unwrap();
    let key_file = "Key File Not Backed Up";
    has(&told(&done, 0), &["moved 0 records", "complete", key_file]);
    let dry = told(&source.migration(&target, &[]).output().unwrap(), 0);
    has(&dry, &["is complete", "Nothing was changed"]);
    assert!(!dry.contains(key_file), "{dry}");
    has(&workspace.refused(&[]), &["Organization Moved"]);
    target.configure(&mut workspace);
    workspace.unchanged(&[]);
    assert_eq!(["one", "two"].map(|name| target.value(name)), values);
    // No kill has left an object that no record names.
    let listed = ["gc", "--orphans", "--older-than", "0s"];
    has(
        &told(&target.run(&listed, &[]), 0),
        &["nothing found that no record needs"],
    );
}
