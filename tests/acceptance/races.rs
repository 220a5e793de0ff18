//! Tests two concurrent runs on one secret. Exactly one commits, the other gets a
//! conflict, and no acknowledged write is lost. One run is paused at a step, which makes
//! the race deterministic.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process_group};
use tempfile::TempDir;
use xtask::process::Running;
use xtask::terraform::{Outcome, Variables, Workspace, WorkspaceRun};

use crate::scene::{Scene, assert_tombstones, on_each_platform, record_of};

const SECRET: &str = r#"
variable "value" {
  type      = string
  ephemeral = true
}
variable "trigger" { default = "1" }

resource "planton_secret" "s" {
  name             = "contested"
  value_wo         = var.value
  value_wo_version = var.trigger
}
"#;

const BOUND: Duration = Duration::from_secs(90);

on_each_platform!(
    of_two_rotations_one_wins_and_the_other_is_told,
    of_two_creations_one_wins_and_the_other_is_told,
    a_loser_that_is_killed_before_it_takes_back_harms_nobody,
    a_rotation_that_meets_a_deletion_writes_nothing,
    a_deletion_that_meets_a_rotation_deletes_nothing_that_it_has_not_seen,
);

fn of_two_rotations_one_wins_and_the_other_is_told(scene: &Scene) {
    let mut first = created(scene);
    let mut versions = 1;
    // Held before it reads the record, before it puts, and before it commits.
    for step in ["update", "wrap", "put", "commit"] {
        let second = twin(scene, &first);
        let loser = [("value", "loser's"), ("trigger", &*format!("loser {step}"))];
        let winner = [("value", step), ("trigger", &*format!("winner {step}"))];
        let held = Held::before(step, &mut first, &loser);
        second.apply(&winner).unwrap().ok().unwrap();
        versions += 1;
        let told = held.release().error().unwrap();
        assert!(told.contains("Secret Changed Concurrently"), "{told}");
        assert!(!told.contains("loser's"), "{told}");

        let record = record_of(&scene.records(), "contested");
        let known = record["versions"].as_array().unwrap();
        assert_eq!(known.len(), versions, "{step}");
        assert_eq!(scene.objects().len(), versions, "{step}");
        assert_eq!(scene.read(&["contested"])["contested"], step);

        // Its own value becomes the version after the winner's, which stays readable.
        first.apply(&loser).unwrap().ok().unwrap();
        first.plan(&loser).unwrap().no_changes().unwrap();
        let kept = u64::try_from(versions).unwrap();
        assert_eq!(scene.read_version("contested", kept), step);
        versions += 1;
        assert_eq!(scene.read(&["contested"])["contested"], "loser's");
    }
    first.destroy(&[("value", "")]).unwrap().ok().unwrap();
    assert_tombstones(&scene.records());
    assert_eq!(scene.objects(), Vec::<String>::new());
}

fn of_two_creations_one_wins_and_the_other_is_told(scene: &Scene) {
    // The organization exists. Another test covers its first use.
    let other = scene.workspace(&SECRET.replace("contested", "other"));
    other.apply(&[("value", "any")]).unwrap().ok().unwrap();
    // Held before it reads the record, before it puts, and with the value in the backend.
    for step in ["create", "wrap", "put", "commit"] {
        let (mut first, second) = (scene.workspace(SECRET), scene.workspace(SECRET));
        let loser = [("value", "loser's")];
        let held = Held::before(step, &mut first, &loser);
        second.apply(&[("value", step)]).unwrap().ok().unwrap();
        // The secret belongs to another state, and the error says how to take it over.
        let told = held.release().error().unwrap();
        assert!(told.contains("Secret Already Exists"), "{told}");
        assert!(told.contains("import {"), "{told}");
        assert_eq!(scene.read(&["contested"])["contested"], step);
        assert_eq!(scene.objects().len(), 2, "{step}");
        second
            .plan(&[("value", step)])
            .unwrap()
            .no_changes()
            .unwrap();
        second.destroy(&[("value", "")]).unwrap().ok().unwrap();
        // The name is free, so the loser can create it.
        first.apply(&loser).unwrap().ok().unwrap();
        assert_eq!(scene.read(&["contested"])["contested"], "loser's");
        first.destroy(&[("value", "")]).unwrap().ok().unwrap();
        assert_eq!(scene.objects().len(), 1, "{step}");
    }
}

