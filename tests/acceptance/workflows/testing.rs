//! Tests `terraform test`, on a separate platform and with a mocked provider, as in the
//! guide.

use std::path::Path;

use xtask::terraform::{Outcome, Workspace};

use crate::scene::{PROVIDER, Scene, with_every_terraform};
use crate::steps::{flat, has};

with_every_terraform!(
    acc_terraform_test_applies_asserts_and_leaves_nothing,
    acc_terraform_test_runs_on_an_embedded_platform_as_the_guide_shows,
    acc_mock_provider_works_without_and_with_the_defaults_of_the_guide,
);

const GUIDE: &str = include_str!("../../../docs/guides/testing.md");

/// Runs `terraform test`.
pub(crate) fn test(workspace: &Workspace) -> Outcome {
    workspace.run(&["test", "-no-color"]).unwrap()
}

/// Writes a test file.
pub(crate) fn write_test(workspace: &Workspace, text: &str) {
    std::fs::create_dir_all(workspace.path().join("tests")).unwrap();
    workspace.write("tests/a.tftest.hcl", text).unwrap();
}

/// Returns the guide's block after this comment.
fn shown(comment: &str) -> &'static str {
    let from = GUIDE.find(comment).expect("the guide has the block");
    GUIDE[from..].split("```").next().unwrap()
}

pub(crate) const CONSUMED: &str = r#"
resource "planton_secret" "db" {
  name     = "db"
  generate = { length = 20 }
}
ephemeral "planton_secret" "db" {
  id      = planton_secret.db.id
  version = planton_secret.db.version
}
resource "planton_secret" "consumer" {
  name             = "consumer"
  value_wo         = "postgres://app:${ephemeral.planton_secret.db.value}@db"
  value_wo_version = planton_secret.db.version
}
output "reference" {
  value = provider::planton::secret_ref(planton_secret.db.name, null, null)
}
output "version" { value = planton_secret.consumer.version }
"#;

fn acc_terraform_test_applies_asserts_and_leaves_nothing(scene: &Scene) {
    let workspace = scene.workspace(CONSUMED);
    write_test(
        &workspace,
        r#"
run "plans" {
  command = plan
}
run "applies" {
  assert {
    condition     = output.reference == "$secret/db" && output.version == 1
    error_message = "the consumer has no version"
  }
}
run "changes_nothing" {
  assert {
    condition     = output.version == 1
    error_message = "the second run wrote a version"
  }
}
"#,
    );
    // Twice, because the leftovers of the first run must not block the second one.
    for _ in 0..2 {
        has(
            &flat(test(&workspace).ok().unwrap().stdout()),
            &["3 passed, 0 failed"],
        );
        assert_eq!(scene.objects(), [""; 0]);
    }
    // A failing test leaves nothing either.
    write_test(
        &workspace,
        r#"
run "fails" {
  assert {
    condition     = output.version == 2
    error_message = "not the second version"
  }
}
"#,
    );
    let failed = test(&workspace);
    has(&flat(failed.stdout()), &["0 passed, 1 failed"]);
    has(&flat(failed.stderr()), &["not the second version"]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_terraform_test_runs_on_an_embedded_platform_as_the_guide_shows(scene: &Scene) {
    let workspace = Workspace::new(scene.terraform(), Path::new(PROVIDER)).unwrap();
    workspace.write("main.tf", shown("# main.tf")).unwrap();
    write_test(&workspace, shown("# tests/embedded.tftest.hcl"));
    let passed = test(&workspace).ok().unwrap();
    has(&flat(passed.stdout()), &["1 passed, 0 failed"]);
    // The tests did not call the configuration's own provider.
    assert!(workspace.path().join(".planton-test").exists());
}

fn acc_mock_provider_works_without_and_with_the_defaults_of_the_guide(scene: &Scene) {
    let workspace = Workspace::new(scene.terraform(), Path::new(PROVIDER)).unwrap();
    let configuration = r#"
terraform {
  required_providers {
    planton = { source = "plantonhq/planton" }
  }
}
resource "planton_secret_backend" "corp" {
  name              = "corp"
  openbao = {
    address       = "https://openbao.invalid:8200"
    kv_mount_path = "secret"
    token_wo      = "token"
  }
  credentials_wo_version = "1"
}
resource "planton_default_backend" "this" { backend = planton_secret_backend.corp.name }
resource "planton_secret" "db" {
  name        = "db"
  environment = "production"
  backend     = planton_secret_backend.corp.name
  generate    = { length = 20 }
}
resource "planton_secret" "consumer" {
  name             = "consumer"
  value_wo         = "given"
  value_wo_version = planton_secret.db.version
}
data "planton_secret" "db" {
  name        = planton_secret.db.name
  environment = planton_secret.db.environment
}
data "planton_secret_backend" "corp" { name = planton_secret_backend.corp.name }
data "planton_default_backend" "this" { depends_on = [planton_default_backend.this] }
output "db" {
  value = {
    id        = planton_secret.db.id
    reference = data.planton_secret.db.reference
    version   = planton_secret.db.version
  }
}
"#;
    workspace.write("main.tf", configuration).unwrap();
    let plain = r#"
mock_provider "planton" {}
run "plans" { command = plan }
run "applies" {
  assert {
    condition     = output.db.id != ""
    error_message = "no id"
  }
}
"#;
    write_test(&workspace, plain);
    let passed = test(&workspace).ok().unwrap();
    has(&flat(passed.stdout()), &["2 passed, 0 failed"]);

    // The function rejects an invalid reference. The guide's defaults are valid.
    let parsed = "output \"parsed\" {\n  value = provider::planton::parse_secret_ref(\
        data.planton_secret.db.reference)\n}\n";
    workspace.write("parsed.tf", parsed).unwrap();
    assert!(!test(&workspace).success());
    let defaults = shown("# tests/mocked.tftest.hcl");
    let run = r#"
run "applies" {
  assert {
    condition     = output.parsed.name == "mocked" && output.db.version == 1
    error_message = "not the defaults"
  }
}
"#;
    write_test(&workspace, &[defaults, run].concat());
    let passed = test(&workspace).ok().unwrap();
    has(&flat(passed.stdout()), &["1 passed, 0 failed"]);
}
