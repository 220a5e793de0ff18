//! Pauses creations at each of their steps while their backend is deleted, and pauses the
//! deletion at each of its steps. `operations/tests/backends/pairs.rs` tries every order
//! of two processes. This test shows the same for runs of Terraform.

use std::fs::File;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use xtask::terraform::{Outcome, Workspace, WorkspaceRun};

use super::Place;
use super::configuration::{VARIABLES, plain_backend, secret};
use crate::crash::{PUT_BACK, apply_killed, resumed};
use crate::races::{Held, in_time};
use crate::scene::{On, Scene, record_of, terraform_1_11};
use crate::steps::{Steps, flat, has};

/// The steps of a creation between its entry and its commit. One secret pauses at each.
const CREATION: [&str; 4] = ["entry", "look at backend", "put", "commit"];
/// The steps of a deletion, including the last.
const DELETION: [&str; 6] = [
    "list entries",
    MARK,
    "raise document",
    "clean up",
    "backend tombstone",
    "delete unnamed entry",
];
const MARK: &str = "mark backend deleting";

/// A run whose provider pauses at several steps, with one operation at each.
struct HeldAtEach {
    run: WorkspaceRun,
    pipes: TempDir,
    reached: Vec<File>,
}

impl HeldAtEach {
    fn before(steps: &[&str], workspace: &mut Workspace) -> Self {
        let pipes = TempDir::new().unwrap();
        let path = |index: usize| pipes.path().join(format!("pipe-{index}"));
        let mut asked = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let path = path(index).display().to_string();
            let mut make = Command::new("mkfifo");
            make.args([format!("{path}.reached"), format!("{path}.go")]);
            assert!(make.status().unwrap().success());
            asked.push(format!("{step}:{path}"));
        }
        workspace.env("PLANTON_TEST_PAUSE_ONE_BEFORE", asked.join(";"));
        let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
        let run = workspace.spawn(&arguments, &[]).unwrap();
        workspace.env_remove("PLANTON_TEST_PAUSE_ONE_BEFORE");
        let reached = steps.iter().enumerate().map(|(index, step)| {
            let reached = path(index).with_extension("reached");
            let reached = in_time(move || File::open(reached).unwrap());
            reached.unwrap_or_else(|| panic!("{step} was not reached"))
        });
        let reached = reached.collect();
        Self {
            run,
            pipes,
            reached,
        }
    }

    fn release(self) -> Outcome {
        let mut released = Vec::new();
        for index in 0..self.reached.len() {
            let go = self.pipes.path().join(format!("pipe-{index}.go"));
            let opened = in_time(move || File::options().write(true).open(go).unwrap());
            released.push(opened.expect("somebody waits there"));
        }
        self.run.wait().unwrap()
    }
}

