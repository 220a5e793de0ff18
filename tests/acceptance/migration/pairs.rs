//! Every ordered pair of platforms.

use super::Place;
use crate::operator::told;
use crate::steps::{Steps, has};

/// A secret that rotates, a generated one of an environment, and one that goes.
const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" {}
variable "temporary" { default = true }

resource "planton_secret" "given" {
  name             = "given"
  value_wo         = var.value
  value_wo_version = var.trigger
}

resource "planton_secret" "generated" {
  name        = "generated"
  environment = "prod"
  generate    = { length = 40 }
}

resource "planton_secret" "temporary" {
  count    = var.temporary ? 1 : 0
  name     = "temporary"
  generate = {}
}
"#;

#[test]
fn acc_migration_between_each_pair_keeps_states_valid() {
    let (embedded, openbao, bucket) = (Place::embedded(), Place::openbao(), Place::bucket());
    // Each ordered pair once, and each platform is left and returned to.
    let way = [
        &embedded, &openbao, &bucket, &embedded, &bucket, &openbao, &embedded,
    ];
    let mut workspace = embedded.workspace(SECRETS);
    let mut value = "hunter2 number 0".to_owned();
    workspace.applied(&[("value", &value), ("trigger", "0")]);
    workspace.applied(&[("value", &value), ("trigger", "0"), ("temporary", "false")]);
    let generated = workspace.secret("generated");

    let dry = told(&embedded.migration(&openbao, &[]).output().unwrap(), 0);
    has(
        &dry,
        &["2 secrets, 0 backends", "Nothing was changed", "--apply"],
    );
    for (hop, pair) in way.windows(2).enumerate() {
        let (source, target) = (pair[0], pair[1]);
        let moved = source.migrated(target);
        has(&moved, &["The migration is complete", &target.described()]);
        let before = [
            ("value", value.as_str()),
            ("trigger", &hop.to_string()),
            ("temporary", "false"),
        ];
        let late = workspace.refused(&before);
        has(&late, &["Organization Moved", &target.described()]);
        target.configure(&mut workspace);
        workspace.unchanged(&before);
        value = format!("hunter2 number {}", hop + 1);
        let trigger = (hop + 1).to_string();
        workspace.applied(&[
            ("value", &value),
            ("trigger", &trigger),
            ("temporary", "false"),
        ]);
        assert_eq!(target.value("given"), value);
    }
    assert_eq!(workspace.secret("generated")["id"], generated["id"]);
    has(&told(&embedded.run(&["verify"], &[]), 0), &["verified"]);
    let last = [("value", value.as_str()), ("trigger", "6")];
    workspace.destroyed(&last);
}
