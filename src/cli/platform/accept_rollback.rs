//! `platform accept-rollback` makes states take a restored catalog as it is.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::How;
use crate::cli::operator::{self, Report};
use planton_core::operations::{self, AcceptedRollback};

/// Exit statuses, for the help.
pub(super) const STATUSES: &str = "Exit status:
  0  done, or nothing to accept
  1  failed; run it again
  2  wrong arguments; nothing was changed";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct AcceptRollback {
    /// Accept the rollback. Without it, the command only says what there is to accept.
    #[arg(long)]
    apply: bool,
    /// The platform itself was restored, from a snapshot, from versions of a bucket or from a
    /// copy of its files. That leaves no note in the catalog, so each call with --apply accepts
    /// such a restore again.
    #[arg(long)]
    platform_restored: bool,
    #[command(flatten)]
    how: How,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Accepted {
    organization: String,
    /// Whether there is, or was, something to accept.
    due: bool,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_taken_at: Option<String>,
    /// Least generation of each record.
    floor: u64,
    /// Least generation of each record before; 0 if no rollback was ever accepted.
    floor_before: u64,
}

impl Accepted {
    fn new(organization: String, done: AcceptedRollback, applies: bool) -> Self {
        Self {
            organization,
            due: done.is_due,
            accepted: done.is_due && applies,
            backup_taken_at: done.backup_of.map(|at| at.to_string()),
            floor: done.floor,
            floor_before: done.floor_before,
        }
    }
}

impl Report for Accepted {
    fn text(&self) -> String {
        let Self {
            organization,
            floor,
            floor_before,
            ..
        } = self;
        if !self.due {
            return format!(
                "Organization {organization}: the catalog notes no restore that waits to be \
                 accepted. Nothing was changed.\n\nIf the platform itself was restored, from a \
                 snapshot, from versions of a bucket or from a copy of its files, add \
                 --platform-restored."
            );
        }
        let of = match &self.backup_taken_at {
            Some(at) => format!("was restored from the backup of {at}"),
            None => "was restored with its platform".to_owned(),
        };
        match self.accepted {
            true => format!(
                "Organization {organization}: the catalog {of}, and its records count as newer \
                 than what any state has seen (generation {floor}).\n\nPlan every state with a \
                 refresh, and read each plan: versions, secrets and settings from after the \
                 backup are lost to the catalog. Restart providers that serve a debugger."
            ),
            false => {
                let mut text = format!(
                    "Organization {organization}: the catalog {of}. States that have seen newer \
                     records refuse it. Nothing was changed.\n\nTo make all states take the \
                     catalog as it is, add --apply. What was written after the backup is given up \
                     by that."
                );
                if self.backup_taken_at.is_none() && *floor_before > 0 {
                    let _ = write!(
                        text,
                        "\n\nA rollback was accepted before, and {floor_before} has been the least \
                         generation since. The catalog does not show whether that was the same \
                         restore. If it was, do not accept it again."
                    );
                }
                text
            }
        }
    }
}

pub(super) fn run(accept: AcceptRollback) -> ExitCode {
    operator::run(accept.how.form(), |organization| async move {
        let interrupt = operator::bounds();
        let how = operations::AcceptRollback {
            applies: accept.apply,
            unnoted: accept.platform_restored,
        };
        let keys = organization.keys();
        let done = interrupt
            .bound(keys.accept_rollback(how, &interrupt))
            .await?;
        let organization = organization.slug().to_string();
        Ok(Accepted::new(organization, done, accept.apply))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_to_add_and_what_follows() {
        let accepted = |is_due, applies, floor_before| {
            let done = AcceptedRollback {
                backup_of: None,
                is_due,
                floor_before,
                floor: 7,
            };
            Accepted::new("acme".to_owned(), done, applies).text()
        };
        let text = |is_due, applies| accepted(is_due, applies, 0);
        assert!(text(false, true).contains("add --platform-restored"));
        assert!(text(true, false).contains("Nothing was changed.\n\nTo make all states"));
        assert!(!text(true, false).contains("accepted before"));
        let again = accepted(true, false, 5);
        assert!(again.contains("accepted before, and 5"), "{again}");
        assert!(text(true, true).contains("(generation 7).\n\nPlan every state with a refresh"));
    }
}
