//! Arguments under `ignore_changes` stay unchanged in the state and in the catalog, while
//! others change.

use serde_json::{Value, json};

use crate::scene::{Scene, record_of, with_every_terraform};
use crate::steps::{Steps, has, text};

with_every_terraform!(
    acc_ignored_labels_stay_while_a_version_is_written,
    acc_every_ignored_argument_stays_while_others_change,
    acc_ignored_source_is_not_written,
    acc_ignored_argument_counts_for_a_replacement,
    acc_ignored_value_goes_with_its_renamed_secret,
);

fn acc_ignored_labels_stay_while_a_version_is_written(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "label" { default = "a" }
variable "trigger" { default = "1" }
resource "planton_secret" "s" {
  name             = "s"
  labels           = { team = var.label }
  value_wo         = "v${var.trigger}"
  value_wo_version = var.trigger
  lifecycle { ignore_changes = [labels] }
}
"#,
    );
    workspace.settled(&[]);
    workspace.settled(&[("label", "b"), ("trigger", "2")]);
    let secret = workspace.secret("s");
    assert_eq!(secret["version"], 2);
    assert_eq!(secret["labels"], json!({"team": "a"}));
    assert_eq!(secret["labels_all"], json!({"team": "a"}));
    let metadata = &record_of(&scene.records(), "s")["metadata"];
    assert_eq!(metadata["labels"], json!({"team": "a"}));
    assert_eq!(metadata["labels_all"], json!({"team": "a"}));
    let opened = scene.open(&text(&secret, "id"));
    assert_eq!(opened.text.as_deref(), Some("v2"));
}

/// For each argument: its configuration in the first edition and in the second, and its
/// value in the state afterwards.
fn arguments() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    vec![
        ("name", "\"name\"", "\"renamed\"", json!("name")),
        (
            "environment",
            "\"production\"",
            "\"staging\"",
            json!("production"),
        ),
        (
            "backend",
            "\"platform\"",
            "\"elsewhere\"",
            json!("platform"),
        ),
        (
            "labels",
            "{ team = \"a\" }",
            "{ team = \"b\" }",
            json!({"team": "a"}),
        ),
        ("deletion_protection", "false", "true", json!(false)),
        ("on_destroy", "\"delete\"", "\"retain\"", json!("delete")),
        ("keep_versions", "5", "3", json!(5)),
        (
            "takes_over",
            "null",
            "\"1b4e4c9e-0000-8000-8000-000000000001\"",
            Value::Null,
        ),
        (
            "timeouts",
            "{ update = \"7m\" }",
            "{ update = \"9m\" }",
            json!({"create": null, "read": null, "update": "7m", "delete": null}),
        ),
    ]
}

