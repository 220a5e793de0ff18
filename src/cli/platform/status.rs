//! `platform status` prints the organization's keys and what to pin.

use std::process::ExitCode;

use super::How;
use super::report::OrganizationReport;
use crate::cli::operator::{self, Report};
use crate::provider::Caller;

impl Report for OrganizationReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

pub(super) fn run(how: How) -> ExitCode {
    operator::run_as(Caller::Inspection, how.form(), |configured| async move {
        let bounds = operator::bounds();
        let keys = configured.organization.keys();
        let status = bounds.bound(keys.status()).await?;
        if let Some(warning) = configured.not_vouched(&status) {
            operator::print(&warning);
        }
        Ok(OrganizationReport::from(&status))
    })
}
