//! Tests ephemeral values that differ between plan and apply: another value, another
//! argument, or none. Nothing that is known in the plan depends on such a value.

use xtask::terraform::Workspace;

use crate::scene::{Scene, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_value_may_be_another_one_in_the_apply_than_in_the_plan,
    acc_credential_may_be_another_one_in_the_apply_than_in_the_plan,
    acc_untriggered_credential_may_be_another_one_in_the_apply_than_in_the_plan,
);

/// Saves a plan with the first variables, and applies it with the others.
#[track_caller]
fn between(workspace: &Workspace, planned: &[(&str, &str)], applied: &[(&str, &str)]) {
    let plan = workspace.plan_with(planned, &["-out=saved"]).unwrap();
    plan.changes().unwrap();
    let outcome = workspace.apply_with(applied, &["saved"]).unwrap();
    outcome.ok().unwrap();
}

const SECRETS: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
}
variable "edition" {}
variable "trigger" { default = null }
resource "planton_secret" "compared" {
  name        = "compared"
  description = var.edition
  value_wo    = var.value
}
resource "planton_secret" "protected" {
  name                = "protected"
  deletion_protection = var.edition == "2"
  keep_versions       = var.edition == "1" ? 3 : 4
  value_wo            = var.value
}
resource "planton_secret" "at_times" {
  name        = "at-times"
  description = var.edition
  value_wo    = var.value == "none" ? null : var.value
}
resource "planton_secret" "newly_triggered" {
  name             = "newly-triggered"
  value_wo         = var.value
  value_wo_version = var.trigger
}
resource "planton_secret" "triggered" {
  name             = "triggered"
  description      = var.edition
  value_wo         = var.value
  value_wo_version = "1"
}
resource "planton_secret" "switched" {
  name             = "switched"
  value_wo         = var.value == "pairs" ? null : var.value
  data_wo          = var.value == "pairs" ? { a = "b" } : null
  value_wo_version = var.edition
}
resource "planton_secret" "consumer" {
  name             = "consumer"
  value_wo         = "x"
  value_wo_version = planton_secret.compared.revision
}
"#;

fn acc_value_may_be_another_one_in_the_apply_than_in_the_plan(scene: &Scene) {
    let workspace = scene.workspace(SECRETS);
    let versions = |expected: &[(&str, u64)]| {
        for (name, version) in expected {
            assert_eq!(workspace.secret(name)["version"], *version, "{name}");
        }
    };
    // One argument in the plan, the other in the apply.
    let first = [("edition", "1")];
    let one = [first[0], ("value", "one")];
    between(&workspace, &one, &[("value", "pairs")]);
    let switched = || scene.open(&text(&workspace.secret("switched"), "id"));
    assert!(switched().data.is_some());
    workspace.unchanged(&[first[0], ("value", "pairs")]);

    // The current value in the plan of another change, and a new value in the apply.
    let pairs = [("edition", "2"), ("value", "pairs"), ("trigger", "1")];
    between(&workspace, &pairs, &[("value", "two")]);
    versions(&[
        ("compared", 2),
        ("protected", 2),
        ("at_times", 2),
        ("newly_triggered", 2),
        ("triggered", 1),
        ("switched", 2),
        ("consumer", 2),
    ]);
    assert_eq!(workspace.secret("compared")["description"], "2");
    assert!(switched().text.is_some());
    let two = [("edition", "2"), ("value", "two"), ("trigger", "1")];
    workspace.unchanged(&two);

    // The reverse: the apply writes only what the trigger requires.
    let three = [("edition", "3"), ("value", "three"), ("trigger", "1")];
    between(&workspace, &three, &[("value", "two")]);
    let kept = [("compared", 2), ("protected", 2), ("at_times", 2)];
    versions(&kept);
    versions(&[("triggered", 1), ("switched", 3), ("consumer", 2)]);

    // No value in the plan, and one in the apply.
    let none = [("edition", "4"), ("value", "none"), ("trigger", "1")];
    let aimed = ["-out=saved", "-target=planton_secret.at_times"];
    let plan = workspace.plan_with(&none, &aimed).unwrap();
    plan.changes().unwrap();
    let outcome = workspace.apply_with(&[("value", "four")], &["saved"]);
    outcome.unwrap().ok().unwrap();
    versions(&[("at_times", 3)]);
    assert_eq!(scene.read(&["at-times"])["at-times"], "four");
}

const BACKEND: &str = r#"
variable "token" {
  type      = string
  ephemeral = true
}
variable "edition" {}
resource "planton_secret_backend" "corp" {
  name              = "corp"
  verify_connection = false
  openbao = {
    address  = "http://127.0.0.1:9"
    token_wo = var.token == "none" ? null : var.token
  }
  credentials_wo_version = var.edition
}
"#;

