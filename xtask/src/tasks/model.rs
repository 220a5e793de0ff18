//! Runs random sequences of Terraform commands against the model.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use xtask::model::{self, Options};

use super::{Profile, build_provider, some_terraform, step};

/// What a person asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many sequences
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// The first sequence's seed; each further one has the next number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many Terraform commands a sequence has, checks aside
    #[arg(long, default_value_t = 8)]
    steps: usize,
    /// Another debug build of the provider than that of this tree
    #[arg(long)]
    provider: Option<PathBuf>,
    /// An OpenBAO server as the platform
    #[arg(long)]
    openbao: bool,
    /// How many sequences run at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// How often a failing sequence is repeated to make it shorter
    #[arg(long, default_value_t = 40)]
    shrinking: usize,
}

/// Runs them all, and prints each that broke a rule.
///
/// # Errors
///
/// If one did.
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
