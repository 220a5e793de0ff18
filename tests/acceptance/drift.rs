//! One apply repairs changes that were made outside Terraform.

use crate::inside::Opened;
use crate::scene::{Scene, on_every_stage};
use crate::steps::{Steps, flat, has, text};

on_every_stage!(
    acc_secret_drift_of_every_kind_is_mended_by_one_apply,
    acc_secret_whose_record_is_missing_stays_until_it_is_destroyed,
    acc_secret_changed_by_another_workspace_is_brought_back,
);

const SECRETS: &str = r#"
variable "password" {
  type      = string
  ephemeral = true
  default   = null
}
variable "trigger" {}
locals { names = ["version-deleted", "version-replaced", "object-deleted"] }

resource "planton_secret" "db" {
  for_each         = toset(local.names)
  name             = each.key
  value_wo         = var.password
  value_wo_version = var.trigger
}
output "versions" { value = { for name, secret in planton_secret.db : name => secret.version } }
"#;

fn acc_secret_drift_of_every_kind_is_mended_by_one_apply(scene: &Scene) {
    let workspace = scene.workspace(SECRETS);
    let rotated = [("trigger", "2"), ("password", "the value")];
    workspace.applied(&[("trigger", "1"), ("password", "the first value")]);
    workspace.settled(&rotated);

    let secret = |name: &str| {
        let found = workspace.attributes(&format!("planton_secret.db[\"{name}\"]"));
        found.unwrap()
    };
    let names = ["version-deleted", "version-replaced", "object-deleted"];
    let before = names.map(secret);
    scene.lose_version(&before[0]);
    scene.replace_version(&before[1]);
    scene.lose_object(&before[2]);

    // Without a value the provider cannot repair it: the plan warns, and the apply fails.
    let planned = workspace.changes(&[("trigger", "2")]);
    has(&planned, &["Warning: Lost Version Needs Value"]);
    has(
        &workspace.fails(&[("trigger", "2")]),
        &["Secret Value Missing"],
    );

    let plan = workspace.changes(&rotated);
    has(&plan, &["Plan: 0 to add, 3 to change, 0 to destroy"]);
    workspace.settled(&rotated);

    // The same secret at the next version. It is in place if the object exists, and under
    // another name in the backend if it is gone.
    let after = names.map(secret);
    for index in 0..names.len() {
        assert_eq!(after[index]["id"], before[index]["id"], "{}", names[index]);
        assert_eq!(after[index]["version"], 3, "{}", names[index]);
    }
    for (name, secret) in names.iter().zip(&after) {
        let opened = scene.open(&text(secret, "id"));
        assert_eq!(opened.text.as_deref(), Some("the value"), "{name}");
    }
    let first = scene.try_open(&text(&after[0], "id"), Some(1));
    assert_eq!(first, Ok(Opened::text(1, "the first value")));
}

fn acc_secret_whose_record_is_missing_stays_until_it_is_destroyed(scene: &Scene) {
    let workspace = scene.workspace(
        "variable \"description\" { default = \"d\" }\n\
         resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  generate = {}\n  \
         deletion_protection = true\n  description = var.description\n}\n\
         resource \"planton_secret\" \"compared\" {\n  name = \"compared\"\n  \
         value_wo = \"x\"\n  description = var.description\n}\n",
    );
    workspace.settled(&[]);
    scene.lose_record(&workspace.secret("db"));
    scene.lose_record(&workspace.secret("compared"));

    // The resource stays, and no new secret is created.
    let outcome = workspace.unchanged(&[]);
    has(&flat(outcome.stdout()), &["Warning: Secret Record Missing"]);
    let edited = [("description", "edited")];
    let failed = workspace.fails(&edited);
    has(&failed, &["Error: Secret Record Missing"]);
    assert!(!failed.contains("could not compare"), "{failed}");
    // Protection belongs to a record. Without a record it blocks nothing.
    let outcome = workspace.destroy(&[]).unwrap().ok().unwrap();
    has(&flat(outcome.stdout()), &["Warning: Secret Record Missing"]);
    for address in ["planton_secret.db", "planton_secret.compared"] {
        assert_eq!(workspace.attributes(address), None);
    }
    workspace.settled(&[]);
}

fn acc_secret_changed_by_another_workspace_is_brought_back(scene: &Scene) {
    let configuration = |value: &str, lines: &str| {
        format!(
            "resource \"planton_secret\" \"db\" {{\n  name = \"db\"\n  value_wo = {value:?}\n  \
             {lines}\n}}\n"
        )
    };
    let mine = configuration("mine", "value_wo_version = \"1\"\n  description = \"mine\"");
    let workspace = scene.workspace(&mine);
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");

    let theirs = configuration(
        "theirs",
        "value_wo_version = \"2\"\n  description = \"theirs\"",
    );
    let other = scene.workspace(&theirs);
    other
        .import("planton_secret.db", "db", &[])
        .unwrap()
        .ok()
        .unwrap();
    other.settled(&[]);
    assert_eq!(scene.open(&id), Opened::text(2, "theirs"));

    has(
        &workspace.changes(&[]),
        &["will be updated in-place", "1 to change"],
    );
    workspace.settled(&[]);
    assert_eq!(workspace.secret("db")["description"], "mine");
    assert_eq!(scene.open(&id), Opened::text(3, "mine"));

    // A plan from before another principal's change is not applied.
    workspace
        .write("main.tf", &mine.replace("\"1\"", "\"3\""))
        .unwrap();
    workspace
        .plan_with(&[], &["-out=stale"])
        .unwrap()
        .changes()
        .unwrap();
    other.settled(&[]);
    let refused = workspace
        .apply_with(&[], &["stale"])
        .unwrap()
        .error()
        .unwrap();
    has(
        &crate::steps::flat(&refused),
        &["Secret Changed Concurrently"],
    );
    assert_eq!(scene.open(&id), Opened::text(4, "theirs"));
}
