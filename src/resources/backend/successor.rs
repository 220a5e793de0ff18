//! Checks in the plan of a replacement that no other backend has the new name. Terraform destroys
//! the old backend first.

use uuid::Uuid;

use super::lost_credentials::Replaced;
use super::ownership::is_own;
use super::state::Identity;
use crate::diagnostics::{Named, Renamed, backend_planned_twice, explain};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::{Configured, Fate};
use planton_core::names::Slug;
use planton_plugin::{Diagnostic, PlanDestroyRequest, Value};

/// What is lost with a backend.
const LOSS: &str = "its record and any sealed credential";

/// Returns a warning about a replacement whose declaration may fail.
///
/// # Errors
///
/// A diagnostic, if the declaration is bound to fail.
pub(super) async fn check_successor(
    (uuid, name): (Uuid, &Slug),
    planned: &Value,
    session: &Configured,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let renamed = planned.attribute("name").as_str();
    let Some(renamed) = renamed.and_then(|text| text.parse::<Slug>().ok()) else {
        return Ok(None);
    };
    if renamed == *name {
        keep_name(uuid, name, session)?;
        return Ok(None);
    }
    session.planned_names.give_up(uuid);
    let holder = session.organization.backends().name_holder(&renamed).await;
    let holder = holder.map_err(|error| explain(&error).at("name"))?;
    let Some(holder) = holder else {
        return Ok(None);
    };
    let fate = session.planned_names.need(holder.uuid, name.to_string());
    let named = Named::backend(&renamed);
    let renamed = Renamed {
        from: name.as_str(),
        loss: LOSS,
    };
    match fate {
        Some(Fate::KeepsName) => Err(named.kept_by_plan(holder.uuid, renamed).at("name")),
        Some(Fate::GivesNameUp) => Ok(None),
        None => Ok(Some(named.may_be_taken(&holder, renamed).at("name"))),
    }
}

/// Records that this plan creates a backend of this name.
///
/// # Errors
///
/// A diagnostic, if another resource of the plan creates it too.
pub(super) fn create_name(
    config: &Value,
    replaced: Option<&Replaced>,
    session: &Configured,
) -> Result<(), Diagnostic> {
    let Some(name) = config.attribute("name").as_str() else {
        return Ok(());
    };
    let names = &session.planned_names;
    let replaced = replaced.map(Replaced::uuid);
    match names.create("backend", name.to_owned(), replaced) {
        true => Err(backend_planned_twice(name)),
        false => Ok(()),
    }
}

/// Records that a backend keeps its name.
///
/// # Errors
///
/// A diagnostic, if the replacement of another backend needs the name.
pub(super) fn keep_name(uuid: Uuid, name: &Slug, session: &Configured) -> Result<(), Diagnostic> {
    let needed_by = session.planned_names.keep(uuid);
    Named::backend(name).expect_kept(uuid, needed_by.as_deref(), LOSS)
}

/// Records that a destroyed backend gives its name up, unless another state owns its record.
pub(super) fn give_name_up(request: &PlanDestroyRequest, session: &Configured) {
    let identity = Identity::read(&request.prior_state);
    let anchor = Anchor::read(&request.prior_private);
    if let (Ok(identity), Ok(anchor)) = (identity, anchor)
        && is_own(&anchor)
    {
        session.planned_names.give_up(identity.uuid);
    }
}
