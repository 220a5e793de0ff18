//! Runs random sequences of Terraform commands, and compares them with the model.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use xtask::model::{self, Options};

use super::{Profile, build_provider, some_terraform, step};

/// The arguments of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Number of sequences
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// Seed of the first sequence; each further sequence has the next number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of Terraform commands in a sequence, without checks
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Debug build of the provider to use in place of this tree's
    #[arg(long)]
    provider: Option<PathBuf>,
    /// Use an OpenBAO server as the platform
    #[arg(long)]
    openbao: bool,
    /// Number of concurrent sequences
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Maximum number of repetitions that shorten a failing sequence
    #[arg(long, default_value_t = 40)]
    shrinking: usize,
}

/// Runs all sequences, and prints each one that broke a rule.
///
/// # Errors
///
/// If a sequence broke a rule.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let provider = match &arguments.provider {
        Some(provider) => provider.clone(),
        None => step("Build the provider", || build_provider(Profile::Debug))?,
    };
    let options = Options {
        runs: arguments.runs,
        seed: arguments.seed,
        steps: arguments.steps,
        provider,
        terraform: some_terraform()?,
        on_openbao: arguments.openbao,
        jobs: arguments.jobs,
        shrinking: arguments.shrinking,
    };
    eprintln!("    {}", options.terraform);
    let report = model::run(&options, |failure| println!("{failure}"))?;
    println!(
        "{} sequences (seeds {} to {}), {} runs of Terraform, {:.0} s, {} failures {:?}",
        report.sequences,
        options.seed,
        options.seed + report.sequences - 1,
        report.commands,
        report.elapsed.as_secs_f64(),
        report.failures.len(),
        report.by_rule(),
    );
    ensure!(report.failures.is_empty(), "rules were broken");
    Ok(())
}
