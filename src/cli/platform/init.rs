//! `platform init` creates the organization, with its keys and escrow keys.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::How;
use super::report::OrganizationReport;
use crate::cli::key_argument;
use crate::cli::operator::{self, Report};
use crate::provider::{Caller, OtherKeys};
use planton_core::operations::DeclaredKek;

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Init {
    /// Escrow key, up to three times.
    // Rustdoc would take <type> for a tag.
    #[arg(
        long,
        value_name = "KEY",
        help = "Escrow key, up to three times: age:<recipient>, or <type>:<setting>=<value>,… \
                with the settings of that type's block"
    )]
    escrow: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Initialized {
    created: bool,
    #[serde(flatten)]
    organization: OrganizationReport,
}

impl Report for Initialized {
    fn text(&self) -> String {
        let what = match self.created {
            true => "Created the organization.",
            false => {
                "The organization existed already, with the same escrow keys. Nothing was changed."
            }
        };
        format!("{what}\n\n{}", self.organization.text())
    }
}

pub(super) fn run(init: &Init) -> ExitCode {
    let escrow: Result<Vec<DeclaredKek>, _> = init
        .escrow
        .iter()
        .map(|text| key_argument::parse(text))
        .collect();
    let escrow = match escrow {
        Ok(escrow) => escrow,
        Err(failure) => return operator::fail(init.how.form(), &failure),
    };
    operator::run_as(Caller::Creation, init.how.form(), |configured| async move {
        let interrupt = operator::bounds();
        let keys = configured.organization.keys();
        let done = keys.initialize(&escrow, &interrupt);
        let done = interrupt.bound(done).await?;
        let others = match done.status.escrow.is_empty() {
            true => OtherKeys::None,
            false => OtherKeys::Escrow,
        };
        for advice in configured.advice_at_first_use(others) {
            operator::print(&advice);
        }
        if let Some(warning) = configured.not_vouched(&done.status) {
            operator::print(&warning);
        }
        Ok(Initialized {
            created: done.is_new,
            organization: (&done.status).into(),
        })
    })
}
