//! A refresh does not unwrap a key.

use crate::crash::{OPEN, apply_killed};
use crate::scene::{Scene, on_every_stage};
use crate::steps::Steps;

on_every_stage!(acc_secret_refresh_and_plan_open_nothing);

const SECRETS: &str = r#"
variable "trigger" {
  default = "1"
}
resource "planton_secret" "text" {
  name             = "text"
  value_wo         = "of no account"
  value_wo_version = var.trigger
}
resource "planton_secret" "data" {
  name             = "data"
  data_wo          = { user = "root" }
  value_wo_version = var.trigger
}
resource "planton_secret" "generated" {
  name     = "generated"
  generate = { length = 20 }
}
"#;

/// Uses a provider that dies before it unwraps a key.
fn acc_secret_refresh_and_plan_open_nothing(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    workspace.applied(&[]);
    workspace.env("PLANTON_TEST_KILL_BEFORE", OPEN[0]);
    let refresh = ["-refresh-only"];
    workspace.apply_with(&[], &refresh).unwrap().ok().unwrap();
    workspace.unchanged(&[]);
    // Nor does the plan of a rotation with a trigger.
    workspace.changes(&[("trigger", "2")]);
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");

    // The control: an operation that unwraps a key dies.
    apply_killed(&mut workspace, OPEN[0], &[("trigger", "2")]);
    workspace.settled(&[("trigger", "2")]);
    workspace.destroyed(&[]);
}
