//! Kills the provider before each step on a bucket. Acknowledged changes survive, and the next
//! apply converges.

use xtask::bucket::BucketService;

use super::SECRETS;
use super::scene::OnBucket;
use crate::crash::{CREATE, DELETE, ROTATE, apply_killed, resumed};
use crate::scene::assert_tombstones;
use crate::steps::{Steps, flat};

const FIRST: &str = "hunter2 of the first";
const SECOND: &str = "hunter2 of the second";

const ONE: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = "hunter2 of the first"
}
variable "trigger" { default = "1" }
variable "there" { default = true }

resource "planton_secret" "given" {
  count            = var.there ? 1 : 0
  name             = "given"
  value_wo         = var.value
  value_wo_version = var.trigger
}
"#;

#[test]
fn acc_bucket_first_use_that_was_killed_is_completed() {
    for step in ["organization provision", "organization commit"] {
        let on = OnBucket::new(BucketService::S3);
        let mut workspace = on.workspace(SECRETS);
        apply_killed(&mut workspace, step, &[]);
        let key = std::fs::read(on.key_file()).unwrap();
        workspace.settled(&[]);
        assert_eq!(std::fs::read(on.key_file()).unwrap(), key, "{step}");
        assert_eq!(on.value("given"), FIRST);
    }
}

#[test]
fn acc_bucket_change_that_was_killed_converges() {
    let on = OnBucket::new(BucketService::S3);
    on.workspace("resource \"planton_secret\" \"s\" {\n  name = \"first\"\n  generate = {}\n}\n")
        .settled(&[]);
    for step in CREATE {
        let mut workspace = on.workspace(ONE);
        apply_killed(&mut workspace, step, &[]);
        let outcome = workspace.apply(&[]).unwrap();
        assert_eq!(outcome.success(), step != "answer", "{step}");
        if step == "answer" {
            let told = flat(&outcome.error().unwrap());
            workspace.env("PLANTON_RESUME", resumed(&told));
            workspace.applied(&[]);
            workspace.env_remove("PLANTON_RESUME");
        }
        workspace.unchanged(&[]);
        assert_eq!(on.value("given"), FIRST, "{step}");
        workspace.destroyed(&[]);
    }
    let mut workspace = on.workspace(ONE);
    workspace.applied(&[]);
    let values = [(FIRST, "1"), (SECOND, "2")];
    for (number, step) in ROTATE.iter().enumerate() {
        let [(before, _), (after, trigger)] = match number % 2 {
            0 => values,
            _ => [values[1], values[0]],
        };
        let next = [("trigger", trigger), ("value", after)];
        apply_killed(&mut workspace, step, &next);
        let committed = match *step {
            "answer" => after,
            _ => before,
        };
        assert_eq!(on.value("given"), committed, "{step}");
        workspace.settled(&next);
        assert_eq!(on.value("given"), after, "{step}");
    }
    workspace.destroyed(&[]);
    for step in DELETE {
        let mut workspace = on.workspace(ONE);
        workspace.applied(&[]);
        apply_killed(&mut workspace, step, &[("there", "false")]);
        workspace.applied(&[("there", "false")]);
        workspace.destroyed(&[]);
    }
    let mut records = on.records();
    records.retain(|key, record| {
        key.starts_with("secrets/") && record["current"]["name"]["name"] != "first"
    });
    assert_tombstones(&records);
}
