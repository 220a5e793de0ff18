//! Size of a secret in a state. Terraform writes the whole state after every resource, so each
//! byte counts once for every secret and every change.

use std::fs;

use crate::scene::{Scene, on_every_stage};
use crate::steps::Steps;

on_every_stage!(acc_secret_takes_little_of_the_state);

/// Secrets that each state of the test has.
const FEW: u64 = 2;
const MANY: u64 = 12;

/// Most bytes of a secret in a state without the identity, which Terraform 1.12 introduced.
const MAX_BYTES: u64 = 970;

/// Most bytes of the identity: organization, environment and name once more.
const MAX_IDENTITY_BYTES: u64 = 200;

fn acc_secret_takes_little_of_the_state(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "secrets" {}
resource "planton_secret" "app" {
  count            = var.secrets
  name             = format("database-password-%02d", count.index)
  environment      = "production"
  value_wo         = "hunter2"
  value_wo_version = "2026-11"
}
"#,
    );
    let path = workspace.path().join("terraform.tfstate");
    let bytes_with = |secrets: u64| {
        let secrets = secrets.to_string();
        workspace.settled(&[("secrets", &secrets)]);
        fs::metadata(&path).unwrap().len()
    };
    // The rest of the state stays the same.
    let few = bytes_with(FEW);
    let each = (bytes_with(MANY) - few) / (MANY - FEW);
    let state = fs::read_to_string(&path).unwrap();
    let identity = match state.contains(r#""identity":"#) {
        true => MAX_IDENTITY_BYTES,
        false => 0,
    };
    assert!(
        each <= MAX_BYTES + identity,
        "{each} bytes a secret: {state}"
    );
}
