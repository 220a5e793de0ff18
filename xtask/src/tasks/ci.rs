//! All that must hold before a change is merged.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::{cargo, docs, step, test};
use crate::layers;

/// Runs every check, cheap ones first.
///
/// # Errors
///
/// With the first that fails.
pub(crate) fn run() -> Result<()> {
    step("format", || {
        super::run(cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("layers", layers::check)?;
    step("dependencies", dependencies)?;
    step("lints", || {
        let lints = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        super::run(cargo().args(lints))
    })?;
    step("docs", || docs::run(true))?;
    step("test", || test::run(&[]))
}

/// Checks licences, sources and banned crates, and known vulnerabilities where
/// their database is at hand.
fn dependencies() -> Result<()> {
    let quiet = |command: &mut Command| {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !quiet(cargo().args(["deny", "--version"])) {
        eprintln!("    skipped: cargo-deny is not installed");
        return Ok(());
    }
    let offline = ["deny", "--offline", "check"];
    super::run(cargo().args(offline).args(["licenses", "bans", "sources"]))?;
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let databases = ["advisory-db", "advisory-dbs"];
    let here = home.is_some_and(|home| databases.iter().any(|name| home.join(name).is_dir()));
    if here {
        super::run(cargo().args(offline).arg("advisories"))
    } else {
        eprintln!("    advisories skipped: their database is not on this machine");
        Ok(())
    }
}