const UNTRIGGERED: &str = r#"
variable "token" {
  type      = string
  ephemeral = true
}
variable "description" {}
variable "limit" {}
resource "planton_secret_backend" "corp" {
  name              = "corp"
  description       = var.description
  verify_connection = false
  openbao = {
    address  = "http://127.0.0.1:9"
    token_wo = var.token == "none" ? null : var.token
  }
  timeouts = { read = var.limit }
}
"#;

fn acc_credential_may_be_another_one_in_the_apply_than_in_the_plan(scene: &Scene) {
    const CORP: &str = "planton_secret_backend.corp";
    let workspace = scene.workspace(BACKEND);
    for (edition, planned, applied, source) in [
        ("1", "hunter2", "none", "ambient"),
        ("2", "hunter2", "none", "ambient"),
        ("3", "none", "hunter2", "static"),
        ("4", "hunter2", "none", "ambient"),
    ] {
        let edition = ("edition", edition);
        let variables = [edition, ("token", planned)];
        between(&workspace, &variables, &[("token", applied)]);
        let own = workspace.attributes(CORP).unwrap();
        assert_eq!(text(&own, "credential_source"), source, "{edition:?}");
        workspace.unchanged(&[edition, ("token", applied)]);
    }
    // While the trigger is unchanged, the plan shows which argument is set.
    let given = [("edition", "4"), ("token", "hunter2")];
    let planned = workspace.changes(&given);
    has(
        &planned,
        &["~ credential_source = \"ambient\" -> (known after apply)"],
    );
    assert!(!flat(&planned).contains("hunter2"), "{planned}");
}

/// While the trigger is unchanged, a backend without a credential takes the one of its
/// apply, unless `ignore_changes` covers it.
fn acc_untriggered_credential_may_be_another_one_in_the_apply_than_in_the_plan(scene: &Scene) {
    const CORP: &str = "planton_secret_backend.corp";
    let workspace = scene.workspace(UNTRIGGERED);
    let mut limit = "1m";
    workspace.settled(&[("description", "1"), ("token", "none"), ("limit", limit)]);
    for (description, next_limit, planned, applied, source) in [
        // In the plan only: nothing to do, or the other change only.
        ("1", "1m", "hunter2", "none", "ambient"),
        ("2", "1m", "hunter2", "none", "ambient"),
        ("2", "2m", "hunter2", "none", "ambient"),
        // In neither.
        ("3", "2m", "none", "none", "ambient"),
        ("3", "3m", "none", "none", "ambient"),
        // In the apply only.
        ("4", "3m", "none", "hunter2", "static"),
        // The credential is stored already, and stays.
        ("5", "3m", "none", "hunter3", "static"),
        ("6", "3m", "hunter3", "none", "static"),
    ] {
        limit = next_limit;
        let common = [("description", description), ("limit", limit)];
        let variables = |token| [common[0], common[1], ("token", token)];
        between(&workspace, &variables(planned), &variables(applied)[2..]);
        let own = workspace.attributes(CORP).unwrap();
        assert_eq!(text(&own, "credential_source"), source, "{common:?}");
        assert_eq!(text(&own, "description"), description);
        workspace.unchanged(&variables(applied));
    }

    // An apply that changes only `timeouts` also receives one.
    let again = UNTRIGGERED.replace("corp", "again");
    workspace.write("main.tf", &again).unwrap();
    let variables = |limit, token| [("description", "1"), ("limit", limit), ("token", token)];
    workspace.settled(&variables("1m", "none"));
    between(
        &workspace,
        &variables("2m", "none"),
        &variables("2m", "hunter2")[2..],
    );
    let own = workspace
        .attributes("planton_secret_backend.again")
        .unwrap();
    assert_eq!(text(&own, "credential_source"), "static");

    // The apply of an ignored block receives the credential. Its plan does not.
    let ignored = "  lifecycle { ignore_changes = [openbao] }\n}\n";
    let held = UNTRIGGERED.replace("corp", "held");
    let held = format!("{}{ignored}", held.trim_end().trim_end_matches('}'));
    workspace.write("main.tf", &held).unwrap();
    workspace.settled(&variables("1m", "none"));
    workspace.settled(&[("description", "2"), ("limit", "1m"), ("token", "hunter2")]);
    let own = workspace.attributes("planton_secret_backend.held").unwrap();
    assert_eq!(text(&own, "credential_source"), "ambient");
    assert_eq!(text(&own, "description"), "2");
}
