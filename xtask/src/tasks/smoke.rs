//! Runs the main scenes against an account of a vendor's.

use std::path::PathBuf;

use anyhow::Result;
use xtask::smoke::{self, Options, Vendor};

use super::{Profile, build_provider, some_terraform, step};

/// What a person asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose account
    vendor: Vendor,
    /// The account, project, vault or address that it may write to
    #[arg(long)]
    yes_against: Option<String>,
    /// Another build of the provider than that of this tree
    #[arg(long)]
    provider: Option<PathBuf>,
}

/// Runs them, and prints each step.
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
        // What is no text names no setting and no credential of ours.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    smoke::run(&options, |text| eprintln!("{text}"))
}