fn a_loser_that_is_killed_before_it_takes_back_harms_nobody(scene: &Scene) {
    let (mut first, second) = (scene.workspace(SECRET), scene.workspace(SECRET));
    first.env("PLANTON_TEST_KILL_BEFORE", "delete orphan");
    let held = Held::before("commit", &mut first, &[("value", "loser's")]);
    first.env_remove("PLANTON_TEST_KILL_BEFORE");
    let winner = [("value", "winner's")];
    second.apply(&winner).unwrap().ok().unwrap();
    assert!(!held.release().success());
    assert_eq!(scene.read(&["contested"])["contested"], "winner's");
    second.plan(&winner).unwrap().no_changes().unwrap();
    second.destroy(&winner).unwrap().ok().unwrap();
    // The loser's versions, which no record names.
    assert_tombstones(&scene.records());
    assert_eq!(scene.objects().len(), 1);
}

fn a_rotation_that_meets_a_deletion_writes_nothing(scene: &Scene) {
    for step in ["wrap", "commit"] {
        let mut first = created(scene);
        let second = twin(scene, &first);
        let rotation = [("value", "rotated"), ("trigger", "2")];
        let held = Held::before(step, &mut first, &rotation);
        second.destroy(&[("value", "")]).unwrap().ok().unwrap();
        let told = held.release().error().unwrap();
        assert!(told.contains("Secret Changed Concurrently"), "{told}");
        assert_tombstones(&scene.records());
        assert_eq!(scene.objects(), Vec::<String>::new(), "{step}");

        // It is gone, so the loser's next apply creates it.
        first.apply(&rotation).unwrap().ok().unwrap();
        first.plan(&rotation).unwrap().no_changes().unwrap();
        assert_eq!(scene.read(&["contested"])["contested"], "rotated");
        first.destroy(&[("value", "")]).unwrap().ok().unwrap();
    }
}

fn a_deletion_that_meets_a_rotation_deletes_nothing_that_it_has_not_seen(scene: &Scene) {
    // The rotation commits first. The deletion has read an older record.
    let mut first = created(scene);
    let second = twin(scene, &first);
    let rotation = [("value", "rotated"), ("trigger", "2")];
    let held = Held::destroying("mark deleting", &mut first);
    second.apply(&rotation).unwrap().ok().unwrap();
    let told = held.release().error().unwrap();
    assert!(told.contains("Secret Changed Concurrently"), "{told}");
    assert_eq!(scene.read(&["contested"])["contested"], "rotated");
    second.plan(&rotation).unwrap().no_changes().unwrap();

    // The deletion commits first. The rotation gets a conflict, and the deletion
    // continues.
    let held = Held::destroying("delete object", &mut first);
    let later = [("value", "too late"), ("trigger", "3")];
    let told = second
        .apply_with(&later, &["-refresh=false"])
        .unwrap()
        .error()
        .unwrap();
    assert!(told.contains("Secret Changed Concurrently"), "{told}");
    held.release().ok().unwrap();
    assert_tombstones(&scene.records());
    assert_eq!(scene.objects(), Vec::<String>::new());
    second.apply(&later).unwrap().ok().unwrap();
    assert_eq!(scene.read(&["contested"])["contested"], "too late");
    second.destroy(&[("value", "")]).unwrap().ok().unwrap();
}

/// Returns a workspace that has created the secret.
fn created(scene: &Scene) -> Workspace {
    let workspace = scene.workspace(SECRET);
    workspace.apply(&[("value", "0")]).unwrap().ok().unwrap();
    workspace
}

/// Returns a workspace with a copy of this one's state.
fn twin(scene: &Scene, of: &Workspace) -> Workspace {
    let workspace = scene.workspace(SECRET);
    let state = "terraform.tfstate";
    std::fs::copy(of.path().join(state), workspace.path().join(state)).unwrap();
    workspace
}

