//! Kills a run in the middle of many creations, as in the guide on interrupted applies.
//! Its own folder converges with the printed line, and another folder gets none of its
//! secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use xtask::terraform::Workspace;

use super::http_state::HttpState;
use crate::crash::{apply_killed, resumed};
use crate::races::Held;
use crate::scene::{On, Scene, record_of, terraform_1_11, terraform_1_15};
use crate::steps::{Steps, flat, has, kill_emptied_state, text};

/// The number of secrets that the killed run may create, and of those that wait at a
/// gate.
const EARLY: usize = 30;
const LATE: usize = 10;

const SECRETS: &str = r#"
variable "names" { type = set(string) }
variable "gate" { default = "true" }
locals { late = toset([for name in var.names : name if startswith(name, "late")]) }
resource "planton_secret" "s" {
  for_each = setsubtract(var.names, local.late)
  name     = each.key
  generate = { length = 24 }
}
resource "terraform_data" "gate" {
  count = length(local.late) > 0 ? 1 : 0
  provisioner "local-exec" { command = var.gate }
}
resource "planton_secret" "late" {
  for_each   = local.late
  name       = each.key
  generate   = { length = 24 }
  depends_on = [terraform_data.gate]
}
"#;

fn names() -> BTreeSet<String> {
    let early = (1..=EARLY).map(|number| format!("s{number:02}"));
    early
        .chain((1..=LATE).map(|number| format!("late{number:02}")))
        .collect()
}

fn listed(names: &BTreeSet<String>) -> String {
    serde_json::to_string(names).unwrap()
}

/// Applies until some creations are complete, and one is committed without a response. It
/// then kills Terraform and the provider.
fn kill_in_the_middle(workspace: &mut Workspace) {
    let all = listed(&names());
    let variables = [("names", all.as_str()), ("gate", "sleep 600")];
    let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
    let held = Held::run("answer", workspace, &arguments, &variables);
    let run = held.running();
    run.await_output("]: Creation complete", Duration::from_secs(90))
        .unwrap();
    held.kill();
}

fn committed(scene: &Scene) -> BTreeSet<String> {
    let records = scene.records();
    let is_committed = |name: &String| !record_of(&records, name).is_null();
    names().into_iter().filter(is_committed).collect()
}

fn run_of(records: &BTreeMap<String, Value>, name: &str) -> String {
    text(&record_of(records, name)["owner"]["stamp"], "run")
}

/// Returns the number of errors, which must all report an existing secret.
#[track_caller]
fn refusals(told: &str) -> usize {
    let errors = told.matches("Error: ").count();
    let existing = told.matches("Error: Secret Already Exists").count();
    assert_eq!(existing, errors, "{told}");
    existing
}

/// Continues after the kill. `in_state` has the secrets in the first folder's state.
fn goes_on(scene: &Scene, first: &mut Workspace, in_state: &BTreeSet<String>) {
    let all = listed(&names());
    let variables = [("names", all.as_str())];
    let committed = committed(scene);
    assert!(in_state.is_subset(&committed), "{in_state:?}");
    let lost: BTreeSet<String> = committed.difference(in_state).cloned().collect();
    assert!(
        !lost.is_empty() && committed.len() <= EARLY,
        "{committed:?}"
    );
    let before = scene.records();

    // Another folder gets an error for each, and its destroy destroys nothing.
    let mut second = scene.workspace(SECRETS);
    let theirs = listed(&committed);
    let told = second
        .apply(&[("names", &theirs)])
        .unwrap()
        .error()
        .unwrap();
    assert_eq!(refusals(&told), committed.len());
    has(
        &flat(&told),
        &["label \"https://ci.example.com/jobs/4711\""],
    );
    // The errors are long for one secret of each run, with the line, and short for the
    // others.
    let runs = committed.iter().map(|name| run_of(&before, name));
    let runs = runs.collect::<BTreeSet<_>>().len();
    assert_eq!(told.matches("PLANTON_RESUME=").count(), runs, "{told}");
    let lines = told.lines().count();
    assert!(lines <= 20 * runs + 13 * committed.len(), "{lines}: {told}");
    second.destroyed(&[("names", "[]")]);
    assert_eq!(scene.records(), before);

    // Its own folder creates the rest, and gets an error for each secret that its state
    // lacks.
    let told = first.fails(&variables);
    assert_eq!(refusals(&told), lost.len());
    let line = resumed(&told);
    let records = scene.records();
    for name in &committed {
        assert_eq!(record_of(&records, name), record_of(&before, name));
    }

    first.env("PLANTON_RESUME", &line);
    let resumed = first.settled(&variables);
    first.env_remove("PLANTON_RESUME");
    has(
        &flat(resumed.stdout()),
        &["Interrupted Creation Completed", "0 changed, 0 destroyed"],
    );
    first.unchanged(&variables);
    let records = scene.records();
    for name in &lost {
        let (now, before) = (record_of(&records, name), record_of(&before, name));
        assert_eq!(now["uuid"], before["uuid"], "{name}");
        assert_eq!(now["versions"], before["versions"], "{name}");
        assert_ne!(now["owner"], before["owner"], "{name}");
    }
    // Nothing is left for another folder to resume.
    second.env("PLANTON_RESUME", &line);
    let told = second.fails(&[("names", listed(&lost).as_str())]);
    assert_eq!(refusals(&told), lost.len());
    second.destroyed(&[("names", "[]")]);
    assert_eq!(scene.records(), records);
    first.destroyed(&variables);
    // Killed between a put and its commit: sealed, and named by no record.
    assert!(scene.objects().len() <= 10, "{:?}", scene.objects());
}

