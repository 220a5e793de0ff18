//! Tests the diagnostics for missing arguments of a secret.

use insta::assert_snapshot;

use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11};

/// Rejected by a plan, because values may be unknown before.
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
    assert_snapshot!(told.everything(), @r#"
    Error: Secret Value Missing
      in resource "planton_secret" "there"
      at value_wo         = var.password

    A new version needs a value, but none of value_wo, data_wo, generate and copy_from is set, or the one that is set is null.

    Set one of them. A value from an ephemeral variable must be given to every plan and apply that writes a version. A value under ignore_changes counts as not set.
    "#);

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
    assert!(!told.words().contains("xxxxx"));
    assert_snapshot!(told.at("no_value"), @r#"
    Error: Secret Value Missing
      in resource "planton_secret" "no_value"
      at resource "planton_secret" "no_value" {

    A new secret needs a value, but none of value_wo, data_wo, generate and copy_from is set, or the one that is set is null.

    Set one of them. A value from an ephemeral variable must be given to every plan and apply that writes a version. To destroy without one, run terraform destroy -refresh=false.
    "#);
    assert_snapshot!(told.at("null_value"), @r#"
    Error: Secret Value Missing
      in resource "planton_secret" "null_value"
      at value_wo = var.password

    A new secret needs a value, but none of value_wo, data_wo, generate and copy_from is set, or the one that is set is null.

    Set one of them. A value from an ephemeral variable must be given to every plan and apply that writes a version. To destroy without one, run terraform destroy -refresh=false.
    "#);
    assert_snapshot!(told.at("unknown_backend"), @r#"
    Warning: Secret Backend Not Declared Yet
      in resource "planton_secret" "unknown_backend"
      at backend  = "vault"

    Secret backend "vault" does not exist, and no planton_secret_backend that this provider configuration has planned so far declares it. The apply fails unless the backend exists by then.

    Check the name. Where the same configuration declares the backend, refer to it (backend = planton_secret_backend.<name>.name), so that Terraform creates it first. This warning remains where another alias of the provider declares it.
    "#);
    assert_snapshot!(told.at("too_large"), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "too_large"
      at value_wo = var.large

    The value has 65537 bytes; the embedded platform holds at most 59090 bytes in one secret (the backend's limit less the greatest envelope). Nothing was written.

    Split the value, or keep it elsewhere and its key here.
    "#);
    assert_snapshot!(told.at("data_too_large"), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "data_too_large"
      at data_wo = { a = var.large }

    The value has 65545 bytes; the embedded platform holds at most 59090 bytes in one secret (the backend's limit less the greatest envelope). Nothing was written.

    Split the value, or keep it elsewhere and its key here.
    "#);
    assert_snapshot!(told.at("unknown_secret"), @r#"
    Error: Secret Not Found
      in ephemeral "planton_secret" "unknown_secret"
      at name        = "nowhere"

    Secret "prod/nowhere" does not exist in this organization.

    Check its name and its environment; a secret of organization scope has no environment. Where the same configuration creates it, name it by its id, so that it is opened only once it exists:

      id = planton_secret.<name>.id
    "#);
    assert_snapshot!(told.at("unknown_id"), @r#"
    Error: Secret Not Found
      in ephemeral "planton_secret" "unknown_id"
      at id = "<uuid>"

    Secret "<uuid>" does not exist in this organization.

    Check its name and its environment; a secret of organization scope has no environment.
    "#);
    assert_snapshot!(told.at("unknown_version"), @r#"
    Error: Secret Version Not Found
      in ephemeral "planton_secret" "unknown_version"
      at version = 9

    Secret "there" has no version 9: it was never written, or keep_versions has let it go.

    Ask for another version, or leave version out for the current one.
    "#);
    assert_snapshot!(told.at("too_old"), @r#"
    Error: Secret Version Too Old
      in ephemeral "planton_secret" "too_old"
      at minimum_version = 2

    The secret is at version 1, but minimum_version asks for 2 or later.

    Somebody restored an old catalog, or the newer version was not written yet.
    "#);
    assert_snapshot!(told.at("missing"), @r#"
    Error: Secret Not Found
      in data "planton_secret" "missing"
      at name = "nowhere"

    Secret "nowhere" does not exist in this organization.

    Check its name and its environment; a secret of organization scope has no environment. Where the same configuration creates the secret, refer to it, so that it is read only once it exists:

      name = planton_secret.<name>.name
    "#);
    assert_eq!(told.len(), 10);
}
