//! Applies the same configuration a second time: from another folder, another workspace,
//! another module call or address, or after the state was lost.

use serde_json::Value;
use xtask::terraform::Workspace;

use super::{import_blocks, lose_state};
use crate::scene::{On, Scene, record_of, terraform_1_11, with_every_terraform};
use crate::stages::on_buckets;
use crate::steps::{Steps, has, text};

with_every_terraform!(acc_second_folder_is_refused_and_destroys_nothing);

#[test]
fn acc_second_folder_is_refused_and_destroys_nothing_on_openbao() {
    let scene = Scene::new(&terraform_1_11(), On::OpenBao);
    acc_second_folder_is_refused_and_destroys_nothing(&scene);
}

#[test]
fn acc_second_folder_is_refused_and_destroys_nothing_on_a_bucket() {
    on_buckets(acc_second_folder_is_refused_and_destroys_nothing);
}

const PROTECTED: &str = r#"
resource "planton_secret" "key" {
  name                = "session-key"
  backend             = "platform"
  generate            = { length = 40 }
  deletion_protection = true
  on_destroy          = "retain"
}
"#;

const GIVEN: &str = r#"
resource "planton_secret" "given" {
  name             = "given"
  backend          = "platform"
  value_wo         = "the owner's"
  value_wo_version = "1"
}
"#;

pub(super) const BACKEND: &str = r#"
resource "planton_secret_backend" "this" {
  name              = "corp"
  verify_connection = false
  openbao = {
    address       = "http://127.0.0.1:1"
    kv_mount_path = "secret"
    token_wo      = "root"
  }
  credentials_wo_version = "1"
}
"#;

/// Depends on the backend if the same configuration declares it.
pub(super) fn default(more: &str) -> String {
    format!(
        "resource \"planton_default_backend\" \"this\" {{\n  backend = \"corp\"\n  {more}\n}}\n"
    )
}

pub(super) const AFTER: &str = "depends_on = [planton_secret_backend.this]";

fn acc_second_folder_is_refused_and_destroys_nothing(scene: &Scene) {
    let owner = scene.workspace(&[PROTECTED, GIVEN, BACKEND, &default(AFTER)].concat());
    owner.settled(&[]);
    let (records, objects) = (scene.records(), scene.objects());
    let ids = ["key", "given"].map(|name| text(&owner.secret(name), "id"));
    let values = ids.each_ref().map(|id| scene.open(id));

    // The same secrets, and others of the same name: unprotected, with another value, on
    // the default backend.
    let unprotected = PROTECTED
        .replace("\"key\"", "\"bare\"")
        .replace("deletion_protection = true", "")
        .replace("\"retain\"", "\"delete\"");
    let elsewhere = GIVEN
        .replace("\"given\" {", "\"elsewhere\" {")
        .replace("the owner's", "somebody else's")
        .replace("\"platform\"", "null");
    let all = [PROTECTED, GIVEN, &unprotected, &elsewhere, BACKEND];
    let second = scene.workspace(&[&all[..], &[&default("")]].concat().concat());
    let outcome = second.apply(&[]).unwrap();
    let told = outcome.clone().error().unwrap();
    for (summary, count) in [
        ("Error: Secret Already Exists", 4),
        ("Error: Secret Backend Already Exists", 1),
        ("Error: Default Backend Already Set", 1),
    ] {
        assert_eq!(told.matches(summary).count(), count, "{summary}: {told}");
    }
    // The error is long once for each type of resource.
    assert_eq!(told.matches("PLANTON_RESUME=").count(), 3, "{told}");
    let blocks = import_blocks(&outcome, "this");
    assert_eq!(blocks.matches("import {").count(), 3, "{blocks}");
    for value in &values {
        assert!(!told.contains(value.text.as_deref().unwrap()), "{told}");
    }
    assert_eq!(second.run(&["state", "list"]).unwrap().stdout(), "");
    second.destroyed(&[]);

    assert_eq!(scene.records(), records);
    assert_eq!(scene.objects(), objects);
    owner.unchanged(&[]);
    assert_eq!(ids.each_ref().map(|id| scene.open(id)), values);
}

with_every_terraform!(acc_second_workspace_is_refused_and_destroys_nothing);

fn acc_second_workspace_is_refused_and_destroys_nothing(scene: &Scene) {
    let workspace = scene.workspace(&[PROTECTED, GIVEN].concat());
    workspace.settled(&[]);
    let records = scene.records();
    let ids = ["key", "given"].map(|name| text(&workspace.secret(name), "id"));
    let values = ids.each_ref().map(|id| scene.open(id));
    let select = |name: &[&str]| {
        let arguments = [&["workspace"], name].concat();
        workspace.run(&arguments).unwrap().ok().unwrap();
    };
    select(&["new", "staging"]);
    let refused = workspace.fails(&[]);
    has(&refused, &["Secret Already Exists", "in folder \"w\""]);
    assert!(!refused.contains("workspace \""), "{refused}");
    workspace.destroyed(&[]);
    assert_eq!(scene.records(), records);
    select(&["select", "default"]);
    workspace.unchanged(&[]);
    assert_eq!(ids.each_ref().map(|id| scene.open(id)), values);
}

