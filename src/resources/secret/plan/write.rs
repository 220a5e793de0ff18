//! Decides whether a plan writes a new version.

use super::super::settings::Settings;
use super::super::source::Source;
use super::super::state::{Identity, Private};
use crate::diagnostics::explain;
use crate::session::Planning;
use crate::setting::Setting;
use planton_core::operations::OperationError;
use planton_plugin::{Diagnostic, Value};

/// Whether a new version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Never,
    /// The value that is given now is the current one, or none is given; an ephemeral
    /// value may be another one in the apply.
    Unchanged,
    Always,
    DecidedAtApply,
}

/// Decides it as far as a plan can.
pub(super) async fn decide_write(
    settings: &Settings,
    prior: &Value,
    private: &Private,
    planning: &Planning,
) -> Result<Write, Diagnostic> {
    if prior.attribute("version").is_null() {
        // Drift: the current version is gone, or not the one we wrote.
        return Ok(Write::Always);
    }
    let before = prior.attribute("value_wo_version").as_str();
    match (&settings.trigger, before) {
        (Setting::Unknown, _) => return Ok(Write::DecidedAtApply),
        (Setting::Set(now), Some(before)) if now == before => return Ok(Write::Never),
        (Setting::Set(_), Some(_)) => return Ok(Write::Always),
        // Without a trigger before or now, the value itself decides.
        (Setting::Set(_) | Setting::Absent, _) => {}
    }
    if private.anchor.finding.is_some() {
        // Not this state's secret any more: an update fails, and says why.
        return Ok(Write::Unchanged);
    }
    match &settings.source {
        Source::Absent => Ok(Write::Unchanged),
        // Generated anew only with the trigger.
        Source::Generate(_) | Source::Copy(_) => Ok(Write::Never),
        Source::Unknown(possible) if !possible.given => Ok(Write::Never),
        Source::Unknown(_) => Ok(Write::DecidedAtApply),
        Source::Given(value) => {
            let Some(session) = &planning.session else {
                return Ok(Write::DecidedAtApply);
            };
            let organization = &session.organization;
            if let Some(seen) = &private.backend {
                organization.backends().remember(seen.clone());
            }
            if let Some(mac_key) = &private.anchor.mac_key {
                let expected = organization.keys().expect_commitment(mac_key).await;
                expected.map_err(|error| compare_failed(&error))?;
            }
            let uuid = Identity::read(prior)?.uuid;
            let same = organization.secrets().is_current_value(uuid, value).await;
            Ok(if same.map_err(|error| compare_failed(&error))? {
                Write::Unchanged
            } else {
                Write::Always
            })
        }
    }
}

/// Tells why a value could not be compared, and how to do without.
pub(in super::super) fn compare_failed(error: &OperationError) -> Diagnostic {
    let mut diagnostic = explain(error).at("value_wo_version");
    diagnostic.detail.insert_str(
        0,
        "The configured value could not be compared with the current one, which is done only \
         where value_wo_version is not set. Set value_wo_version, and a plan needs neither the \
         key nor the stored secret.\n\n",
    );
    diagnostic
}
