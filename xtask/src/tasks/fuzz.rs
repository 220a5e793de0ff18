//! Builds the fuzz targets with a nightly compiler, and runs each for a while.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use xtask::paths;

use super::{run as run_command, step};

/// What `cargo fuzz` passes too: edge coverage and comparisons for libFuzzer, and
/// AddressSanitizer.
/// <https://github.com/rust-fuzz/cargo-fuzz/blob/main/src/project.rs>
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address \
    -Ccodegen-units=4";

/// With a target, the flags apply to no build script.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

const PACKAGE: &str = "planton-fuzz";

/// The longest input. Parsers of longer ones differ in nothing.
const MAX_INPUT_BYTES: u32 = 8192;

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Targets to run. Default: all
    targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Toolchain
    #[arg(long, default_value = "nightly")]
    toolchain: String,
    /// Add inputs that reach new code to the kept corpus
    #[arg(long)]
    keep: bool,
}

/// Runs the targets. New inputs stay in `target/fuzz/corpus`; on request, those that reach new
/// code are added to the kept corpus, which a plain test replays. An input that breaks a property
/// stays in `target/fuzz/artifacts`.
///
/// # Errors
///
/// If the build fails, or a target breaks.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    let chosen = match arguments.targets.as_slice() {
        [] => all,
        chosen => chosen.to_vec(),
    };
    let folder = paths::target().join("fuzz");
    step("Build", || build(arguments, &chosen, &folder))?;
    let mut broken = Vec::new();
    for target in &chosen {
        if let Err(error) = step(target, || fuzz(target, arguments, &folder)) {
            eprintln!("{error:#}");
            broken.push(target.as_str());
        }
    }
    ensure!(broken.is_empty(), "broken: {}", broken.join(", "));
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let folder = paths::repository().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).context("reading the folder of targets")?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.context("reading the folder of targets")?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn build(arguments: &Arguments, targets: &[String], folder: &Path) -> Result<()> {
    let mut cargo = Command::new("rustup");
    cargo
        .args([
            "run",
            &arguments.toolchain,
            "cargo",
            "build",
            "--profile",
            "fuzz",
        ])
        .args([
            "--package",
            PACKAGE,
            "--features",
            "link",
            "--target",
            TRIPLE,
        ])
        .arg("--target-dir")
        .arg(folder)
        .current_dir(paths::repository())
        .env("RUSTFLAGS", RUSTFLAGS)
        // Cargo sets both for its children, to the toolchain of this task.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC");
    for target in targets {
        cargo.args(["--bin", target]);
    }
    run_command(&mut cargo)
}

fn fuzz(target: &str, arguments: &Arguments, folder: &Path) -> Result<()> {
    let kept = paths::repository().join("fuzz/corpus").join(target);
    let found = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for folder in [&kept, &found, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    let binary: PathBuf = folder.join(TRIPLE).join("fuzz").join(target);
    let mut fuzzer = Command::new(&binary);
    fuzzer
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // A length in an input must not be believed before its bytes are there.
        .args(["-malloc_limit_mb=64", "-rss_limit_mb=2048", "-timeout=10"])
        .args(["-print_final_stats=1", "-verbosity=0"])
        .args([&found, &kept]);
    run_command(&mut fuzzer)?;
    if !arguments.keep {
        return Ok(());
    }
    let mut merge = Command::new(&binary);
    // Counters tell apart how often an edge was taken. They would keep thousands of inputs.
    merge
        .args(["-set_cover_merge=1", "-use_counters=0", "-verbosity=0"])
        .arg(format!("-max_len={MAX_INPUT_BYTES}"))
        .args([&kept, &found]);
    run_command(&mut merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_of_the_folder() {
        let targets = targets().expect("a folder");
        assert!(targets.iter().any(|name| name == "envelope"), "{targets:?}");
        assert!(targets.is_sorted());
    }
}
