//! Tests ephemeral values, and other ways to read a secret.

use serde_json::json;

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage, with_every_terraform};
use crate::steps::{Steps, has, text};

on_every_stage!(acc_ephemeral_secret_is_found_by_id_and_by_name);
with_every_terraform!(acc_secret_is_described_and_referred_to);

fn acc_ephemeral_secret_is_found_by_id_and_by_name(scene: &Scene) {
    let owner = scene.workspace(
        r#"
resource "planton_secret" "db" {
  name        = "db"
  environment = "production"
  data_wo     = { user = "ada", password = "secret" }
}
resource "planton_secret" "text" {
  name     = "text"
  value_wo = "a text"
}
output "id" { value = planton_secret.text.id }
"#,
    );
    owner.settled(&[]);
    let id = text(&owner.secret("text"), "id");

    let reader = scene.workspace(
        r#"
variable "id" {}
variable "environment" { default = "production" }
ephemeral "planton_secret" "by_id" {
  id = var.id
  lifecycle {
    postcondition {
      condition     = self.name == "text" && self.environment == null && self.version == 1
      error_message = "not found by its id"
    }
    postcondition {
      condition     = self.value == "a text" && self.data == null
      error_message = "another value"
    }
  }
}
ephemeral "planton_secret" "by_name" {
  name        = "db"
  environment = var.environment
  lifecycle {
    postcondition {
      condition     = self.value == null && self.data == tomap({ user = "ada", password = "secret" })
      error_message = "another value"
    }
  }
}
resource "planton_secret" "joined" {
  name             = "joined"
  value_wo         = "${ephemeral.planton_secret.by_name.data["user"]}:${ephemeral.planton_secret.by_id.value}"
  value_wo_version = "1"
}
"#,
    );
    reader.settled(&[("id", &id)]);
    let joined = text(&reader.secret("joined"), "id");
    assert_eq!(scene.open(&joined), Opened::text(1, "ada:a text"));

    let absent = reader.refused(&[("id", &id), ("environment", "staging")]);
    has(
        &absent,
        &["Secret Not Found", "staging/db", "name = \"db\""],
    );
    let foreign = reader.refused(&[("id", "2f0c3b6e-0000-4000-8000-000000000000")]);
    has(&foreign, &["Secret Not Found", "id = var.id"]);
    // Terraform refuses a result with another form of the id than the configuration's.
    for text in ["text", &id.to_uppercase()] {
        let no_uuid = reader.refused(&[("id", text)]);
        has(&no_uuid, &["Invalid Secret Selector", "id is not a uuid"]);
    }
}

fn acc_secret_is_described_and_referred_to(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
resource "planton_secret" "db" {
  name        = "db"
  environment = "production"
  labels      = { team = "payments" }
  generate    = {}
}
data "planton_secret" "db" {
  name        = planton_secret.db.name
  environment = planton_secret.db.environment
  depends_on  = [planton_secret.db]
}
output "described" { value = data.planton_secret.db }
output "managed" { value = planton_secret.db.version }
output "reference" { value = provider::planton::secret_ref("db", "production", "user") }
output "plain" { value = provider::planton::secret_ref("db", null, null) }
output "parsed" { value = provider::planton::parse_secret_ref("$secret/@production/db/user") }
output "round" {
  value = provider::planton::parse_secret_ref(data.planton_secret.db.reference).name
}
"#,
    );
    workspace.validate().unwrap().ok().unwrap();
    // Before the first secret, the organization does not exist.
    let empty = workspace.import("planton_secret.db", "production/db", &[]);
    has(
        &crate::steps::flat(&empty.unwrap().error().unwrap()),
        &[
            "Organization Not Found",
            "Organization \"acme\" has no record",
        ],
    );
    workspace.settled(&[]);
    workspace
        .plan_with(&[], &["-refresh=false"])
        .unwrap()
        .no_changes()
        .unwrap();
    let managed = workspace.secret("db");
    let described = workspace.output("described");
    // What the data source has beyond the resource.
    let more = ["backend_version_id", "kek_id", "updated_at"];
    for (name, value) in described.as_object().unwrap() {
        match name.as_str() {
            "kind" => assert_eq!(value, "text"),
            "reference" => assert_eq!(value, "$secret/@production/db"),
            // To the second.
            "created_at" => assert_eq!(value.as_str().unwrap().len(), "2026-11-28T02:25:02Z".len()),
            name if more.contains(&name) => assert_ne!(text(&described, name), "", "{name}"),
            name => assert_eq!(*value, managed[name], "{name}"),
        }
    }
    for name in ["value", "value_wo", "data", "data_wo"] {
        assert!(described.get(name).is_none(), "{name}");
    }
    assert_eq!(described.as_object().unwrap().len(), 14);
    assert_eq!(workspace.output("reference"), "$secret/@production/db/user");
    assert_eq!(workspace.output("plain"), "$secret/db");
    let parsed = json!({"environment": "production", "name": "db", "key": "user"});
    assert_eq!(workspace.output("parsed"), parsed);
    assert_eq!(workspace.output("round"), "db");

    let missing = "data \"planton_secret\" \"none\" { name = \"none\" }\n";
    workspace.write("missing.tf", missing).unwrap();
    has(
        &workspace.refused(&[]),
        &["Secret Not Found", "name = \"none\""],
    );
    let invalid = "output \"bad\" { value = provider::planton::parse_secret_ref(\"db\") }\n";
    workspace.write("missing.tf", invalid).unwrap();
    has(
        &workspace.refused(&[]),
        &["is not of the form $secret/<name>"],
    );
    // Errors that need no platform appear in `terraform validate`.
    let conflicting = "resource \"planton_secret\" \"bad\" {\n  name = \"Bad Name\"\n  \
                       value_wo = \"a\"\n  generate = {}\n  on_destroy = \"shred\"\n}\n";
    workspace.write("missing.tf", conflicting).unwrap();
    let told = crate::steps::flat(&workspace.validate().unwrap().error().unwrap());
    has(
        &told,
        &[
            "Invalid Name",
            "Conflicting Secret Values",
            "Invalid Destroy Behaviour",
        ],
    );
}
