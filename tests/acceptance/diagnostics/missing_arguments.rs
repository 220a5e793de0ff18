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

    A new version needs a value, but value_wo, data_wo, generate and copy_from are all unset or null.

    Set one of them. If the value comes from an ephemeral variable, set that variable for every plan and apply that writes a version. A value under ignore_changes counts as not set. To destroy without one, run terraform destroy -refresh=false.
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

    A new secret needs a value, but value_wo, data_wo, generate and copy_from are all unset or null.

    Set one of them. If the value comes from an ephemeral variable, set that variable for every plan and apply that writes a version. To destroy without one, run terraform destroy -refresh=false.
    "#);
    assert_snapshot!(told.at("null_value"), @r#"
    Error: Secret Value Missing
      in resource "planton_secret" "null_value"
      at value_wo = var.password

    A new secret needs a value, but value_wo, data_wo, generate and copy_from are all unset or null.

    Set one of them. If the value comes from an ephemeral variable, set that variable for every plan and apply that writes a version. To destroy without one, run terraform destroy -refresh=false.
    "#);
    assert_snapshot!(told.at("unknown_backend"), @r#"
    Warning: Secret Backend Not Declared Yet
      in resource "planton_secret" "unknown_backend"
      at backend  = "vault"

    Secret backend "vault" does not exist, and no planton_secret_backend that Terraform has planned so far with this provider configuration declares it. The apply fails unless the backend exists by then.

    Check the name. If the same configuration declares the backend, refer to that resource (backend = planton_secret_backend.<name>.name), so that Terraform creates it first. If another alias of the provider declares it, this warning remains.
    "#);
    assert_snapshot!(told.at("too_large"), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "too_large"
      at value_wo = var.large

    The value has 65537 bytes, but the embedded platform stores at most 59090 bytes in one secret (the backend's limit minus the largest envelope). Nothing was written.

    Split the value; or store it elsewhere, and only its encryption key here.
    "#);
    assert_snapshot!(told.at("data_too_large"), @r#"
    Error: Secret Value Too Large
      in resource "planton_secret" "data_too_large"
      at data_wo = { a = var.large }

    The value has 65545 bytes, but the embedded platform stores at most 59090 bytes in one secret (the backend's limit minus the largest envelope). Nothing was written.

    Split the value; or store it elsewhere, and only its encryption key here.
    "#);
    assert_snapshot!(told.at("unknown_secret"), @r#"
    Error: Secret Not Found
      in ephemeral "planton_secret" "unknown_secret"
      at name        = "nowhere"

    Secret "prod/nowhere" does not exist in this organization.

    Check its name and its environment. A secret of organization scope has no environment. If the same configuration creates the secret, select it by its id, so that Terraform opens it after its creation:

      id = planton_secret.<name>.id
    "#);
    assert_snapshot!(told.at("unknown_id"), @r#"
    Error: Secret Not Found
      in ephemeral "planton_secret" "unknown_id"
      at id = "<uuid>"

    Secret "<uuid>" does not exist in this organization.

    Check its name and its environment. A secret of organization scope has no environment.
    "#);
    assert_snapshot!(told.at("unknown_version"), @r#"
    Error: Secret Version Not Found
      in ephemeral "planton_secret" "unknown_version"
      at version = 9

    Secret "there" has no version 9: it was never written, or keep_versions no longer covers it.

    Choose another version, or omit version to read the current one.
    "#);
    assert_snapshot!(told.at("too_old"), @r#"
    Error: Secret Version Too Old
      in ephemeral "planton_secret" "too_old"
      at minimum_version = 2

    The secret has version 1, but minimum_version requires 2 or later. An older catalog was restored, or the newer version was not written yet.

    Write the newer version first, or lower minimum_version.
    "#);
    assert_snapshot!(told.at("missing"), @r#"
    Error: Secret Not Found
      in data "planton_secret" "missing"
      at name = "nowhere"

    Secret "nowhere" does not exist in this organization.

    Check its name and its environment. A secret of organization scope has no environment. If the same configuration creates the secret, refer to that resource, so that Terraform reads the secret after its creation:

      name = planton_secret.<name>.name
    "#);
    assert_eq!(told.len(), 10);
}
