//! No run changes or destroys what another state owns, and every user has a way to
//! continue.

mod adopted;
mod applied_root;
mod at_once;
mod crash;
mod deposed;
mod forgotten;
mod http_state;
mod killed_run;
mod lost_object;
mod organization;
mod resume;
mod second_state;

use xtask::terraform::{Outcome, Workspace};

/// Removes the state.
fn lose_state(workspace: &Workspace) {
    std::fs::remove_file(workspace.path().join("terraform.tfstate")).unwrap();
}

/// Returns the import blocks in a run's errors, with the name of each resource filled in.
#[track_caller]
fn import_blocks(outcome: &Outcome, name: &str) -> String {
    let mut blocks = String::new();
    let mut is_inside = false;
    for line in outcome.stderr().lines() {
        is_inside |= line.trim() == "import {";
        if is_inside {
            blocks.push_str(&line.replace("<name>", name));
            blocks.push('\n');
        }
        is_inside &= line.trim() != "}";
    }
    assert!(blocks.contains("import {"), "{outcome:?}");
    blocks
}