/// A run of Terraform whose provider is paused at a step.
///
/// It waits at two named pipes. Opening one blocks until the other end opens, so the test
/// needs no timer.
pub(crate) struct Held {
    run: WorkspaceRun,
    pipes: TempDir,
    reader: Option<File>,
}

impl Held {
    /// Applies, and returns when the provider has stopped before `step`.
    pub(crate) fn before(step: &str, workspace: &mut Workspace, variables: Variables<'_>) -> Self {
        let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
        Self::run(step, workspace, &arguments, variables)
    }

    fn destroying(step: &str, workspace: &mut Workspace) -> Self {
        let arguments = ["destroy", "-auto-approve", "-no-color", "-input=false"];
        Self::run(step, workspace, &arguments, &[("value", "")])
    }

    /// Runs `arguments`, and returns when the provider has stopped before `step`.
    pub(crate) fn run(
        step: &str,
        workspace: &mut Workspace,
        arguments: &[&str],
        variables: Variables<'_>,
    ) -> Self {
        let pipes = TempDir::new().unwrap();
        let path = |end: &str| pipes.path().join(format!("pipe.{end}"));
        let mut make = Command::new("mkfifo");
        make.args([path("reached"), path("go")]);
        assert!(make.status().unwrap().success());
        let pause = format!("{step}:{}", pipes.path().join("pipe").display());
        workspace.env("PLANTON_TEST_PAUSE_BEFORE", pause);
        let run = workspace.spawn(arguments, variables).unwrap();
        workspace.env_remove("PLANTON_TEST_PAUSE_BEFORE");
        let mut held = Self {
            run,
            pipes,
            reader: None,
        };
        let reached = held.pipe("reached");
        let opening = reached.clone();
        let is_reached = in_time(move || File::open(opening).unwrap());
        assert!(
            is_reached.is_some(),
            "{step} was not reached: {:?}",
            held.run.wait()
        );
        // Stays open for operations that already wait at the pipe. Later ones do not
        // wait.
        held.reader = is_reached;
        std::fs::remove_file(reached).unwrap();
        held
    }

    /// Returns the run.
    pub(crate) fn running(&self) -> &Running {
        &self.run.running
    }

    /// Kills Terraform and its provider, and returns when both have ended. No request
    /// takes effect afterwards.
    pub(crate) fn kill(self) {
        let group = Pid::from_raw(self.group().cast_signed()).unwrap();
        self.run.running.signal(Signal::KILL).unwrap();
        assert!(!self.run.wait().unwrap().success());
        let deadline = Instant::now() + BOUND;
        // Terraform's end does not imply the provider's, which is not a child of this
        // process.
        while test_kill_process_group(group).is_ok() {
            assert!(Instant::now() < deadline, "the provider lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the id of the run's process group.
    pub(crate) fn group(&self) -> u32 {
        self.run.running.pid()
    }

    /// Releases the provider, and waits for the end.
    pub(crate) fn release(self) -> Outcome {
        let go = self.pipe("go");
        let released = in_time(move || File::options().write(true).open(go).unwrap());
        assert!(released.is_some(), "nobody waits any more");
        // Stays open until the end: another operation of the run may reach the pipe only
        // now, and would wait forever.
        let outcome = self.run.wait().unwrap();
        drop((released, self.reader));
        outcome
    }

    /// Waits for the end, and never releases the provider.
    pub(crate) fn ended(self) -> Outcome {
        self.run.wait().unwrap()
    }

    /// Interrupts Terraform, waits until it has notified the provider, releases the
    /// provider, and waits for the end. The workspace must log to stderr.
    pub(crate) fn interrupt(self) -> Outcome {
        let running = &self.run.running;
        running.signal(Signal::INT).unwrap();
        running
            .await_output("stopped on request of the host", BOUND)
            .unwrap();
        self.release()
    }

    fn pipe(&self, end: &str) -> PathBuf {
        self.pipes.path().join(format!("pipe.{end}"))
    }
}

/// Runs `what` in a thread. Returns `None` on a timeout.
pub(crate) fn in_time<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(what());
    });
    receiver.recv_timeout(BOUND).ok()
}
