//! Tests `ignore_changes` on each argument of a backend or the default, while another
//! argument changes.

use serde_json::json;
use xtask::terraform::Workspace;

use super::Place;
use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, text};

with_every_terraform!(
    acc_ignored_arguments_of_a_backend_stay_as_they_are,
    acc_ignored_block_of_a_backend_takes_a_new_credential,
    acc_ignored_default_stays_as_it_is,
);

const OWN: &str = "planton_secret_backend.own";

const VARIABLES: &str = r#"
variable "backend_secret" {
  type      = string
  ephemeral = true
  default   = null
}
"#;

/// Declares the backend with `lines` and `block`, and `ignored` under `ignore_changes`.
fn write(workspace: &Workspace, ignored: &str, lines: &[&str], block: &[&str]) {
    let whole = format!(
        "{VARIABLES}resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n  {}\n  \
         openbao = {{\n    {}\n  }}\n  lifecycle {{\n    ignore_changes = [{ignored}]\n  }}\n}}\n",
        lines.join("\n  "),
        block.join("\n    ")
    );
    workspace.write("main.tf", &whole).unwrap();
}

/// Returns the record of the backend `own`, without its sealed credential.
fn record(scene: &Scene) -> serde_json::Value {
    scene.records()["backends/own"]["backend"].clone()
}

fn acc_ignored_arguments_of_a_backend_stay_as_they_are(scene: &Scene) {
    let place = Place::openbao();
    let given = [("backend_secret", place.secret.as_str())];
    let address = format!("address = {:?}", place.address());
    let other_address = format!("address = \"{}/base\"", place.address());
    let token = "token_wo = var.backend_secret";
    let workspace = place.workspace(scene);
    let (first, second) = ("description = \"first\"", "description = \"second\"");
    let trigger = "credentials_wo_version = \"1\"";
    let verified = "verify_connection = true";
    let all = [first, trigger, verified];
    write(&workspace, "", &all, &[&address, token]);
    workspace.settled(&given);
    let before = record(scene);

    // Ignores each argument once, while the description or the trigger changes.
    for (ignored, lines, block) in [
        (
            "credentials_wo_version",
            vec![second, "credentials_wo_version = \"2\"", verified],
            vec![address.as_str(), token],
        ),
        (
            "verify_connection",
            vec![first, trigger, "verify_connection = false"],
            vec![&address, token],
        ),
        (
            "name_prefix",
            vec![second, trigger, "name_prefix = \"other\""],
            vec![&address, token],
        ),
        (
            "openbao.address",
            vec![first, trigger],
            vec![&other_address, token],
        ),
        (
            "openbao",
            vec![second, trigger],
            vec![&other_address, "kv_mount_path = \"other\"", token],
        ),
        (
            "openbao, verify_connection",
            vec![first, trigger, "verify_connection = false"],
            vec![&address, "namespace = \"team\""],
        ),
    ] {
        write(&workspace, ignored, &lines, &block);
        workspace.settled(&given);
        let now = record(scene);
        for name in ["settings", "arguments", "credential", "uuid"] {
            assert_eq!(now[name], before[name], "{ignored}: {name}");
        }
        let described = if lines[0] == first { "first" } else { "second" };
        assert_eq!(now["description"], described, "{ignored}");
    }

    // Ignores the description, while the trigger changes.
    write(
        &workspace,
        "description",
        &[second, "credentials_wo_version = \"2\"", verified],
        &[&address, token],
    );
    workspace.settled(&given);
    let now = record(scene);
    assert_eq!(now["description"], "first");
    assert_eq!(now["arguments"]["credentials_wo_version"], "2");
    assert_ne!(now["credential"], before["credential"]);
    workspace.destroyed(&[]);
}

/// The plan has no credential in an ignored block, and the apply has it.
fn acc_ignored_block_of_a_backend_takes_a_new_credential(scene: &Scene) {
    let place = Place::openbao().with_revocable_secret();
    let first = [("backend_secret", place.secret.as_str())];
    let second = place.credential(2);
    let workspace = place.workspace(scene);
    let address = format!("address = {:?}", place.address());
    let block = [address.as_str(), "token_wo = var.backend_secret"];
    write(
        &workspace,
        "openbao",
        &["credentials_wo_version = \"1\""],
        &block,
    );
    workspace.settled(&first);
    write(
        &workspace,
        "openbao",
        &["credentials_wo_version = \"2\""],
        &block,
    );
    workspace.settled(&[("backend_secret", &second.secret)]);
    let source = workspace.attributes(OWN).unwrap();
    assert_eq!(text(&source, "credential_source"), "static");
    // The second credential is in use, so the first is not needed any more.
    place.revoke(&place.first_credential());
    let more = "resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  backend = \"own\"\n  \
                generate = {}\n  value_wo_version = \"1\"\n}\n";
    workspace.write("more.tf", more).unwrap();
    workspace.settled(&[]);
    workspace.destroyed(&[]);
}

fn acc_ignored_default_stays_as_it_is(scene: &Scene) {
    let place = Place::openbao();
    let given = [("backend_secret", place.secret.as_str())];
    let address = format!("address = {:?}", place.address());
    let workspace = place.workspace(scene);
    write(
        &workspace,
        "",
        &[],
        &[&address, "token_wo = var.backend_secret"],
    );
    let default = |backend: &str, limit: &str| {
        let text = format!(
            "resource \"planton_default_backend\" \"this\" {{\n  backend = {backend}\n  timeouts = \
             {{ read = {limit:?} }}\n  lifecycle {{\n    ignore_changes = [backend]\n  }}\n}}\n"
        );
        workspace.write("default.tf", &text).unwrap();
    };
    default("planton_secret_backend.own.name", "1m");
    workspace.settled(&given);
    default("\"platform\"", "2m");
    workspace.settled(&given);
    let state = workspace
        .attributes("planton_default_backend.this")
        .unwrap();
    assert_eq!(state["backend"], "own");
    assert_eq!(state["timeouts"]["read"], json!("2m"));
    assert_eq!(scene.records()["default"]["backend"], "own");
    // A reference makes Terraform destroy the default before its backend.
    default("planton_secret_backend.own.name", "2m");
    workspace.destroyed(&given);
}
