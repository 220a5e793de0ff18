//! Arguments of a secret, of an ephemeral one, and of functions.

use insta::assert_snapshot;

use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11};

/// Refused before anything is asked of the platform.
#[test]
fn malformed_arguments_are_told_at_the_attribute() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(
        r#"
resource "planton_secret" "name" {
  name     = "Database_Password"
  value_wo = "x"
}
resource "planton_secret" "environment" {
  name        = "db"
  environment = "-prod"
  value_wo    = "x"
}
resource "planton_secret" "backend" {
  name     = "db"
  backend  = "My Vault"
  value_wo = "x"
}
resource "planton_secret" "two_values" {
  name     = "db"
  value_wo = "hunter2"
  data_wo  = { a = "hunter2" }
}
resource "planton_secret" "empty_key" {
  name    = "db"
  data_wo = { "" = "hunter2" }
}
resource "planton_secret" "null_entry" {
  name    = "db"
  data_wo = { a = null }
}
resource "planton_secret" "no_length" {
  name     = "db"
  generate = { length = 0 }
}
resource "planton_secret" "half_a_length" {
  name     = "db"
  generate = { length = 1.5 }
}
resource "planton_secret" "no_characters" {
  name     = "db"
  generate = { lower = false, upper = false, numeric = false, special = false }
}
resource "planton_secret" "minima" {
  name     = "db"
  generate = { length = 4, min_lower = 3, min_upper = 3 }
}
resource "planton_secret" "minimum_of_nothing" {
  name     = "db"
  generate = { numeric = false, min_numeric = 1 }
}
resource "planton_secret" "special" {
  name     = "db"
  generate = { override_special = "!!" }
}
resource "planton_secret" "timeout" {
  name     = "db"
  value_wo = "x"
  timeouts = { create = "soon" }
}
resource "planton_secret" "label_value" {
  name     = "db"
  value_wo = "x"
  labels   = { team = null }
}
resource "planton_secret" "label_key" {
  name     = "db"
  value_wo = "x"
  labels   = { "" = "payments" }
}
resource "planton_secret" "too_many_labels" {
  name     = "db"
  value_wo = "x"
  labels   = { for number in range(41) : "label-${number}" => "x" }
}
resource "planton_secret" "on_destroy" {
  name       = "db"
  value_wo   = "x"
  on_destroy = "keep"
}
resource "planton_secret" "keep_versions" {
  name          = "db"
  value_wo      = "x"
  keep_versions = 0
}
ephemeral "planton_secret" "both" {
  id   = "1b4e4c9e-0000-8000-8000-000000000001"
  name = "db"
}
ephemeral "planton_secret" "neither" {
}
ephemeral "planton_secret" "no_uuid" {
  id = "db"
}
ephemeral "planton_secret" "no_version" {
  name    = "db"
  version = 0
}
data "planton_secret" "slug" {
  name = "Database Password"
}
"#,
    );
    let told = Told::by_plan(&workspace, &[], &[]);
    assert!(!told.everything().contains("hunter2"));
    assert_snapshot!(told.at("name"), @"");
    assert_snapshot!(told.at("environment"), @"");
    assert_snapshot!(told.at("backend"), @"");
    assert_snapshot!(told.at("two_values"), @"");
    assert_snapshot!(told.at("empty_key"), @"");
    assert_snapshot!(told.at("null_entry"), @"");
    assert_snapshot!(told.at("no_length"), @"");
    assert_snapshot!(told.at("half_a_length"), @"");
    assert_snapshot!(told.at("no_characters"), @"");
    assert_snapshot!(told.at("minima"), @"");
    assert_snapshot!(told.at("minimum_of_nothing"), @"");
    assert_snapshot!(told.at("special"), @"");
    assert_snapshot!(told.at("timeout"), @"");
    assert_snapshot!(told.at("label_value"), @"");
    assert_snapshot!(told.at("label_key"), @"");
    assert_snapshot!(told.at("too_many_labels"), @"");
    assert_snapshot!(told.at("on_destroy"), @"");
    assert_snapshot!(told.at("keep_versions"), @"");
    assert_snapshot!(told.at("both"), @"");
    assert_snapshot!(told.at("neither"), @"");
    assert_snapshot!(told.at("no_uuid"), @"");
    assert_snapshot!(told.at("no_version"), @"");
    assert_snapshot!(told.at("slug"), @"");
    assert_eq!(told.len(), 23);
}

/// Refused in a plan, since only then everything is known.
#[test]
fn what_a_secret_lacks_is_told_in_the_plan() {
    let _filters = filters();
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(
        r#"
variable "rotation" {
  default = "1"
}
variable "password" {
  type      = string
  ephemeral = true
  default   = null
}
resource "planton_secret" "there" {
  name             = "there"
  value_wo         = var.password
  value_wo_version = var.rotation
}
"#,
    );
    let created = workspace.apply(&[("password", "hunter2")]).unwrap();
    created.ok().unwrap();

    let told = Told::by_plan(&workspace, &[("rotation", "2")], &[]);
    assert_snapshot!(told.everything(), @"");

    let large = "x".repeat(65_537);
    workspace
        .write(
            "more.tf",
            r#"
variable "large" {
  type      = string
  ephemeral = true
}
resource "planton_secret" "no_value" {
  name = "no-value"
}
resource "planton_secret" "null_value" {
  name     = "null-value"
  value_wo = var.password
}
resource "planton_secret" "unknown_backend" {
  name     = "unknown-backend"
  backend  = "vault"
  value_wo = "x"
}
resource "planton_secret" "too_large" {
  name     = "too-large"
  value_wo = var.large
}
resource "planton_secret" "data_too_large" {
  name    = "data-too-large"
  data_wo = { a = var.large }
}
ephemeral "planton_secret" "unknown_secret" {
  name        = "nowhere"
  environment = "prod"
}
ephemeral "planton_secret" "unknown_id" {
  id = "1b4e4c9e-0000-8000-8000-000000000001"
}
ephemeral "planton_secret" "unknown_version" {
  name    = "there"
  version = 9
}
ephemeral "planton_secret" "too_old" {
  name            = "there"
  minimum_version = 2
}
data "planton_secret" "missing" {
  name = "nowhere"
}
"#,
        )
        .unwrap();
    let told = Told::by_plan(&workspace, &[("large", &large)], &[]);
    assert!(!told.everything().contains("xxxxx"));
    assert_snapshot!(told.at("no_value"), @"");
    assert_snapshot!(told.at("null_value"), @"");
    assert_snapshot!(told.at("unknown_backend"), @"");
    assert_snapshot!(told.at("too_large"), @"");
    assert_snapshot!(told.at("data_too_large"), @"");
    assert_snapshot!(told.at("unknown_secret"), @"");
    assert_snapshot!(told.at("unknown_id"), @"");
    assert_snapshot!(told.at("unknown_version"), @"");
    assert_snapshot!(told.at("too_old"), @"");
    assert_snapshot!(told.at("missing"), @"");
    assert_eq!(told.len(), 10);
}

#[test]
fn a_function_tells_which_argument_is_wrong() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace(
        r#"
output "parsed" {
  value = provider::planton::parse_secret_ref("secret/db")
}
output "name" {
  value = provider::planton::secret_ref("Not a slug", null, null)
}
output "key" {
  value = provider::planton::secret_ref("db", "prod", "a/b")
}
"#,
    );
    assert_snapshot!(Told::by_plan(&workspace, &[], &[]).everything(), @"");
}
