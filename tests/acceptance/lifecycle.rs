//! Tests a secret from its creation to its tombstone.

use serde_json::json;
use xtask::canary::Canary;

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage};
use crate::steps::{Steps, has, text};

on_every_stage!(
    acc_secret_lives_from_creation_to_a_tombstone,
    acc_secret_under_deletion_protection_is_not_destroyed,
    acc_secret_that_is_retained_stays_readable_and_importable,
    acc_secret_keeps_as_many_versions_as_asked,
);

const SECRETS: &str = r#"
variable "password" {
  type      = string
  ephemeral = true
  default   = null
}
variable "trigger" { default = "1" }
variable "description" { default = "The application's password" }
variable "team" { default = "payments" }
variable "backend" { default = null }

resource "planton_secret" "db" {
  name             = "db-password"
  environment      = "production"
  description      = var.description
  labels           = { team = var.team }
  backend          = var.backend
  value_wo         = var.password
  value_wo_version = var.trigger
}

resource "planton_secret" "smtp" {
  name             = "smtp"
  data_wo          = var.password == null ? null : { username = "mailer", password = var.password }
  value_wo_version = var.trigger
}

resource "planton_secret" "session_key" {
  name     = "session-key"
  generate = { length = 48, special = false }
}

ephemeral "planton_secret" "db" { id = planton_secret.db.id }

resource "planton_secret" "copy" {
  name             = "copy"
  value_wo         = ephemeral.planton_secret.db.value
  value_wo_version = planton_secret.db.version
}
"#;

