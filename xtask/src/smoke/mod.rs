//! Runs the main scenes against a vendor's account: create, rotate, read, detect an
//! object that was destroyed outside Terraform, and reject and carry out a destroy. It is
//! for owners of an account. The project's tests run it against emulators.
//!
//! It sends no write until the owner has named the account of the credentials. All
//! objects have a prefix that is new in each run. It deletes them at the end, also after
//! a failure.

mod account;
mod cleanup;
mod place;
mod scenes;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::terraform::Terraform;

pub use place::Vendor;

/// The prefix of all object names.
pub const NAME_PREFIX: &str = "planton-smoke";

/// The environment with settings and credentials.
pub type Environment = BTreeMap<String, String>;

/// The options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The vendor that stores the secrets.
    pub vendor: Vendor,
    /// The provider's binary.
    pub provider: PathBuf,
    /// The Terraform in use.
    pub terraform: Terraform,
    /// The account that the owner confirmed.
    pub yes_against: Option<String>,
    /// The source of settings and credentials.
    pub environment: Environment,
}

/// Runs the scenes, and prints each step.
///
/// # Errors
///
/// If a setting or the confirmation is missing, or a step fails. The error names the
/// step, and the objects that could not be deleted.
pub fn run(options: &Options, mut tell: impl FnMut(&str)) -> Result<()> {
    let place = place::Place::new(options.vendor, &options.environment)?;
    let account = account::reached(&place)?;
    let organization = fresh_organization()?;
    tell(&introduction(&place, &account, &organization));
    confirm(&place, &account, options.yes_against.as_deref())?;

    let mut scenes = scenes::Scenes::new(options, &place, &organization)?;
    tell(&format!(
        "    If this is interrupted, clean up with:\n      {}",
        scenes.by_hand()
    ));
    let Err(failure) = scenes.play(&mut tell) else {
        tell("\nAll went well, and nothing is left.");
        return Ok(());
    };
    tell("==> Clean up after the failure");
    match scenes.clean_up() {
        Ok(()) => {
            tell("    Nothing is left.");
            Err(failure)
        }
        Err(left) => {
            let left = left.context(scenes.keep());
            bail!("{failure:#}\n\nand it could not be cleaned up: {left:#}")
        }
    }
}

fn introduction(place: &place::Place, account: &str, organization: &str) -> String {
    format!(
        "This writes to {}: {account}\n\n\
         It creates one backend and three secrets with at most eight versions below\n\
         {prefix}{separator}{organization}, and deletes all of them again.\n\
         Costs: {}\n",
        place.vendor.account(),
        place.vendor.costs(),
        prefix = NAME_PREFIX,
        separator = place.vendor.separator(),
    )
}

fn confirm(place: &place::Place, account: &str, yes_against: Option<&str>) -> Result<()> {
    let Some(named) = yes_against else {
        bail!(
            "nothing was written. To go on, name the {}:\n\n  cargo xtask smoke {} --yes-against \
             {account}",
            place.vendor.account(),
            place.vendor.name()
        );
    };
    ensure!(
        named.trim_end_matches('/') == account,
        "nothing was written: these credentials reach {account}, and --yes-against names {named}"
    );
    Ok(())
}

/// Returns a unique name for an organization.
fn fresh_organization() -> Result<String> {
    let random = getrandom::u32().map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(format!("run-{random:08x}"))
}
