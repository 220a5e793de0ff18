//! `terraform validate` reports errors of the configuration itself, and no diagnostic
//! shows a value that may be sensitive.

use xtask::canary::Canary;

use crate::scene::{Scene, with_every_terraform};
use crate::steps::{flat, has};

with_every_terraform!(
    acc_every_mistake_that_needs_no_platform_is_told_by_validate,
    acc_what_may_still_be_right_passes_validate,
    acc_sensitive_value_in_any_argument_is_not_shown,
);

/// A resource's body, and its diagnostic.
const MISTAKES: [(&str, &[&str]); 20] = [
    (
        "name = \"db\"\n  value_wo = \"x\"\n  takes_over = \"0198C2F4-6D3A-8C51-9B1E-2F6D8A4C0B11\"",
        &["Invalid Secret Id", "in lower-case letters"],
    ),
    (
        "name = null\n  value_wo = \"x\"",
        &["Missing Required Argument", "The argument name is required"],
    ),
    (
        "name = \"db\"\n  copy_from = { backend = \"aws\", remote_name = null }",
        &["Missing Required Argument", "copy_from.remote_name"],
    ),
    (
        "name = \"DB_PASSWORD\"\n  value_wo = \"x\"",
        &["Invalid Name", "For example: \"db-password\""],
    ),
    (
        "name = \"db\"\n  environment = \"Prod_West\"\n  value_wo = \"x\"",
        &["Invalid Name", "For example: \"prod-west\""],
    ),
    (
        "name = \"db\"\n  backend = \"-\"\n  value_wo = \"x\"",
        &["Invalid Name", "begins or ends with a hyphen"],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  generate = {}",
        &["Conflicting Secret Values"],
    ),
    (
        "name = \"db\"\n  data_wo = { user = \"ada\", password = null }",
        &[
            "Invalid Secret Data",
            "Entry \"password\" of data_wo is null",
        ],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  labels = { team = null }",
        &["Invalid Label", "Entry \"team\" of labels is null"],
    ),
    (
        "name = \"db\"\n  generate = { length = var.number, min_lower = 5000 }",
        &["Invalid Generate Parameters", "add up to more than length"],
    ),
    (
        "name = \"db\"\n  generate = { length = 12.5, special = var.flag }",
        &[
            "Invalid Generate Parameters",
            "a whole number from 1 to 4096",
        ],
    ),
    (
        "name = \"db\"\n  generate = { min_upper = 1.5 }",
        &[
            "Invalid Generate Parameters",
            "min_upper must be a whole number of 0 or more",
        ],
    ),
    (
        "name = \"db\"\n  generate = { numeric = false, min_numeric = 2, length = var.number }",
        &["Invalid Generate Parameters", "disabled class"],
    ),
    (
        "name = \"db\"\n  copy_from = { backend = \"platform\", remote_name = \"x\" }",
        &["Invalid Copy Source", "contains sealed secrets only"],
    ),
    (
        "name = \"db\"\n  copy_from = { backend = \"aws\", remote_name = \"\" }",
        &["Invalid Copy Source", "remote_name is an empty text"],
    ),
    (
        "name = \"db\"\n  copy_from = { backend = \"My_Vault\", remote_name = var.text }",
        &["Invalid Name", "For example: \"my-vault\""],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  keep_versions = 2.5",
        &["Invalid Number Of Versions"],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  timeouts = { update = \"5\" }",
        &["Invalid Timeout", "timeouts.update"],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  takes_over = \"db\"",
        &["Invalid Secret Id"],
    ),
    (
        "name = \"db\"\n  value_wo = \"x\"\n  on_destroy = \"keep\"",
        &["Invalid Destroy Behaviour"],
    ),
];

const VARIABLES: &str = r#"
variable "text" {}
variable "number" { type = number }
variable "flag" { type = bool }
"#;

fn acc_every_mistake_that_needs_no_platform_is_told_by_validate(scene: &Scene) {
    let mut configuration = VARIABLES.to_owned();
    for (number, (body, _)) in MISTAKES.iter().enumerate() {
        configuration.push_str(&format!(
            "resource \"planton_secret\" \"wrong{number}\" {{\n  {body}\n}}\n"
        ));
    }
    configuration.push_str(
        "ephemeral \"planton_secret\" \"old\" {\n  name = \"db\"\n  version = 2\n  minimum_version = 3\n}\n\
         ephemeral \"planton_secret\" \"name\" {\n  name = \"DB_PASSWORD\"\n}\n",
    );
    let workspace = scene.workspace(&configuration);
    let refused = workspace.validate().unwrap().error().unwrap();
    // The diagnostics in order, each with its resource.
    let told: Vec<String> = refused.split("Error: ").map(flat).collect();
    let of = |resource: &str| {
        let mut found = told.iter().filter(|told| told.contains(resource));
        let first = found
            .next()
            .unwrap_or_else(|| panic!("{resource} in {told:?}"));
        assert!(found.next().is_none(), "{resource} is told twice: {told:?}");
        first.clone()
    };
    for (number, (_, parts)) in MISTAKES.iter().enumerate() {
        has(&of(&format!("\"wrong{number}\"")), parts);
    }
    has(
        &of("\"old\""),
        &["Invalid Secret Version", "minimum_version"],
    );
    has(&of("\"name\""), &["Invalid Name", "db-password"]);
}

fn acc_what_may_still_be_right_passes_validate(scene: &Scene) {
    let configuration = r#"
resource "planton_secret" "unknown" {
  name        = var.text
  environment = var.text
  backend     = var.text
  value_wo    = var.text
  labels      = { team = var.text }
  generate    = { length = var.number, lower = var.flag, upper = false, min_lower = var.number }
}
resource "planton_secret" "no_source" {
  name             = "imported"
  value_wo_version = "1"
}
resource "planton_secret" "empty" {
  name     = "empty"
  value_wo = ""
  timeouts = {}
}
"#;
    let workspace = scene.workspace(&format!("{VARIABLES}{configuration}"));
    let conflicting = workspace.validate().unwrap();
    // An unknown value beside generate is valid, since the value may become null.
    conflicting.ok().unwrap();
}

/// Canaries in the form of a name, of a word, and of neither.
fn acc_sensitive_value_in_any_argument_is_not_shown(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "shown" {
  type      = string
  sensitive = true
}
variable "ephemeral" {
  type      = string
  ephemeral = true
}
resource "planton_secret" "name" {
  name     = var.shown
  value_wo = "x"
}
resource "planton_secret" "environment" {
  name        = "db"
  environment = var.shown
  value_wo    = "x"
}
resource "planton_secret" "backend" {
  name     = "db"
  backend  = var.shown
  value_wo = "x"
}
resource "planton_secret" "lifecycle" {
  name       = "db"
  value_wo   = "x"
  on_destroy = var.shown
  takes_over = var.shown
  timeouts   = { create = var.shown }
}
resource "planton_secret" "copy" {
  name      = "db"
  copy_from = { backend = var.shown, remote_name = var.shown }
}
resource "planton_secret" "special" {
  name     = "db"
  generate = { override_special = "${var.shown}${var.shown}" }
}
resource "planton_secret" "labels" {
  name     = "db"
  value_wo = "x"
  labels   = { (var.shown) = null, team = join("", [for i in range(40) : var.shown]) }
}
ephemeral "planton_secret" "id" { id = var.ephemeral }
ephemeral "planton_secret" "name" {
  name        = var.ephemeral
  environment = var.ephemeral
}
data "planton_secret" "name" { name = var.shown }
"#,
    );
    let random = Canary::alphanumeric("given as a name");
    let random = random.value();
    let shaped = ["", "_", "-", " "].map(|separator| format!("Q7{separator}{random}{separator}X9"));
    let passphrase = "CorrectHorseBattery";
    for value in shaped.iter().map(String::as_str).chain([passphrase]) {
        let variables = [("shown", value), ("ephemeral", value)];
        let outcome = workspace.plan(&variables).unwrap();
        let told = flat(&outcome.error().unwrap());
        has(
            &told,
            &[
                "Invalid Name",
                "Invalid Destroy Behaviour",
                "Invalid Secret Id",
                "Invalid Timeout",
                "Invalid Generate Parameters",
                "Invalid Label",
                "Invalid Secret Selector",
            ],
        );
        let lower = told.to_lowercase();
        assert!(!lower.contains(&value.to_lowercase()), "{told}");
        // No part of the value is shown either, since a suggestion could contain one.
        for part in value.split(['_', '-', ' ']).filter(|part| part.len() > 6) {
            assert!(!lower.contains(&part.to_lowercase()), "{told}");
        }
    }
}
