//! Two runs at once on one secret: exactly one wins, the other is told so, and
//! nothing is lost. One of the two is held at a step, so that the race is
//! certain and not a matter of luck.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process_group};
use tempfile::TempDir;
use xtask::process::Running;
use xtask::terraform::{Outcome, Variables, Workspace, WorkspaceRun};

use crate::scene::{On, Scene, assert_tombstones, record_of, terraform_1_11};

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

macro_rules! on_both_platforms {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;

            #[test]
            fn embedded() {
                super::$name(&Scene::new(&terraform_1_11(), On::Embedded));
            }

            #[test]
            fn openbao() {
                super::$name(&Scene::new(&terraform_1_11(), On::OpenBao));
            }
        }
    )+};
}

on_both_platforms!(
    of_two_rotations_one_wins_and_the_other_is_told,
    of_two_creations_one_wins_and_the_other_is_told,
    a_loser_that_is_killed_before_it_takes_back_harms_nobody,
    a_rotation_that_meets_a_deletion_writes_nothing,
    a_deletion_that_meets_a_rotation_deletes_nothing_that_it_has_not_seen,
);

fn of_two_rotations_one_wins_and_the_other_is_told(scene: &Scene) {
    let mut first = created(scene);
    let mut versions = 1;
    // Before it reads the record, before it puts, and before it commits.
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

        // Its own value comes on top of the winner's, which stays readable.
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
    // The organization is there already: its first use is another race.
    let other = scene.workspace(&SECRET.replace("contested", "other"));
    other.apply(&[("value", "any")]).unwrap().ok().unwrap();
    // Before it reads the record, before it puts, and with the value in the backend.
    for step in ["create", "wrap", "put", "commit"] {
        let (mut first, second) = (scene.workspace(SECRET), scene.workspace(SECRET));
        let loser = [("value", "loser's")];
        let held = Held::before(step, &mut first, &loser);
        second.apply(&[("value", step)]).unwrap().ok().unwrap();
        // It is not ours, and the way to take it is told.
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
        // The name is free, and the loser gets it.
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
    // What the loser put, and no record ever named.
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

        // It is gone: the next apply of the loser creates it.
        first.apply(&rotation).unwrap().ok().unwrap();
        first.plan(&rotation).unwrap().no_changes().unwrap();
        assert_eq!(scene.read(&["contested"])["contested"], "rotated");
        first.destroy(&[("value", "")]).unwrap().ok().unwrap();
    }
}

fn a_deletion_that_meets_a_rotation_deletes_nothing_that_it_has_not_seen(scene: &Scene) {
    // The rotation comes first: the deletion has read an older record.
    let mut first = created(scene);
    let second = twin(scene, &first);
    let rotation = [("value", "rotated"), ("trigger", "2")];
    let held = Held::destroying("mark deleting", &mut first);
    second.apply(&rotation).unwrap().ok().unwrap();
    let told = held.release().error().unwrap();
    assert!(told.contains("Secret Changed Concurrently"), "{told}");
    assert_eq!(scene.read(&["contested"])["contested"], "rotated");
    second.plan(&rotation).unwrap().no_changes().unwrap();

    // The deletion comes first: the rotation is refused, the deletion goes on.
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

/// A run of Terraform whose provider waits at a step.
///
/// It waits at two named pipes, whose opening waits for the other end: nobody
/// has to guess how long anything takes.
pub(crate) struct Held {
    run: WorkspaceRun,
    pipes: TempDir,
    reader: Option<File>,
}

impl Held {
    /// Applies, and returns once the provider stands before `step`.
    pub(crate) fn before(step: &str, workspace: &mut Workspace, variables: Variables<'_>) -> Self {
        let arguments = ["apply", "-auto-approve", "-no-color", "-input=false"];
        Self::run(step, workspace, &arguments, variables)
    }

    fn destroying(step: &str, workspace: &mut Workspace) -> Self {
        let arguments = ["destroy", "-auto-approve", "-no-color", "-input=false"];
        Self::run(step, workspace, &arguments, &[("value", "")])
    }

    /// Runs `arguments`, and returns once the provider stands before `step`.
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
        // Open until the end, for who stands at the pipe already; whoever comes
        // by later is not held.
        held.reader = is_reached;
        std::fs::remove_file(reached).unwrap();
        held
    }

    /// Returns the run.
    pub(crate) fn running(&self) -> &Running {
        &self.run.running
    }

    /// Kills Terraform and its provider, and returns once both are gone: what has not
    /// landed by then never will.
    pub(crate) fn kill(self) {
        let group = Pid::from_raw(self.group().cast_signed()).unwrap();
        self.run.running.signal(Signal::KILL).unwrap();
        assert!(!self.run.wait().unwrap().success());
        let deadline = Instant::now() + BOUND;
        // Terraform's own end tells nothing of the provider's, which is nobody's child
        // here.
        while test_kill_process_group(group).is_ok() {
            assert!(Instant::now() < deadline, "the provider lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the id of the run's process group.
    pub(crate) fn group(&self) -> u32 {
        self.run.running.pid()
    }

    /// Lets go, and waits for the end.
    pub(crate) fn release(self) -> Outcome {
        let go = self.pipe("go");
        let released = in_time(move || File::options().write(true).open(go).unwrap());
        assert!(released.is_some(), "nobody waits any more");
        // Open until the end: another operation of the run may come to the pipe
        // only now, and would wait for ever.
        let outcome = self.run.wait().unwrap();
        drop((released, self.reader));
        outcome
    }

    /// Interrupts Terraform, waits until it has told the provider so, lets go,
    /// and waits for the end. Its workspace logs to stderr.
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

/// Runs `what` in a thread; `None` when it takes too long.
pub(crate) fn in_time<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(what());
    });
    receiver.recv_timeout(BOUND).ok()
}
