//! Tests `moved` and `removed`: an address changes, and its secret stays.

use crate::scene::{Scene, record_of, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_moved_keeps_secret_backend_and_default,
    acc_moved_into_for_each_and_into_a_module_keeps_the_secret,
    acc_removed_forgets_or_destroys_as_it_says,
);

fn acc_moved_keeps_secret_backend_and_default(scene: &Scene) {
    let configuration = |label: &str, more: &str| {
        format!(
            r#"
resource "planton_secret_backend" "{label}" {{
  name              = "corp"
  verify_connection = false
  openbao = {{
    address       = "http://127.0.0.1:1"
    kv_mount_path = "secret"
    token_wo      = "root"
  }}
  credentials_wo_version = "1"
}}
resource "planton_default_backend" "{label}" {{
  backend = planton_secret_backend.{label}.name
}}
resource "planton_secret" "{label}" {{
  name             = "db"
  backend          = "platform"
  value_wo         = "value"
  value_wo_version = "1"
}}
{more}
"#
        )
    };
    let workspace = scene.workspace(&configuration("old", ""));
    workspace.settled(&[]);
    let types = ["secret", "secret_backend", "default_backend"];
    let ids = |label: &str| {
        types.map(|kind| {
            let address = format!("planton_{kind}.{label}");
            text(&workspace.attributes(&address).unwrap(), "id")
        })
    };
    let before = ids("old");
    let records = scene.records();
    let moved = types.map(|kind| {
        format!("moved {{\n  from = planton_{kind}.old\n  to   = planton_{kind}.new\n}}\n")
    });
    workspace
        .write("main.tf", &configuration("new", &moved.concat()))
        .unwrap();
    workspace.settled(&[]);
    assert_eq!(ids("new"), before);
    assert_eq!(scene.records(), records, "nothing was written");
    workspace.destroyed(&[]);
}

fn acc_moved_into_for_each_and_into_a_module_keeps_the_secret(scene: &Scene) {
    let workspace = scene
        .workspace("resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  generate = {}\n}\n");
    workspace.settled(&[]);
    let record = record_of(&scene.records(), "db");
    let each = r#"
resource "planton_secret" "each" {
  for_each = toset(["db", "cache"])
  name     = each.key
  generate = {}
}
moved {
  from = planton_secret.db
  to   = planton_secret.each["db"]
}
"#;
    workspace.write("main.tf", each).unwrap();
    workspace.settled(&[]);
    assert_eq!(record_of(&scene.records(), "db"), record);

    std::fs::create_dir(workspace.path().join("secrets")).unwrap();
    let module = "variable \"name\" {}\n\
        terraform {\n  required_providers {\n    planton = { source = \"plantonhq/planton\" }\n  }\n}\n\
        resource \"planton_secret\" \"this\" {\n  name = var.name\n  generate = {}\n}\n";
    workspace.write("secrets/main.tf", module).unwrap();
    let called = r#"
module "secrets" {
  for_each = toset(["db", "cache"])
  source   = "./secrets"
  name     = each.key
}
moved {
  from = planton_secret.each["db"]
  to   = module.secrets["db"].planton_secret.this
}
moved {
  from = planton_secret.each["cache"]
  to   = module.secrets["cache"].planton_secret.this
}
"#;
    workspace.write("main.tf", called).unwrap();
    workspace.run(&["get", "-no-color"]).unwrap().ok().unwrap();
    workspace.settled(&[]);
    assert_eq!(record_of(&scene.records(), "db"), record);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_removed_forgets_or_destroys_as_it_says(scene: &Scene) {
    let two = r#"
resource "planton_secret" "kept" {
  name                = "kept"
  generate            = {}
  deletion_protection = true
}
resource "planton_secret" "gone" {
  name     = "gone"
  generate = {}
}
"#;
    let workspace = scene.workspace(two);
    workspace.settled(&[]);
    let kept = record_of(&scene.records(), "kept");
    let value = scene.read(&["kept"]);
    let removed = r#"
removed {
  from = planton_secret.kept
  lifecycle { destroy = false }
}
removed {
  from = planton_secret.gone
  lifecycle { destroy = true }
}
"#;
    workspace.write("main.tf", removed).unwrap();
    has(&flat(workspace.applied(&[]).stdout()), &["1 destroyed"]);
    workspace.unchanged(&[]);
    assert_eq!(record_of(&scene.records(), "kept"), kept);
    assert_eq!(scene.read(&["kept"]), value);
    assert!(record_of(&scene.records(), "gone").is_null());
}
