//! Kills the provider before each step of each use case. Acknowledged changes survive,
//! and the next apply converges.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use xtask::terraform::{Variables, Workspace};

use crate::races::Held;
use crate::scene::{ORGANIZATION, Scene, assert_tombstones, record_of};
use crate::scene::{on_each_platform, on_every_stage};
use crate::steps::flat;

const FIRST_USE: [&str; 2] = ["organization provision", "organization commit"];
pub(crate) const CREATE: [&str; 5] = ["create", "wrap", "put", "commit", "answer"];
pub(crate) const ADOPT: [&str; 1] = ["adopt"];
pub(crate) const ROTATE: [&str; 5] = ["update", "wrap", "put", "commit", "answer"];
const EDIT: [&str; 2] = ["update", "commit edit"];
pub(crate) const DELETE: [&str; 5] = [
    "delete",
    "mark deleting",
    "delete object",
    "tombstone",
    "answer",
];
/// Steps that follow the response of a rotation and of a destroy. [`apply_ended_before`] ends
/// the provider before them. A kill before the response is the one before `answer`.
pub(crate) const PRUNE: &str = "prune";
const FORGET_HISTORY: &str = "forget history";
pub(crate) const DELETE_ENTRY: &str = "delete entry";

/// A secret for each of `names`. Its value contains the name.
const SECRETS: &str = r#"
variable "names" { type = set(string) }
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" { default = "1" }
variable "description" { default = "as created" }
variable "keep" { default = 10 }

resource "planton_secret" "s" {
  for_each         = var.names
  name             = each.key
  description      = var.description
  keep_versions    = var.keep
  value_wo         = "${var.value} of ${each.key}"
  value_wo_version = var.trigger
}
"#;

/// Steps of a new object on a registered backend, killed in `backends/crash.rs`.
pub(crate) const ENTER: [&str; 2] = ["entry", "look at backend"];
/// Killed in `races.rs`: only the loser of a commit deletes its own put.
pub(crate) const TAKE_BACK: [&str; 1] = ["delete orphan"];
/// Steps of a destroy by the run that adopted the backend, killed in `backends/held.rs`.
pub(crate) const PUT_BACK: [&str; 1] = ["put stamp back"];
/// Killed in `backends/copy.rs`.
pub(crate) const COPY: [&str; 1] = ["delete source"];
/// Killed in `refresh.rs`: no write follows it.
pub(crate) const OPEN: [&str; 1] = ["unwrap"];
/// Before an object without a record is deleted: killed in `backends/crash.rs` and in `gc.rs`.
pub(crate) const RAISE: [&str; 1] = ["raise document"];
/// Before each record that an operator verifies, which writes nothing.
pub(crate) const VERIFY: [&str; 1] = ["verify"];

#[test]
fn every_step_has_a_crash_test() {
    let tested: BTreeSet<String> = [
        &FIRST_USE[..],
        &CREATE,
        &ENTER,
        &TAKE_BACK,
        &PUT_BACK,
        &ADOPT,
        &ROTATE,
        &EDIT,
        &DELETE,
        &[PRUNE, FORGET_HISTORY, DELETE_ENTRY],
        &COPY,
        &OPEN,
        &RAISE,
        &VERIFY,
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let operations = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src/operations");
    let mut steps = BTreeSet::new();
    let secrets = std::fs::read_dir(operations.join("secrets")).unwrap();
    for entry in std::fs::read_dir(&operations).unwrap().chain(secrets) {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("mod tests").next().unwrap();
            steps.extend(calls(code, "before(\""));
            steps.extend(calls(code, "crash_point(\""));
        }
    }
    assert_eq!(steps, tested);
}

pub(crate) fn calls<'a>(code: &'a str, call: &str) -> impl Iterator<Item = String> + use<'a> {
    let after = code.split(call).skip(1).collect::<Vec<_>>();
    after
        .into_iter()
        .map(|rest| rest.split('"').next().unwrap().to_owned())
}

on_each_platform!(
    a_first_use_that_was_killed_is_completed,
    a_rotation_that_was_killed_keeps_the_old_value_or_has_the_new_one,
    a_deletion_that_was_killed_is_finished,
    a_deletion_that_was_killed_is_finished_before_the_secret_is_created_anew,
);
on_every_stage!(a_creation_that_was_killed_converges);

