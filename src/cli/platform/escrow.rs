//! `platform escrow add`, `remove` and `list`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::How;
use super::report::{KeyReport, table};
use crate::cli::key_argument;
use crate::cli::operator::{self, Failure, Report, STATUSES};
use planton_core::operations::{EscrowChanged, KekView, Organization, pin_of};
use planton_plugin::Diagnostic;

/// Arguments of `platform escrow`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Escrow {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Add an escrow key.
    ///
    /// Requires PLANTON_ORGANIZATION_FINGERPRINT and PLANTON_ALLOWED_KEY_IDS, which must contain
    /// the new key. Existing versions and credentials are wrapped for it by `rewrap`.
    #[command(after_help = STATUSES)]
    Add(Add),
    /// Remove an escrow key.
    ///
    /// Requires PLANTON_ORGANIZATION_FINGERPRINT and PLANTON_ALLOWED_KEY_IDS. Existing versions
    /// keep the key's wraps until `rewrap`. A holder who has read a version keeps its value.
    #[command(after_help = STATUSES)]
    Remove(Remove),
    /// List the escrow keys.
    #[command(after_help = STATUSES)]
    List(How),
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct Add {
    /// Key to add.
    // Rustdoc would take <type> for a tag.
    #[arg(
        help = "Key to add: age:<recipient>, or <type>:<setting>=<value>,… with the settings \
                  of that type's block"
    )]
    key: String,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
struct Remove {
    /// Key to remove, by its identifier as `list` prints it, or as it was added.
    key: String,
    #[command(flatten)]
    how: How,
}

/// Result of a change.
#[derive(Debug, Serialize)]
struct Changed {
    action: &'static str,
    organization: String,
    key: KeyReport,
    changed: bool,
    escrow: Vec<KeyReport>,
}

impl Changed {
    fn new(action: &'static str, organization: &Organization, change: &EscrowChanged) -> Self {
        Self {
            action,
            organization: organization.slug().to_string(),
            key: (&change.key).into(),
            changed: change.is_changed,
            escrow: change.escrow.iter().map(KeyReport::from).collect(),
        }
    }
}

impl Report for Changed {
    fn text(&self) -> String {
        let what = match (self.action, self.changed) {
            ("added", true) => "Added the escrow key:",
            ("added", false) => "The organization has this escrow key already:",
            _ => "Removed the escrow key:",
        };
        let next = match self.action {
            "added" => {
                "New versions are wrapped for it from now on. Run terraform-provider-planton \
                 rewrap for the existing ones, once the applies that are running now are done."
            }
            _ => {
                "Existing versions keep its wraps. Run terraform-provider-planton rewrap, once \
                 the applies that are running now are done. Remove its identifier from \
                 allowed_key_ids. Its holder keeps what they have read."
            }
        };
        format!(
            "{what}\n{}\n\nEscrow keys now:\n{}\n\n{next}",
            table(std::slice::from_ref(&self.key)),
            listed(&self.escrow)
        )
    }
}

/// Result of `list`.
#[derive(Debug, Serialize)]
struct Listed {
    organization: String,
    escrow: Vec<KeyReport>,
}

impl Report for Listed {
    fn text(&self) -> String {
        listed(&self.escrow)
    }
}

fn listed(keys: &[KeyReport]) -> String {
    match keys {
        [] => "The organization has no escrow key.".to_owned(),
        keys => table(keys),
    }
}

pub(super) fn run(escrow: Escrow) -> ExitCode {
    match escrow.what {
        What::Add(add) => run_add(&add),
        What::Remove(remove) => operator::run(remove.how.form(), |organization| async move {
            removed(&organization, &remove.key).await
        }),
        What::List(how) => operator::run(how.form(), |organization| async move {
            let bounds = operator::bounds();
            let status = bounds.bound(organization.keys().status()).await?;
            Ok(Listed {
                organization: status.organization.to_string(),
                escrow: status.escrow.iter().map(KeyReport::from).collect(),
            })
        }),
    }
}

fn run_add(add: &Add) -> ExitCode {
    let key = match key_argument::parse(&add.key) {
        Ok(key) => key,
        Err(failure) => return operator::fail(add.how.form(), &failure),
    };
    operator::run(add.how.form(), |organization| async move {
        let interrupt = operator::bounds();
        let added = organization.keys().add_escrow(key, &interrupt);
        let added = interrupt.bound(added).await?;
        Ok(Changed::new("added", &organization, &added))
    })
}

async fn removed(organization: &Organization, text: &str) -> Result<Changed, Failure> {
    let status = operator::bounds()
        .bound(organization.keys().status())
        .await?;
    let key = find(&status.escrow, text).ok_or_else(no_such_key)?;
    let interrupt = operator::bounds();
    let removed = organization.keys().remove_escrow(&key.kek, &interrupt);
    let removed = interrupt.bound(removed).await?;
    Ok(Changed::new("removed", organization, &removed))
}

/// Finds an escrow key by its identifier, or by its settings.
fn find<'a>(escrow: &'a [KekView], text: &str) -> Option<&'a KekView> {
    let mut by_id = escrow.iter();
    by_id.find(|key| pin_of(&key.kek) == text).or_else(|| {
        let given = key_argument::parse(text).ok()?;
        escrow.iter().find(|key| key.settings == given.settings)
    })
}

fn no_such_key() -> Failure {
    Failure::no_such_record(Diagnostic::error(
        "Escrow Key Not Found",
        "The organization has no such escrow key, so nothing was changed.\n\nRun \
         terraform-provider-planton platform escrow list, and pass an identifier that it prints.",
    ))
}