/// Returns the only instance of a resource in the state: its module, and its key.
#[track_caller]
fn only(workspace: &Workspace, name: &str) -> (String, Value) {
    let state: Value = serde_json::from_str(&workspace.state_text().unwrap()).unwrap();
    let resources = state["resources"].as_array().unwrap();
    let named = resources.iter().filter(|one| one["name"] == name);
    let mut found = named.flat_map(|one| {
        let module = one["module"].as_str().unwrap_or_default();
        let instances = one["instances"].as_array().unwrap().iter();
        instances.map(move |one| (module.to_owned(), one["index_key"].clone()))
    });
    let first = found.next().unwrap();
    assert_eq!(found.next(), None, "{name} has several: {state}");
    first
}

#[test]
fn acc_name_declared_twice_is_created_once_and_the_first_address_keeps_it() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let workspace = scene.workspace("");
    std::fs::create_dir(workspace.path().join("app")).unwrap();
    let module = format!(
        "variable \"name\" {{ default = \"session-key\" }}\nterraform {{\n  required_providers {{\n    \
         planton = {{ source = \"plantonhq/planton\" }}\n  }}\n}}\n{}",
        PROTECTED.replace("\"session-key\"", "var.name")
    );
    workspace.write("app/main.tf", &module).unwrap();
    let main = |module: &str, counted: &str, each: &str| {
        format!(
            r#"
module "one" {{
  source = "./app"
  {}
}}
module "two" {{
  source = "./app"
  {}
}}
resource "planton_secret" "counted" {{
  count    = 2
  name     = {counted}
  generate = {{}}
}}
resource "planton_secret" "each" {{
  for_each = toset(["a", "b"])
  name     = {each}
  generate = {{}}
}}
"#,
            if module == "module.two" {
                "name = \"another\""
            } else {
                ""
            },
            if module == "module.one" {
                "name = \"another\""
            } else {
                ""
            },
        )
    };
    let twice = main("", "\"counted\"", "\"each\"");
    workspace.write("main.tf", &twice).unwrap();
    workspace.run(&["get", "-no-color"]).unwrap().ok().unwrap();
    // Both in one apply: one is created, the other gets an error.
    let refused = workspace.fails(&[]);
    let told = refused.matches("Error: Secret Declared Twice").count();
    assert_eq!(told, 3, "{refused}");
    let records = scene.records();
    assert_eq!(scene.objects().len(), 3);
    // In the next apply, the error names another run.
    let refused = workspace.fails(&[]);
    let told = refused.matches("Error: Secret Already Exists").count();
    assert_eq!(told, 3, "{refused}");
    assert_eq!(scene.records(), records);

    // The others get names of their own, and the created secrets stay.
    let kept = ["key", "counted", "each"].map(|name| only(&workspace, name));
    let own =
        |of: &str, key: &Value, name: &str| format!("{of} == {key} ? {name:?} : \"{name}-other\"");
    let settled = main(
        &kept[0].0,
        &own("count.index", &kept[1].1, "counted"),
        &own("each.key", &kept[2].1, "each"),
    );
    workspace.write("main.tf", &settled).unwrap();
    let created = workspace.settled(&[]);
    has(created.stdout(), &["3 added, 0 changed, 0 destroyed"]);
    for name in ["session-key", "counted", "each"] {
        assert_eq!(record_of(&scene.records(), name), record_of(&records, name));
    }
}

#[test]
fn acc_lost_state_is_refused_and_converges_by_the_printed_import() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let secret = PROTECTED.replace("\"key\"", "\"this\"");
    let workspace = scene.workspace(&[&secret, BACKEND, &default(AFTER)].concat());
    workspace.settled(&[]);
    let id = text(&workspace.secret("this"), "id");
    let (value, records) = (scene.open(&id), scene.records());
    lose_state(&workspace);

    // The default depends on the backend, so the second apply reports it.
    let mut imported = String::new();
    for summaries in [
        &["Secret Already Exists", "Secret Backend Already Exists"][..],
        &["Default Backend Already Set"],
    ] {
        let outcome = workspace.apply(&[]).unwrap();
        has(&outcome.clone().error().unwrap(), summaries);
        imported.push_str(&import_blocks(&outcome, "this"));
        workspace.write("import.tf", &imported).unwrap();
        assert_eq!(scene.records(), records);
    }
    workspace.settled(&[]);
    assert_eq!(text(&workspace.secret("this"), "id"), id);
    assert_eq!(scene.open(&id), value);

    // After the import, this state changes and destroys it as any other.
    std::fs::remove_file(workspace.path().join("import.tf")).unwrap();
    let unprotected = secret
        .replace("deletion_protection = true", "")
        .replace("\"retain\"", "\"delete\"");
    workspace
        .write(
            "main.tf",
            &[&unprotected, BACKEND, &default(AFTER)].concat(),
        )
        .unwrap();
    workspace.settled(&[]);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
    assert!(scene.records()["backends/corp"]["backend"].is_null());
}
