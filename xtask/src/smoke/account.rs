//! Determines the account of the credentials.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::place::{Account, Place};
use crate::process;
use crate::tools::Tools;

const BOUND: Duration = Duration::from_secs(60);

/// A script for AWS's own client and credential chain, because no setting holds the
/// account.
const CALLER: &str = "import boto3, sys\n\
                      client = boto3.client('sts', region_name=sys.argv[1])\n\
                      print(client.get_caller_identity()['Account'])\n";

/// Returns the account, project, vault or address.
///
/// # Errors
///
/// If AWS does not return the account.
pub(super) fn reached(place: &Place) -> Result<String> {
    let region = match &place.account {
        Account::Named(named) => return Ok(named.clone()),
        Account::OfCaller { region } => region,
    };
    let mut python = Command::new(Tools::locate()?.python());
    python
        .args(["-c", CALLER, region])
        .env_clear()
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(&place.environment);
    if let Some(path) = std::env::var_os("PATH") {
        // Needed to find a credential process.
        python.env("PATH", path);
    }
    let finished = process::run(&mut python, BOUND)?.ok();
    let finished =
        finished.context("asking AWS whose the credentials are (sts:GetCallerIdentity)")?;
    Ok(finished.stdout.trim().to_owned())
}
