//! Kills runs of Terraform.

use std::fs::File;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::steps::Kill;
use crate::process::{self, Signal};
use crate::terraform::{Outcome, Workspace};

/// The interval between checks of a run that may end before it reaches the step.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `arguments`, and kills the run at the requested step. A run that does not
/// reach the step continues to its end.
pub(crate) fn run(
    workspace: &mut Workspace,
    arguments: &[&str],
    kill: Option<&Kill>,
) -> Result<Outcome> {
    match kill {
        None => workspace.run(arguments),
        Some(Kill::Provider(step)) => {
            workspace.env("PLANTON_TEST_KILL_BEFORE", step);
            let outcome = workspace.run(arguments);
            workspace.env_remove("PLANTON_TEST_KILL_BEFORE");
            outcome
        }
        Some(Kill::Both(step)) => kill_both(workspace, arguments, step),
    }
}

/// Holds the provider before `step`, and kills it together with Terraform.
fn kill_both(workspace: &mut Workspace, arguments: &[&str], step: &str) -> Result<Outcome> {
    let pipes = tempfile::tempdir().context("a folder for pipes")?;
    let reached = pipes.path().join("pipe.reached");
    let mut make = std::process::Command::new("mkfifo");
    make.args([reached.clone(), pipes.path().join("pipe.go")]);
    process::run(&mut make, Duration::from_secs(60))?.ok()?;
    let pause = format!("{step}:{}", pipes.path().join("pipe").display());
    workspace.env("PLANTON_TEST_PAUSE_BEFORE", pause);
    let run = workspace.spawn(arguments, &[]);
    workspace.env_remove("PLANTON_TEST_PAUSE_BEFORE");
    let run = run?;

    let (sender, receiver) = mpsc::channel();
    let opening = reached.clone();
    let waiter = std::thread::spawn(move || {
        let _ = sender.send(File::open(opening));
    });
    let is_reached = loop {
        if receiver.recv_timeout(LOOK).is_ok() {
            break true;
        }
        if run.running.has_exited() {
            break false;
        }
    };
    if is_reached {
        run.running.signal(Signal::KILL)?;
    } else {
        // Releases the waiter, because no process opens the other end any more.
        drop(File::options().write(true).open(&reached));
    }
    ensure!(waiter.join().is_ok(), "the waiter at a pipe panicked");
    run.wait()
}
