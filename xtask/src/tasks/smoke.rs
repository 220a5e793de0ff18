//! Runs the main scenes against a vendor's account.

use std::path::PathBuf;

use anyhow::Result;
use xtask::smoke::{self, Options, Vendor};

use super::{Profile, build_provider, some_terraform, step};

/// The arguments of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Vendor
    vendor: Vendor,
    /// Account, project, vault or address that the task may write to
    #[arg(long)]
    yes_against: Option<String>,
    /// Build of the provider to use in place of this tree's
    #[arg(long)]
    provider: Option<PathBuf>,
}

/// Runs the scenes, and prints each step.
///
/// # Errors
///
/// As [`smoke::run`].
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let provider = match &arguments.provider {
        Some(provider) => provider.clone(),
        None => step("Build the provider", || build_provider(Profile::Release))?,
    };
    let options = Options {
        vendor: arguments.vendor,
        provider,
        terraform: some_terraform()?,
        yes_against: arguments.yes_against.clone(),
        // A variable that is not text is neither a setting nor a credential.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    smoke::run(&options, |text| eprintln!("{text}"))
}
