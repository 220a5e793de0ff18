//! Checks in the plan of a replacement that the new secret can be created: its name, and the
//! backend that its value is copied from. Terraform destroys the old secret first.

use uuid::Uuid;

use super::replacement::{Existing, Mark, REPLACING};
use super::settings::Settings;
use super::source::Source;
use super::state::{Identity, Private};
use crate::diagnostics::{Named, Renamed, explain, secret_planned_twice};
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, Fate};
use crate::setting::Setting;
use planton_core::names::SecretName;
use planton_plugin::{AttributePath, Diagnostic, PlanDestroyRequest, Value};

/// What is lost with a secret.
const LOSS: &str = "its value";

/// Returns warnings about a replacement whose creation may fail.
///
/// # Errors
///
/// A diagnostic, if the creation is bound to fail.
pub(super) async fn check_successor(
    prior: &Value,
    planned: &Value,
    (settings, existing): (&Settings, &Existing),
    session: &Configured,
) -> Result<Vec<Diagnostic>, Diagnostic> {
    let Identity { uuid, name, .. } = Identity::read(prior)?;
    // Another state's secret is not destroyed, so nothing is lost.
    if existing.as_replaced().is_none() {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    if let Some(renamed) = known_name(planned) {
        if renamed == name {
            keep_name(uuid, &name, session)?;
        } else {
            session.planned_names.give_up(uuid);
        }
        let at = if renamed.name == name.name {
            "environment"
        } else {
            "name"
        };
        let warned = check_name(&renamed, (uuid, &name), settings, session).await;
        let warned = warned.map_err(|refused| refused.at(at))?;
        warnings.extend(warned.map(|warned| warned.at(at)));
    }
    if let Source::Copy(Setting::Set(from)) = &settings.source {
        let path = || AttributePath::attribute("copy_from").then("backend");
        let warned = session.expect_backend(&from.backend).await;
        let warned = warned.map_err(|error| explain(&error).at(path()))?;
        warnings.extend(warned.map(|warned| destroyed_first(warned).at(path())));
    }
    Ok(warnings)
}

/// Records that this plan creates a secret of this name.
///
/// # Errors
///
/// A diagnostic, if another resource of the plan creates it too.
pub(super) fn create_name(
    name: &SecretName,
    mark: &Mark,
    session: &Configured,
) -> Result<(), Diagnostic> {
    let replaced = match mark {
        Mark::Existing(existing) => existing.owned(),
        Mark::Creation => None,
    };
    let names = &session.planned_names;
    match names.create("secret", name.to_string(), replaced) {
        true => Err(secret_planned_twice(name)),
        false => Ok(()),
    }
}

/// Records that a secret keeps its name.
///
/// # Errors
///
/// A diagnostic, if the replacement of another secret needs the name.
pub(super) fn keep_name(
    uuid: Uuid,
    name: &SecretName,
    session: &Configured,
) -> Result<(), Diagnostic> {
    let needed_by = session.planned_names.keep(uuid);
    Named::secret(name).expect_kept(uuid, needed_by.as_deref(), LOSS)
}

/// Records that a destroyed secret gives its name up, unless the destroy leaves its record.
pub(super) fn give_name_up(request: &PlanDestroyRequest, session: &Configured) {
    let identity = Identity::read(&request.prior_state);
    let private = Private::read(&request.prior_private);
    if let (Ok(identity), Ok(private)) = (identity, private) {
        let existing = Existing::of(&request.prior_state, &private);
        if existing.as_replaced().is_some() && !existing.is_retained() {
            session.planned_names.give_up(identity.uuid);
        }
    }
}

/// Returns whether the configuration requires a replacement of the secret in the state, as far
/// as its arguments say.
pub(super) fn is_replacement(prior: &Value, proposed: &Value) -> bool {
    let differs = |name: &&str| prior.attribute(name) != proposed.attribute(name);
    !prior.is_null() && REPLACING.iter().any(differs)
}

/// Adds to the warning about a missing backend that a replacement destroys the old secret first.
pub(super) fn destroyed_first(mut warned: Diagnostic) -> Diagnostic {
    warned.detail.push_str(
        "\n\nThis plan replaces the secret. Unless create_before_destroy is set, Terraform destroys \
         the old secret first. If the creation then fails, its value is lost: apply the backend \
         before this change.",
    );
    warned
}

/// Checks that no other secret has the name of the new one.
async fn check_name(
    renamed: &SecretName,
    (uuid, name): (Uuid, &SecretName),
    settings: &Settings,
    session: &Configured,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let secrets = session.organization.secrets();
    let holder = secrets.name_holder(renamed).await;
    let holder = holder.map_err(|error| explain(&error))?;
    let is_other = |uuid_of_other| uuid_of_other != uuid && !settings.may_take_over(uuid_of_other);
    let Some(holder) = holder.filter(|holder| is_other(holder.uuid)) else {
        return Ok(None);
    };
    let from = name.to_string();
    let fate = session.planned_names.need(holder.uuid, from.clone());
    let named = Named::secret(renamed);
    let renamed = Renamed {
        from: &from,
        loss: LOSS,
    };
    match (holder.kept, fate) {
        (_, Some(Fate::KeepsName)) => Err(named.kept_by_plan(holder.uuid, renamed)),
        (Some(kept), _) => Err(named.kept_by_argument(&holder, kept, renamed)),
        (None, Some(Fate::GivesNameUp)) => Ok(None),
        (None, None) => Ok(Some(named.may_be_taken(&holder, renamed))),
    }
}

/// Returns the full name in a planned state, if all of it is known.
fn known_name(planned: &Value) -> Option<SecretName> {
    let environment = Setting::string(planned.attribute("environment"));
    if environment.is_unknown() {
        return None;
    }
    let name = planned.attribute("name").as_str()?;
    Some(SecretName {
        environment: match environment.set() {
            Some(text) => Some(text.parse().ok()?),
            None => None,
        },
        name: name.parse().ok()?,
    })
}
