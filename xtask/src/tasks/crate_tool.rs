//! Programs from the Rust registry, installed into `target/tools`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::{paths, process};

use super::cargo;

/// The time limit of a download and a build on two slow processors.
const INSTALL_BOUND: Duration = Duration::from_secs(1800);

/// A program of a crate, at one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrateTool {
    /// The crate, and its only program.
    pub(crate) name: &'static str,
    /// The pinned version.
    pub(crate) version: &'static str,
}

impl CrateTool {
    /// Returns the program, and installs it if it is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be downloaded or built.
    pub(crate) fn install(self) -> Result<PathBuf> {
        let program = self.root().join("bin").join(self.name);
        if !program.exists() {
            let Self { name, version } = self;
            eprintln!("    installing {name} {version}");
            // Without optimization, it builds in a minute, and checks a few hundred
            // crates in two seconds.
            let mut install = cargo();
            install
                .args(["install", "--locked", "--debug", "--quiet"])
                .arg(format!("{name}@{version}"))
                .arg("--root")
                .arg(self.root())
                .env("CARGO_PROFILE_DEV_DEBUG", "0");
            process::run(&mut install, INSTALL_BOUND)?
                .ok()
                .with_context(|| format!("installing {name} {version}"))?;
        }
        Ok(program)
    }

    fn root(self) -> PathBuf {
        // The path contains the version, so that no other version is used.
        paths::target()
            .join("tools")
            .join(format!("{}-{}", self.name, self.version))
    }
}
