//! The main scenes against an account of a vendor's: create, rotate, read, find
//! what somebody else destroyed, refuse and carry out a destroy. For owners who have
//! one; the project's own tests run it against emulators.
//!
//! Nothing is sent that writes before the owner has named the account that the
//! credentials reach. Whatever is made stands under a prefix that is new each time,
//! and is deleted in the end, also after a failure.

mod account;
mod cleanup;
mod place;
mod scenes;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::terraform::Terraform;

pub use place::Vendor;

/// What the names of all objects begin with.
pub const NAME_PREFIX: &str = "planton-smoke";

/// The environment that settings and credentials come from.
pub type Environment = BTreeMap<String, String>;

/// What to run, and as what.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the secrets go.
    pub vendor: Vendor,
    /// The provider's binary.
    pub provider: PathBuf,
    /// Who runs it.
    pub terraform: Terraform,
    /// The account that the owner lets it write to.
    pub yes_against: Option<String>,
    /// Where settings and credentials come from.
    pub environment: Environment,
}

/// Runs the scenes, and tells each step.
///
/// # Errors
///
/// If a setting is missing; without the confirmation; with the first step that
/// does not go as it must, and what could not be cleaned up.
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

/// Returns an organization's name that no other run has.
fn fresh_organization() -> Result<String> {
    let random = getrandom::u32().map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(format!("run-{random:08x}"))
}