#[test]
fn acc_backend_is_deleted_at_each_step_while_creations_are_held_at_each_of_theirs() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let place = Place::openbao();
    let variables = [("backend_secret", place.secret.as_str())];
    let (mut owner, mut creator) = (place.workspace(&scene), place.workspace(&scene));
    let destroy = ["destroy", "-auto-approve", "-no-color", "-input=false"];
    let (mut committed, mut gone) = (0, 0);
    for (round, step) in DELETION.into_iter().enumerate() {
        let named = format!("b{round}");
        let declared = format!("{VARIABLES}{}", plain_backend(&place, &named));
        owner.write("main.tf", &declared).unwrap();
        for workspace in [&owner, &creator] {
            let state = workspace.path().join("terraform.tfstate");
            std::fs::remove_file(state).unwrap_or_default();
        }
        owner.applied(&variables);
        let names: Vec<_> = (0..CREATION.len())
            .map(|n| format!("s{round}-{n}"))
            .collect();
        let on = format!("backend = \"{named}\"");
        let secrets: String = names.iter().map(|name| secret(name, &on)).collect();
        creator
            .write("main.tf", &format!("{VARIABLES}{secrets}"))
            .unwrap();

        let creating = HeldAtEach::before(&CREATION, &mut creator);
        if step == MARK {
            owner.env("PLANTON_TEST_KILL_BEFORE", "take mark back");
        }
        let deleting = Held::run(step, &mut owner, &destroy, &variables);
        owner.env_remove("PLANTON_TEST_KILL_BEFORE");
        let created = creating.release();
        let deleted = deleting.release();

        let told = flat(created.stderr());
        assert!(!told.contains("Provider produced"), "{step}: {told}");
        let acknowledged = names.iter().filter(|name| {
            let address = format!("planton_secret.{name}");
            creator.attributes(&address).is_some()
        });
        let acknowledged: Vec<_> = acknowledged.collect();
        assert_eq!(
            created.success(),
            acknowledged.len() == names.len(),
            "{told}"
        );
        let failures = told.matches("Error: Secret Backend").count();
        assert_eq!(failures, names.len() - acknowledged.len(), "{step}: {told}");
        let is_gone = record(&scene, &named).is_null();
        assert_eq!(deleted.success(), is_gone, "{step}: {deleted:?}");
        assert!(!is_gone || acknowledged.is_empty(), "{step}: {told}");
        if step == MARK {
            // The killed deletion leaves the mark, and the next apply puts the backend
            // back into use.
            assert_eq!(record(&scene, &named)["state"], "deleting");
            owner.settled(&variables);
        }
        if !is_gone {
            assert_eq!(record(&scene, &named)["state"], "ready", "{step}");
        }
        let records = scene.records();
        for name in &names {
            let is_acknowledged = acknowledged.contains(&name);
            let record = record_of(&records, name);
            assert_eq!(record.is_null(), !is_acknowledged, "{step}: {name}");
            let objects = place.objects();
            let mut objects = objects.iter().map(|object| &object.name);
            let is_there = objects.any(|object| object.contains(name.as_str()));
            assert_eq!(is_there, is_acknowledged, "{step}: {name}");
        }
        committed += acknowledged.len();
        gone += usize::from(is_gone);
    }
    // Before the mark, each creation commits. After it, those do that read the record
    // earlier.
    assert!(
        committed >= 2 * CREATION.len() && gone >= 2,
        "{committed}, {gone}"
    );
}

/// `terraform test` adopts a secret and destroys it in one run, so the secret goes back
/// to its former owner. The first test run is killed before that.
#[test]
fn acc_secret_that_a_test_run_resumed_is_given_back() {
    let scene = Scene::new(&terraform_1_11(), On::Embedded);
    let declared = format!("{VARIABLES}{}", secret("db", ""));
    let mut first = scene.workspace(&declared);
    apply_killed(&mut first, "answer", &[]);
    let owner = |scene: &Scene| record_of(&scene.records(), "db")["owner"].clone();
    let committed = owner(&scene);
    let told = first.fails(&[]);
    first
        .write("db.tftest.hcl", "run \"applies\" {\n  command = apply\n}\n")
        .unwrap();
    // A test requires a value for every ephemeral variable, even with a default.
    let all = [("value", "first value"), ("backend_secret", "unused")];
    first.env("PLANTON_RESUME", resumed(&told));
    first.env("PLANTON_TEST_KILL_BEFORE", PUT_BACK[0]);
    let killed = first.run_with(&["test", "-no-color"], &all).unwrap();
    assert!(!killed.success(), "{killed:?}");
    let adopted = owner(&scene);
    assert_ne!(adopted["stamp"], committed["stamp"], "{killed:?}");

    first.env_remove("PLANTON_TEST_KILL_BEFORE");
    let told = first.fails(&[]);
    first.env("PLANTON_RESUME", resumed(&told));
    let tested = first.run_with(&["test", "-no-color"], &all).unwrap();
    has(
        &flat(tested.ok().unwrap().stdout()),
        &["1 passed, 0 failed"],
    );
    assert_eq!(owner(&scene)["stamp"], adopted["stamp"]);
    assert_eq!(scene.read(&["db"])["db"], "first value");
}

/// Returns a backend's record, or null if it is absent.
fn record(scene: &Scene, name: &str) -> Value {
    let records = scene.records();
    let document = records.get(&format!("backends/{name}"));
    document.map_or(Value::Null, |document| document["backend"].clone())
}
