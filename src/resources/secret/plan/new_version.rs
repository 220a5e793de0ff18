//! Decides whether a plan writes a new version.

use super::super::settings::Settings;
use super::super::source::Source;
use super::super::state::{Identity, Private};
use crate::diagnostics::explain;
use crate::session::Planning;
use crate::setting::Setting;
use planton_core::operations::OperationError;
use planton_plugin::{Diagnostic, Value};

/// Whether the apply writes a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Never,
    /// The configured value is the current one, or none is configured. An ephemeral value
    /// may differ in the apply.
    Unchanged,
    Always,
    DecidedAtApply,
}

/// Decides whether a new version is written, as far as a plan can.
pub(super) async fn decide_write(
    settings: &Settings,
    prior: &Value,
    private: &Private,
    planning: &Planning,
) -> Result<Write, Diagnostic> {
    if prior.attribute("version").is_null() {
        // Drift: the current version is missing, or not the one that the provider wrote.
        return Ok(Write::Always);
    }
    let before = prior.attribute("value_wo_version").as_str();
    match (&settings.trigger, before) {
        (Setting::Unknown, _) => return Ok(Write::DecidedAtApply),
        (Setting::Set(now), Some(before)) if now == before => return Ok(Write::Never),
        (Setting::Set(_), Some(_)) => return Ok(Write::Always),
        // Without a trigger in the state or the configuration, the value itself decides.
        (Setting::Set(_) | Setting::Absent, _) => {}
    }
    if private.anchor.finding.is_some() {
        // The secret no longer belongs to this state: an update fails with the reason.
        return Ok(Write::Unchanged);
    }
    match &settings.source {
        Source::Absent => Ok(Write::Unchanged),
        // Only the trigger causes a new value.
        Source::Generate(_) | Source::Copy(_) => Ok(Write::Never),
        Source::Unknown(possible) if !possible.given => Ok(Write::Never),
        Source::Unknown(_) => Ok(Write::DecidedAtApply),
        Source::Given(value) => {
            let Some(session) = &planning.session else {
                return Ok(Write::DecidedAtApply);
            };
            let organization = &session.organization;
            private.anchor.expect_catalog(session).await?;
            if let Some(mac_key) = private.anchor.mac_key {
                let expected = organization.keys().expect_fingerprint(mac_key).await;
                expected.map_err(|error| compare_failed(&error))?;
            }
            private.remember_backend(session);
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

/// Returns the diagnostic of a comparison that failed, with the way to avoid it.
pub(in super::super) fn compare_failed(error: &OperationError) -> Diagnostic {
    let mut diagnostic = explain(error).at("value_wo_version");
    diagnostic.detail.insert_str(
        0,
        "The provider could not compare the configured value with the current one. To plan \
         without the key and the stored secret, set value_wo_version: the provider compares \
         values only if it is not set.\n\n",
    );
    diagnostic
}
