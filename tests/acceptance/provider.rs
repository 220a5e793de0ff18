//! Tests arguments of the provider block that are set, missing or unknown.

use std::path::Path;

use serde_json::json;
use xtask::terraform::Workspace;

use crate::inside::Opened;
use crate::scene::{PROVIDER, Scene, on_every_stage, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

on_every_stage!(acc_provider_that_is_unknown_in_plan_serves_in_apply);
with_every_terraform!(
    acc_provider_defaults_reach_every_secret,
    acc_provider_without_a_platform_names_where_it_keeps_secrets,
);

const REQUIRED: &str = "terraform {\n  required_providers {\n    planton = { source = \"plantonhq/planton\" }\n  }\n}\n";

fn acc_provider_defaults_reach_every_secret(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
resource "planton_secret" "own" {
  name             = "own"
  environment      = "staging"
  labels           = { team = "payments", cost = "1" }
  value_wo         = "a"
  value_wo_version = "1"
}
resource "planton_secret" "default" {
  name             = "default"
  value_wo         = "b"
  value_wo_version = "1"
}
ephemeral "planton_secret" "default" {
  name = planton_secret.default.id == "" ? "" : "default"
}
resource "planton_secret" "copy" {
  name             = "copy"
  value_wo         = ephemeral.planton_secret.default.value
  value_wo_version = planton_secret.default.version
}
"#,
    );
    let defaults = |lines: &str| {
        workspace
            .write("provider.tf", &scene.provider(lines))
            .unwrap()
    };
    defaults(
        "default_environment = \"production\"\n  default_labels = { team = \"core\", by = \"terraform\" }",
    );
    workspace.settled(&[]);
    let (own, default) = (workspace.secret("own"), workspace.secret("default"));
    assert_eq!(own["environment"], "staging");
    let merged = json!({"team": "payments", "cost": "1", "by": "terraform"});
    assert_eq!(own["labels_all"], merged);
    assert_eq!(own["labels"], json!({"team": "payments", "cost": "1"}));
    assert_eq!(default["environment"], "production");
    assert_eq!(default["labels"], json!(null));
    assert_eq!(
        default["labels_all"],
        json!({"team": "core", "by": "terraform"})
    );
    let copy = text(&workspace.secret("copy"), "id");
    assert_eq!(scene.open(&copy), Opened::text(1, "b"));

    // Changed labels edit every secret, and write no version.
    defaults("default_environment = \"production\"\n  default_labels = { by = \"us\" }");
    has(
        &workspace.changes(&[]),
        &["0 to add, 3 to change, 0 to destroy"],
    );
    workspace.settled(&[]);
    let after = workspace.secret("default");
    assert_eq!(after["labels_all"], json!({"by": "us"}));
    assert_eq!(after["revision"], default["revision"]);

    // Another default environment replaces only the secrets that use it.
    defaults("default_environment = \"test\"\n  default_labels = { by = \"us\" }");
    has(
        &workspace.changes(&[]),
        &["2 to add, 0 to change, 2 to destroy"],
    );
}

fn acc_provider_that_is_unknown_in_plan_serves_in_apply(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "again" { default = "1" }
variable "trigger" { default = "1" }
variable "value" { default = "one" }
resource "planton_secret" "db" {
  name             = "db"
  value_wo         = var.value
  value_wo_version = var.trigger
}
ephemeral "planton_secret" "db" { id = planton_secret.db.id }
resource "planton_secret" "copy" {
  name             = "copy"
  value_wo         = ephemeral.planton_secret.db.value
  value_wo_version = planton_secret.db.version
}
"#,
    );
    // The folder or address is unknown until a resource of the same configuration exists.
    let (_, location) = scene.environment().remove(0);
    let quoted = format!("{location:?}");
    let known = scene.provider("default_labels = { team = \"core\" }");
    assert!(known.contains(&quoted), "{known}");
    let provider = format!(
        "{}resource \"terraform_data\" \"platform\" {{\n  input = {quoted}\n  \
         triggers_replace = var.again\n}}\n",
        known.replace(&quoted, "terraform_data.platform.output")
    );
    workspace.write("provider.tf", &provider).unwrap();
    // New secrets: one apply creates everything.
    workspace.settled(&[]);
    let copy = text(&workspace.secret("copy"), "id");
    assert_eq!(scene.open(&copy), Opened::text(1, "one"));

    // Existing secrets: the plan uses the state, and says so.
    let plan = workspace.changes(&[("again", "2")]);
    has(
        &plan,
        &[
            "Resource Not Refreshed",
            "1 to add, 0 to change, 1 to destroy",
        ],
    );
    let rotate = [("again", "2"), ("trigger", "2"), ("value", "two")];
    workspace.settled(&rotate);
    assert_eq!(scene.open(&copy), Opened::text(2, "two"));
    assert_eq!(
        workspace.secret("db")["labels_all"],
        json!({"team": "core"})
    );

    // An unknown organization is not a missing one.
    let organization = provider.replace(
        "organization = \"acme\"",
        "organization = \"${terraform_data.platform.output == \"\" ? \"\" : \"acme\"}\"",
    );
    workspace.write("provider.tf", &organization).unwrap();
    let again = [("again", "3"), ("trigger", "2"), ("value", "two")];
    workspace.settled(&again);
    assert_eq!(workspace.secret("db")["version"], 2);

    // A data source cannot be read yet, and its error says why.
    workspace
        .write(
            "data.tf",
            "data \"planton_secret\" \"db\" { name = \"db\" }\n",
        )
        .unwrap();
    let again = [("again", "4"), ("trigger", "2"), ("value", "two")];
    has(
        &workspace.refused(&again),
        &["Provider Configuration Not Known"],
    );
}

fn acc_provider_without_a_platform_names_where_it_keeps_secrets(scene: &Scene) {
    let mut workspace = Workspace::new(scene.terraform(), Path::new(PROVIDER)).unwrap();
    let configuration = format!(
        "{REQUIRED}provider \"planton\" {{\n  organization = \"acme\"\n}}\n\
         resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  value_wo = \"value\"\n}}\n"
    );
    workspace.write("main.tf", &configuration).unwrap();
    let outcome = workspace.applied(&[]);
    let folder = workspace.home().join(".local/share/planton");
    let path = folder.display().to_string();
    let told = outcome.stdout().replace(char::is_whitespace, "");
    has(&flat(outcome.stdout()), &["Embedded Platform In Use"]);
    has(&told, &[&path]);
    assert!(folder.is_dir());

    workspace.env("TF_IN_AUTOMATION", "1");
    let refused = workspace.refused(&[]);
    has(&refused, &["Platform Missing", "TF_IN_AUTOMATION"]);
    // With an explicit block, the variable has no effect and there is no warning.
    let on_purpose = configuration.replace("\"acme\"\n", "\"acme\"\n  embedded = {}\n");
    workspace.write("main.tf", &on_purpose).unwrap();
    let outcome = workspace.unchanged(&[]);
    assert!(
        !outcome.stdout().contains("Warning: Embedded Platform"),
        "{outcome:?}"
    );
}