/// Terraform truncates local state before it writes it. A kill in between loses the
/// state. That is another case, so the test starts again.
/// <https://github.com/hashicorp/terraform/blob/main/internal/states/statemgr/filesystem.go>
const KILLS_TRIED: usize = 5;

#[test]
fn acc_run_killed_in_the_middle_is_resumed_by_its_own_folder_alone_with_local_state() {
    let applied: BTreeSet<String> = (1..=5).map(|number| format!("s{number:02}")).collect();
    let killed = || {
        let scene = Scene::new(&terraform_1_11(), On::Embedded);
        let mut first = scene.workspace(SECRETS);
        first.applied(&[("names", listed(&applied).as_str())]);
        first.env("PLANTON_RUN_LABEL", "https://ci.example.com/jobs/4711");
        kill_in_the_middle(&mut first);
        (!kill_emptied_state(&first)).then_some((scene, first))
    };
    let found = (0..KILLS_TRIED).find_map(|_| killed());
    let (scene, mut first) = found.expect("a kill that left the state whole");
    let is_in_state = |name: &String| {
        let address = format!("planton_secret.s[\"{name}\"]");
        first.attributes(&address).is_some()
    };
    let in_state: BTreeSet<String> = names().into_iter().filter(is_in_state).collect();
    assert!(applied.is_subset(&in_state), "{in_state:?}");
    goes_on(&scene, &mut first, &in_state);
}

/// Terraform has not written remote state yet. It does so after 20 seconds.
/// <https://github.com/hashicorp/terraform/blob/main/internal/backend/local/hook_state.go>
#[test]
fn acc_run_killed_in_the_middle_is_resumed_by_its_own_folder_alone_with_remote_state() {
    let scene = Scene::new(&terraform_1_15(), On::Embedded);
    let server = HttpState::start();
    let mut first = scene.workspace("");
    // Runs before the configuration names the provider, because nothing can be installed
    // here.
    std::fs::remove_file(first.path().join("provider.tf")).unwrap();
    first.write("backend.tf", &server.block()).unwrap();
    let init = ["init", "-no-color", "-input=false"];
    first.run(&init).unwrap().ok().unwrap();
    first.write("provider.tf", &scene.provider("")).unwrap();
    first.write("main.tf", SECRETS).unwrap();
    first.env("PLANTON_RUN_LABEL", "https://ci.example.com/jobs/4711");
    kill_in_the_middle(&mut first);
    assert_eq!(server.state(), None);
    goes_on(&scene, &mut first, &BTreeSet::new());
    assert!(server.state().is_some());
}

/// A value from an ephemeral source differs in each run.
#[test]
fn acc_fresh_ephemeral_value_converges_when_its_killed_creation_is_resumed() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let mut workspace = scene.workspace(
        "variable \"fresh\" {\n  type = string\n  ephemeral = true\n}\n\
         resource \"planton_secret\" \"s\" {\n  name = \"s\"\n  value_wo = var.fresh\n  \
         value_wo_version = \"1\"\n}\n",
    );
    apply_killed(&mut workspace, "answer", &[("fresh", "of the killed run")]);
    let uuid = text(&record_of(&scene.records(), "s"), "uuid");
    let told = workspace.fails(&[("fresh", "of the second run")]);
    assert!(!told.contains("of the killed run"), "{told}");
    assert_eq!(scene.open(&uuid).text.unwrap(), "of the killed run");
    workspace.env("PLANTON_RESUME", resumed(&told));
    workspace.applied(&[("fresh", "of the third run")]);
    workspace.env_remove("PLANTON_RESUME");
    workspace.unchanged(&[("fresh", "of the fourth run")]);
    let secret = workspace.secret("s");
    assert_eq!((text(&secret, "id"), &secret["version"]), (uuid, &2.into()));
    let opened = scene.open(&text(&secret, "id"));
    assert_eq!(opened.text.unwrap(), "of the third run");
}
