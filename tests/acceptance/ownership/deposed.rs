//! Tests failed replacements under `create_before_destroy`. The provider never destroys
//! the live secret, and no state needs `state rm`.

use std::cell::Cell;

use xtask::terraform::Workspace;

use super::second_state::BACKEND;
use crate::crash::resumed;
use crate::inside::Opened;
use crate::scene::{On, Scene, record_of, terraform_1_11, with_every_terraform};
use crate::steps::{Steps, flat, has, text};

with_every_terraform!(
    acc_replacement_that_fails_in_its_consumer_loses_no_secret,
    acc_protected_secret_tainted_under_inherited_create_before_destroy_is_kept,
);

const FORCE: [&str; 1] = ["-replace=planton_secret.db"];
const FIRST: &str = "lifecycle { create_before_destroy = true }";

fn configuration(lines: &str) -> String {
    format!(
        r#"
variable "ok" {{ default = "true" }}
variable "r" {{ default = "1" }}
resource "planton_secret" "db" {{
  name     = "db"
  generate = {{ length = 20 }}
  {lines}
}}
resource "terraform_data" "app" {{
  triggers_replace = [planton_secret.db.id, var.r]
  provisioner "local-exec" {{ command = var.ok }}
}}
"#
    )
}

/// The variable still names the run that created the secret. The creation cannot detect
/// that it is a replacement, so it adopts the secret. The secret and its value stay.
#[test]
fn acc_replacement_under_a_resume_variable_left_set_keeps_the_secret() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let mut workspace = scene.workspace(&configuration(FIRST));
    workspace.applied(&[]);
    let id = text(&workspace.secret("db"), "id");
    let value = scene.open(&id);
    let second = scene.workspace(&configuration(FIRST));
    workspace.env("PLANTON_RESUME", resumed(&second.fails(&[])));
    let replaced = workspace.apply_with(&[], &FORCE).unwrap().ok().unwrap();
    workspace.env_remove("PLANTON_RESUME");
    has(
        &flat(replaced.stdout()),
        &[
            "Warning: Interrupted Creation Completed",
            "Warning: Secret Left To Its Owner",
        ],
    );
    workspace.unchanged(&[]);
    holds_alone(&workspace, &id);
    assert_eq!(scene.open(&id), value);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

/// A permitted replacement is killed after its commit. The state still has the old
/// secret, and the next apply restores its name. No state has the new one.
#[test]
fn acc_secret_displaced_by_a_killed_replacement_takes_its_name_back() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let mut workspace = scene.workspace(&configuration(FIRST));
    workspace.applied(&[]);
    let id = text(&workspace.secret("db"), "id");
    let value = scene.open(&id);
    let consent = format!("takes_over = {id:?}\n  {FIRST}");
    workspace
        .write("main.tf", &configuration(&consent))
        .unwrap();
    workspace.env("PLANTON_TEST_KILL_BEFORE", "answer");
    let killed = workspace.apply_with(&[], &FORCE).unwrap();
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    assert!(!killed.success(), "{killed:?}");
    let new = record_of(&scene.records(), "db")["uuid"].clone();
    let new = new.as_str().unwrap();
    assert_ne!(new, id);
    holds_alone(&workspace, &id);

    workspace.write("main.tf", &configuration(FIRST)).unwrap();
    let told = workspace.fails(&[]);
    has(
        &told,
        &["Error: Secret Displaced", &format!("\"id:{new}\"")],
    );
    assert_eq!(scene.open(&id), value);
    workspace.env("PLANTON_RESUME", resumed(&told));
    workspace.settled(&[]);
    workspace.env_remove("PLANTON_RESUME");
    workspace.unchanged(&[]);
    holds_alone(&workspace, &id);
    assert_eq!(record_of(&scene.records(), "db")["uuid"], *id);
    assert_eq!(scene.open(&id), value);

    // The error prints the id of the killed run's secret. An import by that id finds the
    // secret, and a destroy removes it.
    let other = scene.workspace(&configuration(""));
    let address = "planton_secret.db";
    let imported = other.import(address, &format!("id:{new}"), &[]).unwrap();
    imported.ok().unwrap();
    other.destroyed(&[]);
    workspace.unchanged(&[]);
    assert_eq!(scene.objects().len(), 1);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

#[test]
fn acc_backend_replaced_by_force_under_create_before_destroy_stays() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let first = format!("credentials_wo_version = \"1\"\n  {FIRST}");
    let backend = BACKEND.replace("credentials_wo_version = \"1\"", &first);
    let workspace = scene.workspace(&backend);
    workspace.settled(&[]);
    let records = scene.records();
    let address = "planton_secret_backend.this";
    let force = [format!("-replace={address}")];
    let told = workspace.apply_with(&[], &[&force[0]]).unwrap();
    has(
        &flat(&told.error().unwrap()),
        &["Secret Backend Already Exists"],
    );
    workspace.run(&["taint", address]).unwrap().ok().unwrap();
    has(&workspace.fails(&[]), &["Secret Backend Already Exists"]);
    workspace.run(&["untaint", address]).unwrap().ok().unwrap();
    workspace.unchanged(&[]);
    assert_eq!(scene.records(), records);
    workspace.destroyed(&[]);
}

