//! Tests plans with unknown values. The plan uses the known values, and the apply never
//! contradicts the plan.

use serde_json::{Value, json};
use xtask::terraform::{Variables, Workspace};

use crate::scene::{ORGANIZATION, Scene, with_every_terraform};
use crate::steps::{Steps, has, text};

with_every_terraform!(
    acc_unknown_default_label_is_planned_as_unknown,
    acc_unknown_default_environment_is_planned_as_unknown,
    acc_unknown_defaults_leave_refreshes_imports_and_data_sources_alone,
    acc_known_defaults_count_while_the_platform_is_unknown,
    acc_value_of_several_unknown_sources_is_written_from_the_one_that_is_set,
    acc_unknown_parts_of_arguments_are_planned_as_unknown,
);

/// Returns a configuration of the provider with these lines.
fn provider(lines: &str) -> String {
    format!(
        "terraform {{\n  required_providers {{\n    planton = {{ source = \"plantonhq/planton\" }}\n  \
         }}\n}}\nprovider \"planton\" {{\n  organization = {ORGANIZATION:?}\n  {lines}\n}}\n"
    )
}

fn embedded(scene: &Scene) -> String {
    format!("embedded = {{ path = {:?} }}", scene.embedded().unwrap())
}

/// Returns the planned values of `planton_secret.{name}`, and which of them are unknown.
fn planned(workspace: &Workspace, variables: Variables<'_>, name: &str) -> (Value, Value) {
    let outcome = workspace.plan_with(variables, &["-out=saved"]).unwrap();
    outcome.changes().unwrap();
    let plan = workspace.show_plan("saved").unwrap();
    let address = format!("planton_secret.{name}");
    let changes = plan["resource_changes"].as_array().unwrap();
    let found = changes.iter().find(|change| change["address"] == *address);
    let change = &found.unwrap()["change"];
    (change["after"].clone(), change["after_unknown"].clone())
}

fn acc_unknown_default_label_is_planned_as_unknown(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "v" { default = "1" }
variable "again" { default = "1" }
resource "terraform_data" "team" {
  input            = "team-${var.v}"
  triggers_replace = var.again
}
resource "planton_secret" "s" {
  name             = "s"
  description      = "edition ${var.v}"
  value_wo         = "x"
  value_wo_version = "1"
}
resource "planton_secret" "by_value" {
  name     = "by-value"
  labels   = { tier = "a" }
  value_wo = "x"
}
"#,
    );
    let lines = format!(
        "{}\n  default_labels = {{ team = terraform_data.team.output }}",
        embedded(scene)
    );
    workspace.write("provider.tf", &provider(&lines)).unwrap();
    workspace.settled(&[]);
    workspace.settled(&[("v", "2")]);
    let labels = |name: &str| workspace.secret(name)["labels_all"].clone();
    assert_eq!(labels("s"), json!({"team": "team-2"}));
    assert_eq!(labels("by_value"), json!({"team": "team-2", "tier": "a"}));
    assert_eq!(workspace.secret("by_value")["version"], 1);

    // Unknown in the plan, and unchanged in the apply.
    let before = workspace.secret("s");
    workspace.settled(&[("v", "2"), ("again", "2")]);
    assert_eq!(workspace.secret("s"), before);
}

fn acc_unknown_default_environment_is_planned_as_unknown(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "v" { default = "1" }
variable "again" { default = "1" }
variable "description" { default = "a" }
resource "terraform_data" "environment" {
  input            = "env-${var.v}"
  triggers_replace = var.again
}
resource "planton_secret" "s" {
  name             = "s"
  description      = var.description
  value_wo         = "x"
  value_wo_version = "1"
}
resource "planton_secret" "own" {
  name             = "own"
  environment      = "production"
  description      = var.description
  value_wo         = "x"
  value_wo_version = "1"
}
"#,
    );
    let lines = format!(
        "{}\n  default_environment = terraform_data.environment.output",
        embedded(scene)
    );
    workspace.write("provider.tf", &provider(&lines)).unwrap();
    workspace.settled(&[]);
    let own = text(&workspace.secret("own"), "id");

    let changed = [("v", "2"), ("description", "b")];
    let (_, unknown) = planned(&workspace, &changed, "s");
    for name in ["environment", "id"] {
        assert_eq!(unknown[name], true, "{name}");
    }
    let (after, unknown) = planned(&workspace, &changed, "own");
    assert_eq!(after["environment"], "production");
    assert_eq!(after["labels_all"], json!({}));
    assert_ne!(unknown["id"], true);
    workspace.settled(&changed);
    assert_eq!(workspace.secret("s")["environment"], "env-2");
    assert_eq!(text(&workspace.secret("own"), "id"), own);

    // Unknown in the plan, and unchanged in the apply.
    workspace.settled(&[("v", "2"), ("description", "b"), ("again", "2")]);
    assert_eq!(workspace.secret("s")["environment"], "env-2");
    assert_eq!(text(&workspace.secret("own"), "id"), own);
}

