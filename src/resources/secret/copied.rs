//! Checks in the plan of a replacement that the object is there that the new value is copied from.
//!
//! `delete_source` removes that object, and the secret then has the only copy. The replacement
//! would destroy it and find nothing to copy. An ordinary creation loses nothing, and the same
//! apply may create its source.

use super::replacement::Mark;
use super::settings::Settings;
use super::source::Source;
use crate::diagnostics::explain;
use crate::session::{Configured, PartlyKnown};
use crate::setting::Setting;
use planton_core::operations::OperationError;
use planton_plugin::{AttributePath, Diagnostic};

const REPLACED: &str = "\n\nThis plan replaces the secret of that name, so Terraform may destroy its \
                        present value first. If delete_source has removed the object, that value is \
                        the only copy: set value_wo or data_wo instead of copy_from. For a tainted \
                        secret, run terraform untaint. If the same apply creates the object, apply \
                        that first. To destroy everything, run terraform destroy -refresh=false.";

/// Checks that the successor of a secret has something to copy.
///
/// # Errors
///
/// A diagnostic, if it has not.
pub(super) async fn check_source(
    settings: &Settings,
    mark: &Mark,
    (session, defaults): (&Configured, &PartlyKnown),
) -> Result<(), Diagnostic> {
    let Source::Copy(Setting::Set(from)) = &settings.source else {
        return Ok(());
    };
    // The plan replaces the backend.
    if session.announced(&from.backend).is_unknown() {
        return Ok(());
    }
    let secrets = session.organization.secrets();
    let is_replaced = match (mark, settings.known_name(defaults)) {
        (Mark::Existing(_), _) => true,
        (Mark::Creation, None) => false,
        // A secret that this state has is tainted. Another one may be of an interrupted run, and the
        // apply tells how to resume that.
        (Mark::Creation, Some(name)) => {
            let holder = secrets.name_holder(&name).await;
            let holder = holder.map_err(|error| explain(&error))?;
            let names = &session.planned_names;
            holder.is_some_and(|holder| {
                names.is_refreshed(holder.uuid) && !names.gives_up(holder.uuid)
            })
        }
    };
    if !is_replaced {
        return Ok(());
    }
    let Err(error) = secrets.expect_source(from).await else {
        return Ok(());
    };
    let mut refused = explain(&error);
    if matches!(error, OperationError::NothingToCopy { .. }) {
        refused.detail.push_str(REPLACED);
    }
    Err(refused.at(AttributePath::attribute("copy_from").then("remote_name")))
}
