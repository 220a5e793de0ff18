//! Installs the tools, builds, runs all tests, and looks at the work tree.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use xtask::terraform::Terraform;
use xtask::tools::Tools;
use xtask::{paths, process};

use super::{cargo, step};

/// Runs `cargo test --workspace` with the tools in its environment.
///
/// # Errors
///
/// When a test fails, or changed a file that is not ignored.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let before = work_tree()?;
    let tools = step("tools", Tools::install)?;
    for terraform in Terraform::all(&tools) {
        eprintln!("    {terraform}");
    }
    let with_tools = |what: &[&str]| {
        let mut command = cargo();
        command.args(["test", "--workspace"]).args(what);
        command.envs(tools.variables());
        command
    };
    step("build", || {
        super::run(&mut with_tools(&["--quiet", "--no-run"]))
    })?;
    step("tests", || super::run(with_tools(&[]).args(arguments)))?;
    let after = work_tree()?;
    ensure!(before == after, "the tests changed the work tree:\n{after}");
    Ok(())
}

fn work_tree() -> Result<String> {
    let mut git = Command::new("git");
    git.args(["status", "--porcelain"])
        .current_dir(paths::repository());
    let bound = std::time::Duration::from_secs(60);
    let finished = process::run(&mut git, bound).and_then(process::Finished::ok);
    Ok(finished.context("looking at the work tree")?.stdout)
}