fn acc_unknown_defaults_leave_refreshes_imports_and_data_sources_alone(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "v" { default = "1" }
resource "terraform_data" "default" { input = "x-${var.v}" }
resource "planton_secret" "s" {
  name             = "s"
  environment      = "production"
  value_wo         = "x"
  value_wo_version = "1"
}
"#,
    );
    let lines = format!(
        "{}\n  default_environment = terraform_data.default.output\n  default_labels = {{ team = \
         terraform_data.default.output }}",
        embedded(scene)
    );
    workspace.write("provider.tf", &provider(&lines)).unwrap();
    workspace.settled(&[]);
    let also = |configuration: &str| workspace.write("also.tf", configuration).unwrap();
    also(
        r#"
data "planton_default_backend" "d" {}
data "planton_secret" "s" {
  name        = "s"
  environment = "production"
}
ephemeral "planton_secret" "s" {
  name        = "s"
  environment = "production"
}
resource "planton_secret" "again" {
  name        = "s"
  environment = "production"
  value_wo    = "x"
}
import {
  to = planton_secret.again
  id = "production/s"
}
output "seen" { value = [data.planton_default_backend.d.backend, data.planton_secret.s.version] }
"#,
    );
    let changed = [("v", "2")];
    let plan = workspace.changes(&changed);
    has(&plan, &["1 to import", "labels_all", "\"platform\"", "+ 1"]);
    assert!(!plan.contains("Not Refreshed"), "{plan}");

    // Of a secret in an unknown environment, the error says why it is not found.
    for unknown in [
        "data \"planton_secret\" \"d\" { name = \"s\" }",
        "resource \"planton_secret\" \"i\" {\n  name = \"s\"\n  value_wo = \"x\"\n}\nimport {\n  to \
         = planton_secret.i\n  id = \"s\"\n}",
    ] {
        also(unknown);
        let told = ["Default Environment Not Known", "-target"];
        has(&workspace.refused(&changed), &told);
    }
    also("");
    workspace.settled(&changed);
    let secret = workspace.secret("s");
    assert_eq!(secret["labels_all"], json!({"team": "x-2"}));
    assert_eq!(secret["version"], 1);
}

fn acc_known_defaults_count_while_the_platform_is_unknown(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "path" {}
variable "again" { default = "1" }
variable "description" { default = "a" }
resource "terraform_data" "path" {
  input            = var.path
  triggers_replace = var.again
}
resource "planton_secret" "s" {
  name             = "s"
  description      = var.description
  labels           = { tier = "a" }
  value_wo         = "x"
  value_wo_version = "1"
}
"#,
    );
    let lines = "embedded = { path = terraform_data.path.output }\n  default_environment = \
                 \"production\"\n  default_labels = { team = \"payments\" }";
    workspace.write("provider.tf", &provider(lines)).unwrap();
    let path = scene.embedded().unwrap().display().to_string();
    for (again, description) in [("1", "a"), ("2", "b")] {
        let variables = [
            ("path", path.as_str()),
            ("again", again),
            ("description", description),
        ];
        let (after, _) = planned(&workspace, &variables, "s");
        assert_eq!(after["environment"], "production", "{again}");
        let labels = json!({"team": "payments", "tier": "a"});
        assert_eq!(after["labels_all"], labels, "{again}");
        workspace.settled(&variables);
        let secret = workspace.secret("s");
        assert_eq!(
            (&secret["labels_all"], &secret["version"]),
            (&labels, &json!(1))
        );
    }
    // Only the unknown value differs, so the secret does not change.
    let again = [
        ("path", path.as_str()),
        ("again", "3"),
        ("description", "b"),
    ];
    has(
        &workspace.changes(&again),
        &["1 to add, 0 to change, 1 to destroy"],
    );
}

fn acc_value_of_several_unknown_sources_is_written_from_the_one_that_is_set(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "kind" {}
variable "again" {}
resource "terraform_data" "kind" {
  input            = var.kind
  triggers_replace = var.again
}
locals {
  kind = terraform_data.kind.output
  text = local.kind == "text" ? "a text" : null
  data = local.kind == "data" ? { user = "ada" } : null
}
resource "planton_secret" "triggered" {
  name             = "triggered"
  value_wo         = local.text
  data_wo          = local.data
  value_wo_version = var.again
}
resource "planton_secret" "compared" {
  name     = "compared"
  value_wo = local.text
  data_wo  = local.data
}
resource "planton_secret" "or_generated" {
  name             = "or-generated"
  value_wo         = local.text
  generate         = local.kind == "data" ? {} : null
  value_wo_version = var.again
}
"#,
    );
    for (again, kind) in [("1", "text"), ("2", "data"), ("3", "text"), ("4", "text")] {
        let variables = [("kind", kind), ("again", again)];
        for name in ["triggered", "compared", "or_generated"] {
            let (_, unknown) = planned(&workspace, &variables, name);
            assert_eq!(unknown["version"], true, "{name} {again}");
        }
        workspace.settled(&variables);
        let opened = |name: &str| scene.open(&text(&workspace.secret(name), "id"));
        for name in ["triggered", "compared"] {
            let is_text = opened(name).text.is_some();
            assert_eq!(is_text, kind == "text", "{name} {again}");
        }
        let generated = opened("or_generated").text.unwrap();
        assert_eq!(generated == "a text", kind == "text", "{again}");
    }
    // Without a trigger, the same value is not a new version.
    assert_eq!(workspace.secret("compared")["version"], 3);
    assert_eq!(workspace.secret("triggered")["version"], 4);
}

fn acc_unknown_parts_of_arguments_are_planned_as_unknown(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "length" {}
variable "special" { default = null }
resource "terraform_data" "length" { input = var.length }
resource "planton_secret" "s" {
  name     = "s"
  labels   = { length = terraform_data.length.output }
  generate = {
    length  = terraform_data.length.output
    special = var.special
  }
  keep_versions    = terraform_data.length.output
  value_wo_version = var.length
}
"#,
    );
    workspace.settled(&[("length", "20"), ("special", "false")]);
    // A default applies again while another part is unknown.
    workspace.settled(&[("length", "30")]);
    let secret = workspace.secret("s");
    assert_eq!(secret["generate"]["special"], true);
    assert_eq!(secret["generate"]["length"], 30);
    assert_eq!(secret["labels_all"], json!({"length": "30"}));
    let opened = scene.open(&text(&secret, "id"));
    assert_eq!((opened.version, opened.text.unwrap().len()), (2, 30));
}
