//! Checks the license, source, bans and advisories of every dependency.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use xtask::paths;
use xtask::process::{self, Finished};

use super::cargo;
use super::crate_tool::CrateTool;

const CARGO_DENY: CrateTool = CrateTool {
    name: "cargo-deny",
    version: "0.20.2",
};

/// The time limit of cloning the advisory database.
const FETCH_BOUND: Duration = Duration::from_secs(300);

/// The messages of git for an unreachable server. The texts are libcurl's:
/// <https://github.com/curl/curl/blob/master/lib/connect.c>,
/// <https://github.com/curl/curl/blob/master/lib/hostip.c>.
const UNREACHABLE: [&str; 10] = [
    "Could not resolve host",
    "Could not resolve proxy",
    "Failed to connect to",
    "Couldn't connect to server",
    "Could not connect to server",
    "Connection timed out",
    "Operation timed out",
    "CONNECT tunnel failed",
    "Connection reset by peer",
    // The database is public, so only a proxy returns this status.
    "The requested URL returned error: 403",
];

/// Whether a run without the advisory database passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Advisories {
    /// It fails.
    Required,
    /// It passes if the database's server is unreachable.
    #[default]
    WhereReachable,
}

/// Runs the checks as a separate task.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn task(advisories: Advisories) -> Result<()> {
    if let Some(what) = run(advisories)? {
        eprintln!("    Not checked in this run: {what}.");
    }
    Ok(())
}

/// Runs `cargo deny` with `deny.toml`, and returns the checks that it could not run.
///
/// # Errors
///
/// If a check fails, or cannot run. An unreachable advisory database fails only
/// if advisories are required.
pub(crate) fn run(advisories: Advisories) -> Result<Option<&'static str>> {
    let deny = CARGO_DENY.install()?;
    // Fetches for all platforms, because a build downloads only the crates of this one.
    super::run(cargo().args(["fetch", "--quiet", "--locked"]))?;
    super::run(check(&deny).args(["bans", "licenses", "sources"]))?;

    let fetched = fetch(&deny)?;
    if !fetched.success() {
        let unreachable = is_unreachable(&fetched.stderr);
        ensure!(
            unreachable && advisories == Advisories::WhereReachable,
            "fetching the advisory database: {fetched:?}"
        );
        if !databases().is_some_and(|folder| holds_a_database(&folder)) {
            return Ok(Some("advisories, since their database is unreachable"));
        }
        eprintln!("    the advisory database is unreachable; using the copy on this machine");
    }
    // Fails if the database is older than 90 days.
    super::run(check(&deny).arg("advisories"))?;
    Ok(None)
}

/// Returns the command that checks the whole workspace without a network.
fn check(deny: &Path) -> Command {
    let mut command = Command::new(deny);
    command
        .current_dir(paths::repository())
        .args(["--workspace", "--locked", "--offline", "check"])
        .arg("--hide-inclusion-graph");
    command
}

fn fetch(deny: &Path) -> Result<Finished> {
    let mut command = Command::new(deny);
    command
        .current_dir(paths::repository())
        .args(["fetch", "db"])
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0");
    process::run(&mut command, FETCH_BOUND)
}

/// Returns whether a fetch failed because there is no network to the server.
fn is_unreachable(stderr: &str) -> bool {
    UNREACHABLE.iter().any(|text| stderr.contains(text))
}

/// Returns the folder in which cargo-deny keeps its copies.
fn databases() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    Some(home.join("advisory-dbs"))
}

/// Returns whether an earlier fetch succeeded. A failed clone leaves only a lock file.
fn holds_a_database(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .flatten()
        .any(|entry| entry.path().join(".git").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git_error(reason: &str) -> String {
        format!(
            "[ERROR] failed to fetch database: failed to clone: [\"clone\"]\n\
             fatal: unable to access 'https://github.com/RustSec/advisory-db/': {reason}\n"
        )
    }

    #[test]
    fn only_a_missing_network_excuses_a_failed_fetch() {
        for reason in [
            "Could not resolve host: github.com",
            "Failed to connect to github.com port 443 after 134 ms: Connection refused",
            "CONNECT tunnel failed, response 403",
            "The requested URL returned error: 403",
            "Recv failure: Connection reset by peer",
        ] {
            assert!(is_unreachable(&git_error(reason)), "{reason}");
        }
        for reason in [
            "The requested URL returned error: 404",
            "SSL certificate problem: self-signed certificate",
            "No space left on device",
        ] {
            assert!(!is_unreachable(&git_error(reason)), "{reason}");
        }
    }

    #[test]
    fn a_failed_clone_is_no_database() {
        let folder = tempfile::tempdir().expect("temp dir");
        assert!(!holds_a_database(&folder.path().join("missing")));
        fs::write(folder.path().join("db.lock"), "").expect("writes");
        assert!(!holds_a_database(folder.path()));
        fs::create_dir_all(folder.path().join("advisory-db-1/.git")).expect("creates");
        assert!(holds_a_database(folder.path()));
    }
}
