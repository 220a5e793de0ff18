//! Tests Ctrl-C during an apply. Terraform calls StopProvider, and each operation ends
//! before its next step.

use crate::races::Held;
use crate::scene::{Scene, record_of, with_every_terraform};
use crate::steps::Steps;

with_every_terraform!(an_interrupt_ends_a_creation_and_a_rotation_at_their_next_step);

const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" {
  default = "1"
}
resource "planton_secret" "first" {
  name     = "first"
  generate = {}
}
resource "planton_secret" "second" {
  name             = "second"
  value_wo         = var.value
  value_wo_version = var.trigger
  depends_on       = [planton_secret.first]
}
"#;

fn an_interrupt_ends_a_creation_and_a_rotation_at_their_next_step(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    // The provider logs the request to stop here.
    workspace.env("TF_LOG_PROVIDER", "INFO");
    let creation = [("value", "one")];
    let targeted = ["-target=planton_secret.first"];
    let only_first = workspace.apply_with(&creation, &targeted).unwrap();
    only_first.ok().unwrap();

    // Nothing is put before `wrap`.
    let interrupted = Held::before("wrap", &mut workspace, &creation).interrupt();
    let told = interrupted.error().unwrap();
    assert!(told.contains("Operation Cancelled"), "{told}");
    assert_eq!(scene.objects().len(), 1, "nothing was put");
    assert!(workspace.attributes("planton_secret.first").is_some());
    workspace.settled(&creation);
    assert_eq!(scene.read(&["second"])["second"], "one");

    let rotation = [("value", "two"), ("trigger", "2")];
    let before = record_of(&scene.records(), "second");
    let interrupted = Held::before("wrap", &mut workspace, &rotation).interrupt();
    let told = interrupted.error().unwrap();
    assert!(told.contains("Operation Cancelled"), "{told}");
    assert_eq!(record_of(&scene.records(), "second"), before);
    assert_eq!(scene.read(&["second"])["second"], "one");
    workspace.settled(&rotation);
    assert_eq!(scene.read(&["second"])["second"], "two");
    workspace.destroyed(&[("value", "")]);
    assert_eq!(scene.objects(), [""; 0]);
}