/// Ignores each argument separately: during a new version, and during a change of the
/// description only.
fn acc_every_ignored_argument_stays_while_others_change(scene: &Scene) {
    let workspace = scene.workspace("");
    let write = |edition: usize| {
        let mut configuration = String::new();
        for (argument, first, second, _) in arguments() {
            let configured = [first, second][edition - 1];
            for (kind, trigger, description) in [("rotated", edition, 1), ("described", 1, edition)]
            {
                let (name, configured) = match argument {
                    "name" => {
                        let name = configured.trim_matches('"');
                        (String::new(), format!("\"{kind}-{name}\""))
                    }
                    _ => {
                        let name = argument.replace('_', "-");
                        let line = format!("name = \"{kind}-{name}\"");
                        (line, configured.to_owned())
                    }
                };
                configuration.push_str(&format!(
                    "resource \"planton_secret\" \"{kind}_{argument}\" {{\n  {name}\n  {argument} = {configured}\n  \
                     description = \"edition {description}\"\n  value_wo = \"value {trigger}\"\n  \
                     value_wo_version = \"{trigger}\"\n  lifecycle {{ ignore_changes = [{argument}] }}\n}}\n"
                ));
            }
        }
        workspace.write("main.tf", &configuration).unwrap();
    };
    write(1);
    workspace.settled(&[]);
    write(2);
    has(
        &workspace.changes(&[]),
        &["0 to add, 18 to change, 0 to destroy"],
    );
    workspace.settled(&[]);

    let records = scene.records();
    for (argument, _, _, kept) in arguments() {
        for (kind, version, description) in [("rotated", 2, 1), ("described", 1, 2)] {
            let what = format!("{kind}_{argument}");
            let secret = workspace.secret(&what);
            let kept = match argument {
                "name" => json!(format!("{kind}-name")),
                _ => kept.clone(),
            };
            assert_eq!(secret[argument], kept, "{what}");
            assert_eq!(secret["version"], version, "{what}");
            assert_eq!(
                secret["description"],
                format!("edition {description}"),
                "{what}"
            );
            let opened = scene.open(&text(&secret, "id"));
            assert_eq!(opened.text, Some(format!("value {version}")), "{what}");
            let record = record_of(&records, &text(&secret, "name"));
            match argument {
                "keep_versions" | "deletion_protection" | "on_destroy" | "takes_over" => {
                    assert_eq!(record["arguments"][argument], kept, "{what}");
                }
                "labels" => assert_eq!(record["metadata"]["labels_all"], kept, "{what}"),
                _ => {}
            }
        }
    }
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

/// An ignored value is not written, even if another change requires a version.
fn acc_ignored_source_is_not_written(scene: &Scene) {
    let workspace = scene.workspace("");
    let write = |edition: usize| {
        let (source, length) = match edition {
            1 => ("generate = { length = 20 }", 20),
            _ => ("value_wo = \"given\"", 30),
        };
        let configuration = format!(
            r#"
resource "planton_secret" "generated" {{
  name             = "generated"
  generate         = {{ length = {length} }}
  value_wo_version = "{edition}"
  lifecycle {{ ignore_changes = [generate] }}
}}
resource "planton_secret" "switched" {{
  name             = "switched"
  {source}
  value_wo_version = "{edition}"
  lifecycle {{ ignore_changes = [generate, value_wo] }}
}}
resource "planton_secret" "given" {{
  name        = "given"
  description = "edition {edition}"
  value_wo    = "value {edition}"
  lifecycle {{ ignore_changes = [value_wo] }}
}}
resource "planton_secret" "data" {{
  name        = "data"
  description = "edition {edition}"
  data_wo     = {{ edition = "{edition}" }}
  lifecycle {{ ignore_changes = [data_wo] }}
}}
resource "planton_secret" "trigger" {{
  name             = "trigger"
  description      = "edition {edition}"
  value_wo         = "value {edition}"
  value_wo_version = "{edition}"
  lifecycle {{ ignore_changes = [value_wo_version] }}
}}
resource "planton_secret" "all" {{
  name             = "all"
  description      = "edition {edition}"
  value_wo         = "value {edition}"
  value_wo_version = "{edition}"
  keep_versions    = {edition}
  lifecycle {{ ignore_changes = all }}
}}
"#
        );
        workspace.write("main.tf", &configuration).unwrap();
    };
    write(1);
    workspace.settled(&[]);
    let all = workspace.secret("all");
    write(2);
    workspace.settled(&[]);

    for name in ["generated", "switched"] {
        let secret = workspace.secret(name);
        assert_eq!(secret["version"], 2, "{name}");
        assert_eq!(secret["generate"]["length"], 20, "{name}");
        let opened = scene.open(&text(&secret, "id"));
        assert_eq!(opened.text.unwrap().len(), 20, "{name}");
    }
    for name in ["given", "data", "trigger"] {
        let secret = workspace.secret(name);
        assert_eq!(secret["version"], 1, "{name}");
        assert_eq!(secret["description"], "edition 2", "{name}");
    }
    assert_eq!(workspace.secret("trigger")["value_wo_version"], "1");
    assert_eq!(workspace.secret("all"), all);

    // A trigger requires a version, but the value is ignored.
    let asked = "resource \"planton_secret\" \"given\" {\n  name = \"given\"\n  value_wo = \"b\"\n  \
                 value_wo_version = \"2\"\n  lifecycle { ignore_changes = [value_wo] }\n}\n";
    let first = asked.replace("\"2\"", "\"1\"");
    workspace.write("main.tf", &first).unwrap();
    workspace.settled(&[]);
    workspace.write("main.tf", asked).unwrap();
    has(
        &workspace.refused(&[]),
        &[
            "Secret Value Missing",
            "A value under ignore_changes counts as not set",
        ],
    );
}

/// A replacement is a creation, so the configuration applies even to ignored arguments.
fn acc_ignored_argument_counts_for_a_replacement(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "label" { default = "a" }
resource "planton_secret" "s" {
  name             = "s"
  labels           = { team = var.label }
  generate         = {}
  value_wo_version = "1"
  lifecycle { ignore_changes = [labels] }
}
"#,
    );
    workspace.settled(&[]);
    let changed = [("label", "b")];
    workspace.unchanged(&changed);
    let by_force = ["-replace=planton_secret.s"];
    let replaced = workspace.apply_with(&changed, &by_force).unwrap();
    replaced.ok().unwrap();
    workspace.unchanged(&changed);
    assert_eq!(workspace.secret("s")["labels_all"], json!({"team": "b"}));
}

/// The plan of an update does not receive the value. The plan of the creation and the
/// apply do.
fn acc_ignored_value_goes_with_its_renamed_secret(scene: &Scene) {
    let workspace = scene.workspace(
        r#"
variable "edition" { default = "1" }
resource "planton_secret" "given" {
  name             = "given-${var.edition}"
  value_wo         = "value ${var.edition}"
  value_wo_version = "1"
  lifecycle { ignore_changes = [value_wo] }
}
resource "planton_secret" "data" {
  name        = "data"
  environment = "edition-${var.edition}"
  data_wo     = { edition = var.edition }
  lifecycle { ignore_changes = all }
}
resource "planton_secret" "pairs" {
  name        = "pairs"
  environment = "edition-${var.edition}"
  data_wo     = { edition = var.edition }
  lifecycle { ignore_changes = [data_wo, labels] }
}
"#,
    );
    workspace.settled(&[]);
    workspace.settled(&[("edition", "2")]);
    assert_eq!(scene.read(&["given-2"])["given-2"], "value 2");
    let stays = workspace.secret("data");
    assert_eq!(
        (&stays["environment"], &stays["version"]),
        (&json!("edition-1"), &json!(1))
    );
    assert_eq!(workspace.secret("pairs")["environment"], "edition-2");
}
