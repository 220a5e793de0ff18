//! Tests the diagnostics for arguments of a secret and of an ephemeral secret.

use insta::assert_snapshot;

use crate::reading::{Told, filters};
use crate::scene::{On, Scene, terraform_1_11};

/// Rejected before the first request to the platform.
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
  timeouts = {
    read   = "1m"
    create = "soon"
  }
}
resource "planton_secret" "copied" {
  name      = "db"
  copy_from = {
    remote_name = "db"
    backend     = "My Vault"
  }
}
resource "planton_secret_backend" "role" {
  name    = "vault"
  openbao = {
    address = "https://vault.example.com"
    jwt     = { role = "" }
  }
  escrow = [
    { age = { recipient = "age1nobody" } },
  ]
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
    assert!(!told.words().contains("hunter2"));
    assert_snapshot!(told.at("name"), @r#"
    Error: Invalid Name
      in resource "planton_secret" "name"
      at name     = "Database_Password"

    The name must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit.

    For example: "database-password".
    "#);
    assert_snapshot!(told.at("environment"), @r#"
    Error: Invalid Name
      in resource "planton_secret" "environment"
      at environment = "-prod"

    The environment must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one begins or ends with a hyphen.
    "#);
    assert_snapshot!(told.at("backend"), @r#"
    Error: Invalid Name
      in resource "planton_secret" "backend"
      at backend  = "My Vault"

    The backend must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters and whitespace.
    "#);
    assert_snapshot!(told.at("two_values"), @r#"
    Error: Conflicting Secret Values
      in resource "planton_secret" "two_values"
      at data_wo  = { a = "hunter2" }

    At most one of value_wo, data_wo, generate and copy_from may be set, but value_wo and data_wo are.

    Remove all but one.
    "#);
    assert_snapshot!(told.at("empty_key"), @r#"
    Error: Invalid Secret Data
      in resource "planton_secret" "empty_key"
      at data_wo = { "" = "hunter2" }

    An entry of data_wo has an empty key.

    Set a key and a value for every entry; the value may be an empty text. To omit an entry in some cases, use merge, or a for expression with an if clause.
    "#);
    assert_snapshot!(told.at("null_entry"), @r#"
    Error: Invalid Secret Data
      in resource "planton_secret" "null_entry"
      at data_wo = { a = null }

    Entry "a" of data_wo is null.

    Set a key and a value for every entry; the value may be an empty text. To omit an entry in some cases, use merge, or a for expression with an if clause.
    "#);
    assert_snapshot!(told.at("no_length"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "no_length"
      at generate = { length = 0 }

    No value can be generated from these parameters: length must be a whole number from 1 to 4096.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("half_a_length"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "half_a_length"
      at generate = { length = 1.5 }

    No value can be generated from these parameters: length must be a whole number from 1 to 4096.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("no_characters"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "no_characters"
      at generate = { lower = false, upper = false, numeric = false, special = false }

    No value can be generated from these parameters: at least one of lower, upper, numeric and special must be true.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("minima"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "minima"
      at generate = { length = 4, min_lower = 3, min_upper = 3 }

    No value can be generated from these parameters: min_lower, min_upper, min_numeric and min_special add up to more than length.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("minimum_of_nothing"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "minimum_of_nothing"
      at generate = { numeric = false, min_numeric = 1 }

    No value can be generated from these parameters: a minimum is set for a disabled class of characters.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("special"), @r#"
    Error: Invalid Generate Parameters
      in resource "planton_secret" "special"
      at generate = { override_special = "!!" }

    No value can be generated from these parameters: override_special must contain at least one character, and no duplicates.

    Correct the generate argument.
    "#);
    assert_snapshot!(told.at("timeout"), @r#"
    Error: Invalid Timeout
      in resource "planton_secret" "timeout"
      at create = "soon"

    timeouts.create must be a duration such as "30s", "5m" or "1h30m".

    Correct it, or omit it to use the default.
    "#);
    assert_snapshot!(told.at("copied"), @r#"
    Error: Invalid Name
      in resource "planton_secret" "copied"
      at backend     = "My Vault"

    The backend must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters and whitespace.
    "#);
    assert_snapshot!(told.at("role"), @r#"
    Error: Encryption Key Misconfigured
      in resource "planton_secret_backend" "role"
      at resource "planton_secret_backend" "role" {

    The key or its secrets engine is not configured as this provider requires (configure: recipient).

    recipient must be an X25519 recipient of age: age1 and 58 characters, as age-keygen prints it. Check for a missing or a wrong character.

    Error: Secret Backend Misconfigured
      in resource "planton_secret_backend" "role"
      at resource "planton_secret_backend" "role" {

    The secret backend's settings are invalid (setting: openbao.jwt.role).

    Set jwt.role.
    "#);
    assert_snapshot!(told.at("label_value"), @r#"
    Error: Invalid Label
      in resource "planton_secret" "label_value"
      at labels   = { team = null }

    Entry "team" of labels is null.

    Set the label to a value, or remove it.
    "#);
    assert_snapshot!(told.at("label_key"), @r#"
    Error: Invalid Label
      in resource "planton_secret" "label_key"
      at labels   = { "" = "payments" }

    A label must have a key of 1 to 256 bytes, and a value of at most 256 bytes.

    Correct it.
    "#);
    assert_snapshot!(told.at("too_many_labels"), @r#"
    Error: Too Many Labels
      in resource "planton_secret" "too_many_labels"
      at labels   = { for number in range(41) : "label-${number}" => "x" }

    labels has 41 entries, but at most 40 are allowed.

    Remove some.
    "#);
    assert_snapshot!(told.at("on_destroy"), @r#"
    Error: Invalid Destroy Behaviour
      in resource "planton_secret" "on_destroy"
      at on_destroy = "keep"

    on_destroy must be "delete", "retain" or "forget".

    Set it to one of them, or omit it.
    "#);
    assert_snapshot!(told.at("keep_versions"), @r#"
    Error: Invalid Number Of Versions
      in resource "planton_secret" "keep_versions"
      at keep_versions = 0

    keep_versions must be a whole number from 1 to 1000. The provider always keeps the current version.
    "#);
    assert_snapshot!(told.at("both"), @r#"
    Error: Invalid Secret Selector
      in ephemeral "planton_secret" "both"
      at id   = "<uuid>"

    Both id and name or environment are set, but id alone identifies the secret.

    Set id, or name together with environment.
    "#);
    assert_snapshot!(told.at("neither"), @r#"
    Error: Invalid Secret Selector
      in ephemeral "planton_secret" "neither"
      at ephemeral "planton_secret" "neither" {

    Neither id nor name is set.

    Set id, or name together with environment.
    "#);
    assert_snapshot!(told.at("no_uuid"), @r#"
    Error: Invalid Secret Selector
      in ephemeral "planton_secret" "no_uuid"
      at id = "db"

    id is not a uuid in lower-case letters, with hyphens.

    Set id, or name together with environment.
    "#);
    assert_snapshot!(told.at("no_version"), @r#"
    Error: Invalid Secret Version
      in ephemeral "planton_secret" "no_version"
      at version = 0

    version must be a whole number of 1 or more.

    Correct it, or omit it.
    "#);
    assert_snapshot!(told.at("slug"), @r#"
    Error: Invalid Name
      in data "planton_secret" "slug"
      at name = "Database Password"

    The name must be 1 to 63 characters of a-z, 0-9 and hyphen, and must begin and end with a letter or a digit. The given one has upper-case letters and whitespace.
    "#);
    assert_eq!(told.len(), 26);
}