fn a_first_use_that_was_killed_is_completed(scene: &Scene) {
    for step in FIRST_USE {
        let mut workspace = scene.workspace(SECRETS);
        let organization = |name: &str| format!("organization = {name:?}");
        let provider = scene.provider("");
        let provider = provider.replace(&organization(ORGANIZATION), &organization(&slug(step)));
        workspace.write("provider.tf", &provider).unwrap();
        let variables = [("names", r#"["s"]"#), ("value", "first")];
        apply_killed(&mut workspace, step, &variables);
        let key = scene
            .key_file()
            .map(|path| (std::fs::read(&path).unwrap(), path));
        workspace.apply(&variables).unwrap().ok().unwrap();
        workspace.plan(&variables).unwrap().no_changes().unwrap();
        // A key file that was created before the kill is the organization's.
        if let Some((created, path)) = key {
            assert_eq!(std::fs::read(path).unwrap(), created, "{step}");
        }
        assert_eq!(version(&workspace, "s"), 1);
        workspace.destroy(&variables).unwrap().ok().unwrap();
    }
}

fn a_creation_that_was_killed_converges(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    let mut other = scene.workspace(SECRETS);
    // The organization exists. Another test covers its first use.
    let mut names = vec!["zeroth".to_owned()];
    let listed = |names: &[String]| serde_json::to_string(names).unwrap();
    let first = listed(&names);
    let variables = [("names", first.as_str()), ("value", "value")];
    workspace.apply(&variables).unwrap().ok().unwrap();

    for step in CREATE {
        names.push(step.to_owned());
        let listed = listed(&names);
        let variables = [("names", listed.as_str()), ("value", "value")];
        apply_killed(&mut workspace, step, &variables);
        let committed = record_of(&scene.records(), step);
        assert_eq!(committed.is_null(), step != "answer", "{step}");
        if step == "answer" {
            resumes_where_it_is_told_to(scene, &mut workspace, &mut other, &variables);
        }
        workspace.apply(&variables).unwrap().ok().unwrap();
        workspace.plan(&variables).unwrap().no_changes().unwrap();
        let created = record_of(&scene.records(), step);
        if step == "answer" {
            assert_eq!(committed["uuid"], created["uuid"]);
            assert_eq!(committed["versions"], created["versions"]);
        }
        assert_eq!(version(&workspace, step), 1, "{step}");
        assert_eq!(attribute(&workspace, step, "id"), created["uuid"], "{step}");
    }
    let adopted = a_killed_adoption(scene, &mut workspace, &names);
    names.push(adopted);

    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    for (name, value) in scene.read(&all) {
        assert_eq!(value, format!("value of {name}"));
    }
    // The versions that were put before the kill and never committed.
    destroy_all(scene, &workspace, 1);
}

/// No run takes over what a killed run committed, neither in its own folder nor in
/// another. Its own folder converges with the line that the error prints.
fn resumes_where_it_is_told_to(
    scene: &Scene,
    workspace: &mut Workspace,
    other: &mut Workspace,
    variables: Variables<'_>,
) {
    let only = ["-target=planton_secret.s[\"answer\"]"];
    let before = record_of(&scene.records(), "answer");
    let refused = workspace.apply(variables).unwrap().error().unwrap();
    let refused = flat(&refused);
    assert!(refused.contains("Secret Already Exists"), "{refused}");
    let elsewhere = other.apply_with(variables, &only).unwrap().error().unwrap();
    assert!(
        flat(&elsewhere).contains("Secret Already Exists"),
        "{elsewhere}"
    );
    other.destroy(variables).unwrap().ok().unwrap();
    assert_eq!(record_of(&scene.records(), "answer"), before);

    workspace.env("PLANTON_RESUME", resumed(&refused));
    let outcome = workspace.apply(variables).unwrap().ok().unwrap();
    workspace.env_remove("PLANTON_RESUME");
    let told = flat(outcome.stdout());
    assert!(told.contains("Interrupted Creation Completed"), "{told}");
}

/// Returns the value of `PLANTON_RESUME` in an error.
pub(crate) fn resumed(told: &str) -> String {
    let (_, rest) = told.split_once("PLANTON_RESUME=").expect("a line to paste");
    rest.split_whitespace().next().unwrap().to_owned()
}

/// A creation that was killed after its commit, and whose arguments change before the
/// next apply. The adoption commits the new arguments, and is killed before and after
/// that commit.
fn a_killed_adoption(scene: &Scene, workspace: &mut Workspace, others: &[String]) -> String {
    let names = serde_json::to_string(&[others, &["adopted".to_owned()]].concat()).unwrap();
    let killed = [("names", names.as_str()), ("value", "value")];
    apply_killed(workspace, "answer", &killed);
    let committed = record_of(&scene.records(), "adopted");
    let only = ["-target=planton_secret.s[\"adopted\"]"];
    let later = [&killed[..], &[("keep", "7")]].concat();
    let told = workspace
        .apply_with(&later, &only)
        .unwrap()
        .error()
        .unwrap();
    workspace.env("PLANTON_RESUME", resumed(&flat(&told)));
    workspace.env("PLANTON_TEST_KILL_BEFORE", ADOPT[0]);
    let outcome = workspace.apply_with(&later, &only).unwrap();
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    assert!(!outcome.success(), "{outcome:?}");
    assert_eq!(record_of(&scene.records(), "adopted"), committed);
    workspace.apply(&later).unwrap().ok().unwrap();
    workspace.env_remove("PLANTON_RESUME");
    workspace.plan(&later).unwrap().no_changes().unwrap();
    let adopted = record_of(&scene.records(), "adopted");
    assert_eq!(adopted["uuid"], committed["uuid"]);
    assert_eq!(adopted["versions"], committed["versions"]);
    assert_eq!(adopted["arguments"]["keep_versions"], 7);
    "adopted".to_owned()
}

fn a_rotation_that_was_killed_keeps_the_old_value_or_has_the_new_one(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    let with = rotated_to;
    workspace.apply(&with("0", "0")).unwrap().ok().unwrap();
    let mut acknowledged = "0".to_owned();

    for (index, step) in ROTATE.into_iter().enumerate() {
        let next = (index + 1).to_string();
        let variables = with(next.as_str(), next.as_str());
        apply_killed(&mut workspace, step, &variables);
        let expected = if step == "answer" {
            &next
        } else {
            &acknowledged
        };
        let value = scene.read(&["s"]).remove("s").unwrap();
        assert_eq!(value, format!("{expected} of s"), "{step}");
        workspace.apply(&variables).unwrap().ok().unwrap();
        workspace.plan(&variables).unwrap().no_changes().unwrap();
        let number = u64::try_from(index).unwrap() + 2;
        assert_eq!(version(&workspace, "s"), number);
        // The previous version is retained, because `keep_versions` covers it.
        let kept = scene.read_version("s", number - 1);
        assert_eq!(kept, format!("{acknowledged} of s"), "{step}");
        acknowledged = next;
    }
    acknowledged = a_rotation_whose_process_ended_before_it_pruned(scene, &mut workspace);
    let value = scene.read(&["s"]).remove("s").unwrap();
    assert_eq!(value, format!("{acknowledged} of s"));

    for step in EDIT {
        let edited = [("description", step)];
        let variables = [&with("not taken", &acknowledged)[..], &edited].concat();
        let before = record_of(&scene.records(), "s");
        apply_killed(&mut workspace, step, &variables);
        assert_eq!(record_of(&scene.records(), "s"), before, "{step}");
        workspace.apply(&variables).unwrap().ok().unwrap();
        workspace.plan(&variables).unwrap().no_changes().unwrap();
        let after = record_of(&scene.records(), "s");
        assert_eq!(after["metadata"]["description"], step);
        assert_eq!(after["versions"], before["versions"], "{step}");
    }
    // One version was put before the kill and never committed. Two were dropped from the
    // record, and the process ended before it responded and before it pruned. No later run
    // removes them. On the other platforms they go with their object.
    let unreferenced = if scene.openbao().is_some() { 3 } else { 0 };
    destroy_all(scene, &workspace, unreferenced);
}

/// Variables of a rotation that keeps two versions.
fn rotated_to<'a>(value: &'a str, trigger: &'a str) -> Vec<(&'a str, &'a str)> {
    let names = ("names", r#"["s"]"#);
    vec![names, ("keep", "2"), ("value", value), ("trigger", trigger)]
}

/// The state has the new version. Only the version beyond `keep_versions` is left, which no
/// record names. Returns the value's number.
fn a_rotation_whose_process_ended_before_it_pruned(
    scene: &Scene,
    workspace: &mut Workspace,
) -> String {
    let (stored, before) = (scene.objects().len(), version(workspace, "s"));
    let next = (ROTATE.len() + 1).to_string();
    let variables = rotated_to(next.as_str(), next.as_str());
    apply_ended_before(workspace, PRUNE, &variables);
    assert_eq!(version(workspace, "s"), before + 1);
    let record = record_of(&scene.records(), "s");
    let kept = record["versions"].as_array().unwrap();
    let numbers: Vec<_> = kept.iter().map(|kept| kept["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(before), Some(before + 1)]);
    assert_eq!(scene.objects().len(), stored + 1);
    workspace.plan(&variables).unwrap().no_changes().unwrap();
    next
}

fn a_deletion_that_was_killed_is_finished(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    let steps = [&DELETE[..], &[FORGET_HISTORY]].concat();
    let from = |index: usize| {
        let names: Vec<_> = steps[index..].iter().map(|step| slug(step)).collect();
        serde_json::to_string(&names).unwrap()
    };
    let all = from(0);
    fn with<'a>(names: &'a str, trigger: &'a str) -> [(&'static str, &'a str); 3] {
        [("names", names), ("value", "value"), ("trigger", trigger)]
    }
    // Two versions each, so a deletion removes more than one.
    for trigger in ["1", "2"] {
        let variables = with(&all, trigger);
        workspace.apply(&variables).unwrap().ok().unwrap();
    }
    for (index, &step) in steps.iter().enumerate() {
        let left = from(index + 1);
        let variables = with(&left, "2");
        if step == FORGET_HISTORY {
            // The state has let go of the secret, and everything but the history is gone.
            apply_ended_before(&mut workspace, step, &variables);
        } else {
            apply_killed(&mut workspace, step, &variables);
            workspace.apply(&variables).unwrap().ok().unwrap();
        }
        workspace.plan(&variables).unwrap().no_changes().unwrap();
        assert!(record_of(&scene.records(), &slug(step)).is_null(), "{step}");
        let objects = scene.objects();
        assert_eq!(
            objects.len(),
            2 * (steps.len() - index - 1),
            "{step}: {objects:?}"
        );
    }
    destroy_all(scene, &workspace, 0);
}

fn a_deletion_that_was_killed_is_finished_before_the_secret_is_created_anew(scene: &Scene) {
    let mut workspace = scene.workspace(SECRETS);
    let with = |value| [("names", r#"["s"]"#), ("value", value)];
    workspace.apply(&with("0")).unwrap().ok().unwrap();
    for step in DELETE {
        let before = attribute(&workspace, "s", "id");
        apply_killed(&mut workspace, step, &[("names", "[]"), ("value", "")]);
        let is_begun = !matches!(step, "delete" | "mark deleting");
        workspace.apply(&with(step)).unwrap().ok().unwrap();
        workspace.plan(&with(step)).unwrap().no_changes().unwrap();
        // A secret whose deletion had not begun keeps its id.
        let is_new = attribute(&workspace, "s", "id") != before;
        assert_eq!(is_new, is_begun, "{step}");
        let value = scene.read(&["s"]).remove("s").unwrap();
        let expected = if is_begun { step } else { "0" };
        assert_eq!(value, format!("{expected} of s"), "{step}");
        assert_eq!(scene.objects().len(), 1, "{step}");
    }
    destroy_all(scene, &workspace, 0);
}

/// Applies, and expects the provider to be killed before `step`.
pub(crate) fn apply_killed(workspace: &mut Workspace, step: &str, variables: Variables<'_>) {
    workspace.env("PLANTON_TEST_KILL_BEFORE", step);
    let outcome = workspace.apply(variables).unwrap();
    workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
    assert!(!outcome.success(), "{step}: {outcome:?}");
    // Terraform's messages for a lost provider. Which one appears is random.
    let died = ["Plugin did not respond", "Request cancelled"];
    let died = died.iter().any(|words| outcome.stderr().contains(words));
    assert!(died, "{step}: {outcome:?}");
}

/// Applies, and expects the provider to end before `step`, which follows the response: the
/// provider reaches the step, is held there, and ends when its time is over. The apply succeeds,
/// and the log has a warning.
pub(crate) fn apply_ended_before(workspace: &mut Workspace, step: &str, variables: Variables<'_>) {
    workspace.env("TF_LOG_PROVIDER", "WARN");
    let outcome = Held::before(step, workspace, variables).ended();
    workspace.env_remove("TF_LOG_PROVIDER");
    let outcome = outcome.ok().unwrap();
    let told = "the process ends before all removals";
    assert!(outcome.stderr().contains(told), "{step}: {outcome:?}");
}

/// Destroys everything. Only tombstones and unreferenced sealed versions remain.
fn destroy_all(scene: &Scene, workspace: &Workspace, unreferenced: usize) {
    let variables = [("names", "[]"), ("value", "")];
    workspace.destroy(&variables).unwrap().ok().unwrap();
    assert_tombstones(&scene.records());
    let objects = scene.objects();
    assert_eq!(objects.len(), unreferenced, "{objects:?}");
}

fn version(workspace: &Workspace, name: &str) -> u64 {
    attribute(workspace, name, "version").as_u64().unwrap()
}

fn attribute(workspace: &Workspace, name: &str, attribute: &str) -> Value {
    let address = format!("planton_secret.s[\"{name}\"]");
    workspace.resource(&address).unwrap().unwrap()[attribute].take()
}

pub(crate) fn slug(step: &str) -> String {
    step.replace(' ', "-")
}
