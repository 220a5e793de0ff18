//! `platform status` prints the organization's keys and what to pin.

use std::process::ExitCode;

use super::How;
use super::report::OrganizationReport;
use crate::cli::operator::{self, Report};

impl Report for OrganizationReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}

pub(super) fn run(how: How) -> ExitCode {
    operator::run(how.form(), |organization| async move {
        let bounds = operator::bounds();
        let status = bounds.bound(organization.keys().status()).await?;
        Ok(OrganizationReport::from(&status))
    })
}