/// Checks that the state has no deposed object, and `id` at the address.
#[track_caller]
fn holds_alone(workspace: &Workspace, id: &str) {
    let state = workspace.state_text().unwrap();
    assert!(!state.contains("\"deposed\""), "{state}");
    assert_eq!(text(&workspace.secret("db"), "id"), id);
}

fn acc_replacement_that_fails_in_its_consumer_loses_no_secret(scene: &Scene) {
    let workspace = scene.workspace(&configuration(FIRST));
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");
    let value = scene.open(&id);
    let edition = Cell::new(1);
    let next = || {
        edition.set(edition.get() + 1);
        edition.get().to_string()
    };
    // Without permission nothing is replaced.
    let r = next();
    let failing = [("ok", "false"), ("r", r.as_str())];
    let told = workspace.apply_with(&failing, &FORCE).unwrap();
    has(
        &flat(&told.error().unwrap()),
        &["Secret Already Exists", &format!("takes_over = {id:?}")],
    );
    workspace.settled(&[("r", &r)]);
    holds_alone(&workspace, &id);
    assert_eq!(scene.open(&id), value);

    // A trigger and a taint behave in the same way.
    let trigger = format!(
        "lifecycle {{\n    create_before_destroy = true\n    \
         replace_triggered_by = [terraform_data.edition]\n  }}\n}}\n\
         resource \"terraform_data\" \"edition\" {{\n  input = \"{r}\""
    );
    workspace
        .write("main.tf", &configuration(&trigger))
        .unwrap();
    workspace.settled(&[("r", &r)]);
    let later = trigger.replace(&format!("\"{r}\""), "\"later\"");
    workspace.write("main.tf", &configuration(&later)).unwrap();
    has(&workspace.fails(&[("r", &r)]), &["Secret Already Exists"]);
    workspace.settled(&[("r", &r)]);
    workspace.write("main.tf", &configuration(FIRST)).unwrap();
    let taint = ["taint", "planton_secret.db"];
    workspace.run(&taint).unwrap().ok().unwrap();
    has(
        &workspace.fails(&[("r", &r)]),
        &["Secret Already Exists", "terraform untaint"],
    );
    let untaint = ["untaint", "planton_secret.db"];
    workspace.run(&untaint).unwrap().ok().unwrap();
    workspace.settled(&[("r", &r)]);
    holds_alone(&workspace, &id);
    assert_eq!(scene.open(&id), value);

    // With permission, old and new are two secrets. The new one stays, whatever fails.
    let consent = format!("takes_over = {id:?}\n  {FIRST}");
    workspace
        .write("main.tf", &configuration(&consent))
        .unwrap();
    let r = next();
    let failing = [("ok", "false"), ("r", r.as_str())];
    let failed = workspace.apply_with(&failing, &FORCE).unwrap();
    has(&flat(&failed.error().unwrap()), &["local-exec"]);
    let new = text(&workspace.secret("db"), "id");
    assert_ne!(new, id);
    let fresh = scene.open(&new);
    assert_ne!(fresh, value);
    assert_eq!(scene.open(&id), value, "the old one is deposed, and there");
    workspace.settled(&[("r", &r)]);
    holds_alone(&workspace, &new);
    assert_eq!(scene.open(&new), fresh);
    assert!(scene.try_open(&id, None).is_err());
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_protected_secret_tainted_under_inherited_create_before_destroy_is_kept(scene: &Scene) {
    let protected = "resource \"planton_secret\" \"db\" {\n  name = \"db\"\n  value_wo = \"the value\"\n  \
                     value_wo_version = \"1\"\n  deletion_protection = true\n}\n";
    let dependent = format!(
        "resource \"terraform_data\" \"app\" {{\n  triggers_replace = planton_secret.db.id\n  \
         {FIRST}\n}}\n"
    );
    let workspace = scene.workspace(&[protected, &dependent].concat());
    workspace.settled(&[]);
    let id = text(&workspace.secret("db"), "id");
    let kept = || {
        holds_alone(&workspace, &id);
        assert_eq!(scene.open(&id), Opened::text(1, "the value"));
    };
    let run = |arguments: &[&str]| {
        workspace.run(arguments).unwrap().ok().unwrap();
    };
    run(&["taint", "planton_secret.db"]);
    // This holds for every retry.
    for _ in 0..2 {
        has(&workspace.fails(&[]), &["terraform untaint"]);
        kept();
    }
    // A destroy does not drop it either.
    let destroy = workspace.destroy(&[]).unwrap().error().unwrap();
    has(&flat(&destroy), &["Secret Deletion Protected"]);
    kept();
    run(&["untaint", "planton_secret.db"]);
    workspace.unchanged(&[]);
    kept();
    let open = protected.replace("= true", "= false");
    workspace
        .write("main.tf", &[&open, &dependent].map(String::as_str).concat())
        .unwrap();
    workspace.settled(&[]);
    workspace.destroyed(&[]);
    assert_eq!(scene.objects(), [""; 0]);
}
