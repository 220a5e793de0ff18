//! Tests `-target`, saved plans and `-refresh=false`.

use crate::scene::{Scene, record_of, with_every_terraform};
use crate::steps::{Steps, flat, has};

with_every_terraform!(
    acc_target_applies_and_destroys_what_it_names_and_no_more,
    acc_saved_plan_does_what_it_showed,
    acc_saved_plan_is_stale_after_another_apply,
    acc_refresh_false_plans_and_applies_from_the_state,
);

/// The second secret depends on the first. The third one is independent.
const CHAIN: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
  default   = null
}
variable "trigger" { default = "1" }
variable "description" { default = null }

resource "planton_secret" "first" {
  name             = "first"
  description      = var.description
  value_wo         = var.value
  value_wo_version = var.trigger
}
ephemeral "planton_secret" "first" { id = planton_secret.first.id }
resource "planton_secret" "second" {
  name             = "second"
  value_wo         = ephemeral.planton_secret.first.value
  value_wo_version = planton_secret.first.version
}
resource "planton_secret" "third" {
  name     = "third"
  generate = {}
}
"#;

fn acc_target_applies_and_destroys_what_it_names_and_no_more(scene: &Scene) {
    let workspace = scene.workspace(CHAIN);
    let one = [("value", "one")];
    let target = |address: &str| format!("-target=planton_secret.{address}");
    let second = target("second");
    let applied = workspace.apply_with(&one, &[&second]).unwrap();
    has(&flat(applied.ok().unwrap().stdout()), &["2 added"]);
    assert!(workspace.attributes("planton_secret.third").is_none());
    has(
        &workspace.changes(&one),
        &["1 to add, 0 to change, 0 to destroy"],
    );
    workspace.settled(&one);

    // A targeted rotation of the consumer includes its dependencies.
    let two = [("value", "two"), ("trigger", "2")];
    let third = target("third");
    let nothing = workspace.plan_with(&two, &[&third]).unwrap();
    // A plan with another target has nothing to do.
    has(&flat(nothing.outcome().stdout()), &["No changes."]);
    let rotated = workspace.apply_with(&two, &[&second]).unwrap();
    has(&flat(rotated.ok().unwrap().stdout()), &["2 changed"]);
    workspace.unchanged(&two);
    assert_eq!(scene.read(&["second"])["second"], "two");

    let destroy = ["destroy", "-auto-approve", "-no-color", "-input=false"];
    let aimed = [&destroy[..], &[third.as_str()]].concat();
    let destroyed = workspace.run_with(&aimed, &two).unwrap().ok().unwrap();
    has(&flat(destroyed.stdout()), &["1 destroyed"]);
    assert!(record_of(&scene.records(), "third").is_null());
    assert_eq!(scene.read(&["first", "second"])["first"], "two");
    workspace.destroyed(&two);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_saved_plan_does_what_it_showed(scene: &Scene) {
    let workspace = scene.workspace(CHAIN);
    let save = |variables: &[(&str, &str)], arguments: &[&str]| {
        let planned = workspace.plan_with(variables, &[&["-out=saved"], arguments].concat());
        planned.unwrap().changes().unwrap();
    };
    // A plan file does not contain ephemeral variables, so they are set again.
    let apply = |variables: &[(&str, &str)]| {
        let outcome = workspace.apply_with(variables, &["saved"]).unwrap();
        outcome.ok().unwrap()
    };
    let ephemeral = [("value", "one")];
    save(&ephemeral, &[]);
    has(&flat(apply(&ephemeral).stdout()), &["3 added"]);
    workspace.unchanged(&ephemeral);

    let rotation = [("value", "two"), ("trigger", "2")];
    save(&rotation, &[]);
    has(&flat(apply(&[("value", "two")]).stdout()), &["2 changed"]);
    workspace.unchanged(&rotation);
    assert_eq!(scene.read(&["second"])["second"], "two");

    save(&rotation, &["-destroy"]);
    has(&flat(apply(&[("value", "two")]).stdout()), &["3 destroyed"]);
    assert_eq!(scene.objects(), [""; 0]);
}

fn acc_saved_plan_is_stale_after_another_apply(scene: &Scene) {
    let workspace = scene.workspace(CHAIN);
    let one = [("value", "one")];
    workspace.settled(&one);
    let late = [("value", "late"), ("trigger", "2")];
    let planned = workspace.plan_with(&late, &["-out=saved"]).unwrap();
    planned.changes().unwrap();
    let early = [("value", "early"), ("trigger", "3")];
    workspace.settled(&early);
    let outcome = workspace.apply_with(&[("value", "late")], &["saved"]);
    has(&outcome.unwrap().error().unwrap(), &["Saved plan is stale"]);
    assert_eq!(scene.read(&["second"])["second"], "early");
    workspace.destroyed(&early);
}

fn acc_refresh_false_plans_and_applies_from_the_state(scene: &Scene) {
    let workspace = scene.workspace(CHAIN);
    let blind = ["-refresh=false"];
    let one = [("value", "one")];
    let created = workspace.apply_with(&one, &blind).unwrap().ok().unwrap();
    has(&flat(created.stdout()), &["3 added"]);
    workspace
        .plan_with(&one, &blind)
        .unwrap()
        .no_changes()
        .unwrap();

    // Without a refresh, the plan misses a loss, and an edit loses nothing.
    let edited = [("value", "one"), ("description", "edited")];
    workspace.apply_with(&edited, &blind).unwrap().ok().unwrap();
    workspace.unchanged(&edited);
    assert_eq!(workspace.secret("first")["version"], 1);
    let rotated = [
        ("value", "two"),
        ("trigger", "2"),
        ("description", "edited"),
    ];
    workspace
        .apply_with(&rotated, &blind)
        .unwrap()
        .ok()
        .unwrap();
    workspace.unchanged(&rotated);
    assert_eq!(scene.read(&["first"])["first"], "two");

    // A state from before a rotation in another folder does not restore the old value.
    // The write gets a conflict, and one refresh converges.
    let older = scene.workspace(CHAIN);
    let state = std::fs::read_to_string(workspace.path().join("terraform.tfstate")).unwrap();
    older.write("terraform.tfstate", &state).unwrap();
    let newer = [
        ("value", "three"),
        ("trigger", "3"),
        ("description", "edited"),
    ];
    workspace.settled(&newer);
    let stale = [
        ("value", "stale"),
        ("trigger", "4"),
        ("description", "edited"),
    ];
    let outcome = older.apply_with(&stale, &blind).unwrap();
    has(
        &flat(&outcome.error().unwrap()),
        &["Secret Changed Concurrently"],
    );
    assert_eq!(scene.read(&["first"])["first"], "three");
    older.settled(&stale);
    assert_eq!(scene.read(&["second"])["second"], "stale");

    let destroy = [
        "destroy",
        "-auto-approve",
        "-no-color",
        "-input=false",
        blind[0],
    ];
    older.run_with(&destroy, &stale).unwrap().ok().unwrap();
    assert_eq!(scene.objects(), [""; 0]);
}