fn acc_secret_lives_from_creation_to_a_tombstone(scene: &Scene) {
    let workspace = scene.workspace(SECRETS);
    let passwords = ["first", "second", "third", "never written"].map(Canary::new);
    let [first, second, third, other] = passwords.each_ref().map(Canary::value);

    // An unknown backend is a warning in the plan.
    let unknown = [("password", first), ("backend", "nowhere")];
    let planned = workspace.changes(&unknown);
    has(&planned, &["Secret Backend Not Declared Yet"]);
    assert_eq!(scene.objects(), [""; 0]);

    workspace.applied(&[("password", first)]);
    let created = workspace.secret("db");
    assert_eq!(created["version"], 1);
    assert_eq!(created["backend"], "platform");
    assert_eq!(created["labels_all"], json!({"team": "payments"}));
    assert_eq!(created["deletion_protection"], false);
    assert_eq!(created["on_destroy"], "delete");
    assert_eq!(created["keep_versions"], 10);
    assert_eq!(created["value_wo"], json!(null));
    assert_ne!(text(&created, "id"), "");
    // The data source has the rest.
    for name in ["kind", "reference", "kek_id", "backend_version_id"] {
        assert!(created.get(name).is_none(), "{name}");
    }
    let smtp = workspace.secret("smtp");
    assert_eq!(smtp["version"], 1);
    assert_eq!(smtp["environment"], json!(null));
    assert_eq!(smtp["data_wo"], json!(null));
    let generated = workspace.secret("session_key");
    assert_eq!(generated["generate"]["special"], false);
    assert_eq!(generated["generate"]["min_lower"], 0);

    // The stored value equals the configured one.
    assert_eq!(scene.open(&text(&created, "id")), Opened::text(1, first));
    let copy = text(&workspace.secret("copy"), "id");
    assert_eq!(scene.open(&copy), Opened::text(1, first));
    let data = scene.open(&text(&smtp, "id")).data.unwrap();
    assert_eq!(data["username"], "mailer");
    assert_eq!(data["password"], first);
    let key = scene.open(&text(&generated, "id")).text.unwrap();
    assert_eq!(key.len(), 48);
    assert!(key.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(scene.objects().len(), 4);

    // Nothing to do with the same value, with another one (the trigger decides), and with
    // none.
    workspace.unchanged(&[("password", first)]);
    workspace.unchanged(&[("password", other)]);
    workspace.unchanged(&[]);
    // The exit code of a refresh-only plan means nothing if the configuration has an
    // ephemeral resource.
    let refreshed = workspace.plan_with(&[], &["-refresh-only"]).unwrap();
    let refreshed = refreshed.outcome();
    assert!(refreshed.stdout().contains("No changes."), "{refreshed:?}");

    rotation_reaches_the_consumer(scene, &workspace, second);
    let rotated = workspace.secret("db");
    assert_eq!(rotated["id"], created["id"]);
    assert!(rotated["revision"].as_u64() > created["revision"].as_u64());
    assert_eq!(workspace.secret("session_key")["version"], 1);

    // An edit of labels and description writes no version.
    let objects = scene.objects();
    let edited = [
        ("trigger", "2"),
        ("description", "Edited"),
        ("team", "billing"),
    ];
    workspace
        .plan_with(&edited, &["-out=edit"])
        .unwrap()
        .changes()
        .unwrap();
    let plan = workspace.show_plan("edit").unwrap();
    let changed = plan["resource_changes"].as_array().unwrap();
    let unknown: Vec<_> = changed
        .iter()
        .filter(|change| change["change"]["actions"] == json!(["update"]))
        .map(|change| change["change"]["after_unknown"].clone())
        .collect();
    assert_eq!(unknown.len(), 1);
    for name in ["version", "revision", "labels_all"] {
        assert_ne!(unknown[0][name], true, "{name}");
    }
    workspace
        .apply_with(&edited, &["edit"])
        .unwrap()
        .ok()
        .unwrap();
    let after = workspace.secret("db");
    assert_eq!(after["description"], "Edited");
    assert_eq!(after["labels_all"], json!({"team": "billing"}));
    assert_eq!(after["version"], rotated["version"]);
    assert_eq!(after["revision"], rotated["revision"]);
    assert_eq!(scene.objects(), objects);
    workspace.unchanged(&edited);

    // A new version needs a value.
    let refused = workspace.refused(&[("trigger", "3")]);
    has(
        &refused,
        &["Secret Value Missing", "A new version needs a value"],
    );

    workspace.destroyed(&edited);
    assert_eq!(scene.objects(), [""; 0]);
    for (place, record) in scene.record_texts() {
        for name in [
            "db-password",
            "session-key",
            "smtp",
            "copy",
            "payments",
            "billing",
            "Edited",
            "remote_name",
            "fingerprint",
        ] {
            assert!(
                !record.contains(name),
                "{name} is left in {place}: {record}"
            );
        }
    }

    // A destroyed secret can be created again. It is then another secret.
    workspace.settled(&[("password", third)]);
    let recreated = workspace.secret("db");
    assert_eq!(recreated["version"], 1);
    assert_ne!(recreated["id"], created["id"]);
    let id = text(&recreated, "id");
    assert_eq!(scene.open(&id), Opened::text(1, third));
    assert!(scene.try_open(&text(&created, "id"), None).is_err());

    for password in &passwords {
        password.absent_below(workspace.root()).unwrap();
        for (place, record) in scene.record_texts() {
            password.absent_from(&place, record.as_bytes()).unwrap();
        }
    }
    if let Some(folder) = scene.embedded() {
        first_is_nowhere(&passwords, &folder);
    }
}

fn first_is_nowhere(passwords: &[Canary], folder: &std::path::Path) {
    for password in passwords {
        password.absent_below(folder).unwrap();
    }
}

/// Rotates, and checks that the same apply passes the new value to the consumer.
fn rotation_reaches_the_consumer(
    scene: &Scene,
    workspace: &xtask::terraform::Workspace,
    second: &str,
) {
    let rotate = [("trigger", "2"), ("password", second)];
    workspace.settled(&rotate);
    for name in ["db", "copy"] {
        let secret = workspace.secret(name);
        assert_eq!(secret["version"], 2, "{name}");
        let opened = scene.open(&text(&secret, "id"));
        assert_eq!(opened, Opened::text(2, second), "{name}");
    }
}

fn acc_secret_under_deletion_protection_is_not_destroyed(scene: &Scene) {
    let configuration = |name: &str, protection: bool| {
        format!(
            "resource \"planton_secret\" \"db\" {{\n  name = {name:?}\n  value_wo = \"value\"\n  \
             value_wo_version = \"1\"\n  deletion_protection = {protection}\n}}\n"
        )
    };
    let workspace = scene.workspace(&configuration("db", true));
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");

    let refused = workspace.destroy(&[]).unwrap().error().unwrap();
    has(
        &crate::steps::flat(&refused),
        &["Secret Deletion Protected"],
    );
    // Renamed: a replacement destroys as well. Removing the protection in the same step
    // does not help.
    for protection in [true, false] {
        let renamed = configuration("renamed", protection);
        workspace.write("main.tf", &renamed).unwrap();
        has(&workspace.refused(&[]), &["Secret Deletion Protected"]);
    }
    assert_eq!(scene.open(&id), Opened::text(1, "value"));

    workspace
        .write("main.tf", &configuration("db", false))
        .unwrap();
    workspace.settled(&[]);
    assert_eq!(workspace.secret("db")["version"], 1);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_secret_that_is_retained_stays_readable_and_importable(scene: &Scene) {
    let configuration = |name: &str| {
        format!(
            "resource \"planton_secret\" \"db\" {{\n  name = {name:?}\n  value_wo = \"value\"\n  \
             value_wo_version = \"1\"\n  on_destroy = \"retain\"\n}}\n"
        )
    };
    let workspace = scene.workspace(&configuration("db"));
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");

    workspace
        .write("main.tf", &configuration("renamed"))
        .unwrap();
    has(
        &workspace.refused(&[]),
        &["Retained Secret Not Replaceable"],
    );
    workspace.write("main.tf", &configuration("db")).unwrap();
    workspace.destroyed(&[]);
    assert_eq!(workspace.attributes("planton_secret.db"), None);

    // Another workspace reads it, and then takes it over.
    let other = scene.workspace(
        r#"
ephemeral "planton_secret" "db" { name = "db" }
resource "planton_secret" "copy" {
  name     = "copy"
  value_wo = ephemeral.planton_secret.db.value
}
"#,
    );
    other.settled(&[]);
    let copy = text(&other.secret("copy"), "id");
    assert_eq!(scene.open(&copy), Opened::text(1, "value"));

    workspace
        .import("planton_secret.db", "db", &[])
        .unwrap()
        .ok()
        .unwrap();
    workspace.unchanged(&[]);
    assert_eq!(text(&workspace.secret("db"), "id"), id);
    let mine = configuration("db").replace("retain", "delete");
    workspace.write("main.tf", &mine).unwrap();
    workspace.settled(&[]);
    workspace.destroyed(&[]);
    assert!(scene.try_open(&id, None).is_err());
}

fn acc_secret_keeps_as_many_versions_as_asked(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "number" { type = number }
variable "version_to_read" {
  type    = number
  default = null
}
variable "minimum" {
  type    = number
  default = null
}
resource "planton_secret" "db" {
  name             = "db"
  value_wo         = "value ${var.number}"
  value_wo_version = var.number
  keep_versions    = 2
}
ephemeral "planton_secret" "db" {
  id              = planton_secret.db.id
  version         = var.version_to_read
  minimum_version = var.minimum
}
resource "planton_secret" "copy" {
  name             = "copy"
  value_wo         = ephemeral.planton_secret.db.value
  value_wo_version = "${var.number}/${coalesce(var.version_to_read, 0)}"
}
"#,
    );
    for number in ["1", "2", "3"] {
        workspace.applied(&[("number", number)]);
    }
    let db = workspace.secret("db");
    assert_eq!(db["version"], 3);
    let id = text(&db, "id");
    assert_eq!(scene.try_open(&id, Some(2)), Ok(Opened::text(2, "value 2")));
    assert!(scene.try_open(&id, Some(1)).is_err());
    let prefix = |objects: Vec<String>| objects.iter().filter(|name| name.contains("/db-")).count();
    assert_eq!(prefix(scene.objects()), 2);

    // An old version can be read. A deleted one is an error that says so.
    workspace.applied(&[("number", "3"), ("version_to_read", "2")]);
    let copy = scene.open(&text(&workspace.secret("copy"), "id"));
    assert_eq!(copy.text.as_deref(), Some("value 2"));
    let gone = workspace.refused(&[("number", "3"), ("version_to_read", "1")]);
    has(
        &gone,
        &[
            "Secret Version Not Found",
            "keep_versions no longer covers it",
        ],
    );
    let too_old = workspace.refused(&[("number", "3"), ("minimum", "4")]);
    has(&too_old, &["Secret Version Too Old", "has version 3"]);
    workspace
        .plan(&[("number", "3"), ("minimum", "3")])
        .unwrap()
        .changes()
        .unwrap();
}
