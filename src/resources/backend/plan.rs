//! Plans a backend: what changes in place, and what is another place.

use super::credentials::{
    check_credential, check_kept, check_replaced, decided_by_the_apply, may_be_hidden,
    planned_source, takes_credential, with_seen_credential,
};
use super::ownership::is_own;
use super::replacement::replaced_paths;
use super::settings::{chosen, name_prefix, on_destroy, store_settings, verify_connection};
use super::state::Identity;
use crate::diagnostics::{About, explain, explain_at};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::OperationError;
use planton_plugin::{
    AttributePath, Diagnostic, PlanRequest, PlanResponse, Schema, Value,
    proposed_with_computed_unknown, write_only_as_null,
};
use planton_vendors::{BackendType, Change, Field, Holds};

/// Plans a creation or an update; `session` is absent while the provider's
/// configuration is unknown.
pub(super) async fn plan(
    schema: &Schema,
    request: PlanRequest,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let config = &request.config;
    if let Some(session) = session {
        announce(config, session);
        if let Some(settings) = store_settings(config) {
            session
                .organization
                .backends()
                .check_settings(&settings, None)
                .map_err(|error| located(config, &error))?;
        }
    }
    if request.prior_state.is_null() {
        check_credential(config, session)?;
        let mut planned =
            proposed_with_computed_unknown(schema, &request.config, request.proposed_state);
        decide_known(&mut planned, &request.config, None);
        return Ok(PlanResponse::planned(planned));
    }
    plan_update(schema, request, session).await
}

/// Announces the backend before it exists, by its name alone: secrets of the same
/// plan may name it.
fn announce(config: &Value, session: &Configured) {
    let name = config.attribute("name").as_str();
    if let Some(name) = name.and_then(|name| name.parse().ok()) {
        let kind = chosen(config).map_or(Setting::Unknown, |block| {
            Setting::Set(block.name().to_owned())
        });
        session.announce(&name, kind);
    }
}

/// Fills in what the configuration alone decides.
fn decide_known(planned: &mut Value, config: &Value, prior: Option<&Value>) {
    planned.set("name_prefix", plain(name_prefix(config)));
    planned.set("verify_connection", plain(verify_connection(config)));
    planned.set("on_destroy", plain(on_destroy(config)));
    let kind = chosen(config).map_or(Value::Unknown, |block| block.name().into());
    planned.set("type", kind);
    planned.set("credential_source", planned_source(config, prior));
}

async fn plan_update(
    schema: &Schema,
    request: PlanRequest,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let prior = &request.prior_state;
    let identity = Identity::read(prior)?;
    let mut planned = request.proposed_state;
    decide_known(&mut planned, &request.config, Some(prior));
    let replaced = replaced_paths(prior, &planned);
    if !replaced.is_empty() {
        // The sealed credential stays with the backend that goes.
        let source = planned_source(&request.config, None);
        planned.set("credential_source", source);
        let anchor = Anchor::read(&request.prior_private)?;
        if let Some(session) = session.filter(|_| is_own(&anchor)) {
            let name = &identity.name;
            let unused = session
                .organization
                .backends()
                .expect_unused(name, identity.uuid);
            unused
                .await
                .map_err(|error| explain(&error).at(replaced[0].clone()))?;
        }
        check_replaced(prior, &request.config)?;
        check_credential(&request.config, session)?;
        planned.mark_unknown(&["id", "created_at", "updated_at"]);
        return Ok(PlanResponse {
            requires_replace: replaced,
            private: Some(request.prior_private),
            ..PlanResponse::planned(planned)
        });
    }
    let stored = write_only_as_null(schema, planned.clone());
    // Credentials that wait for their trigger are not looked at, nor those that
    // `ignore_changes` may hide until the apply.
    if takes_credential(prior, &stored, &request.config) {
        if !may_be_hidden(prior, &planned, &request.config) {
            check_credential(&request.config, session)?;
        }
    } else {
        check_kept(prior, &request.config, session)?;
    }
    let is_deleting = Anchor::read(&request.prior_private)?.deleting;
    let differs = |ignored: &str| {
        let mut attributes = stored.entries().into_iter().flatten();
        attributes.any(|(name, value)| name != ignored && value != prior.attribute(name))
    };
    let is_edited = differs("timeouts") || is_deleting;
    let is_open = decided_by_the_apply(&planned) && (differs("") || is_deleting);
    if is_open {
        planned.set("credential_source", Value::Unknown);
    }
    if is_edited || is_open {
        planned.set("updated_at", Value::Unknown);
    }
    let private = with_seen_credential(request.prior_private, &request.config);
    let mut response = PlanResponse {
        private: Some(private),
        ..PlanResponse::planned(planned)
    };
    if is_deleting {
        response.diagnostics.push(taken_back(&identity.name));
    }
    Ok(response)
}

/// Tells a failure to do with the backend at the attribute that it names, or at
/// its block; an outage that no setting has to do with, at neither.
pub(super) fn located(config: &Value, error: &OperationError) -> Diagnostic {
    explain_at(error, |about| match about {
        About::Name => Some("name".into()),
        About::Setting(named) => chosen(config).map(|block| innermost(block, named)),
        About::Address => chosen(config).map(|block| innermost(block, block.address)),
        About::Nothing
        | About::Selector
        | About::Backend
        | About::Value
        | About::Version
        | About::CopySource => None,
    })
}

/// Returns the path of what an adapter names: `region`, `secret_access_key` (a
/// part of the credential), `openbao.approle.secret_id_wo`.
pub(super) fn innermost(block: &BackendType, named: &str) -> AttributePath {
    let mut path = AttributePath::attribute(block.name());
    let mut fields = block.fields;
    for segment in named.split('.').filter(|segment| *segment != block.name()) {
        let of_this_name = |field: &&Field| {
            field.name == segment
                || matches!(field.change, Change::Credential(part) if part == segment)
        };
        let Some(field) = fields.iter().find(of_this_name) else {
            break;
        };
        path = path.then(field.name);
        match field.holds {
            Holds::Block(inner) => fields = inner,
            _ => break,
        }
    }
    path
}

/// Says what becomes of a deletion that nobody finished.
fn taken_back(name: &Slug) -> Diagnostic {
    Diagnostic::warning(
        "Backend Deletion Not Finished",
        format!(
            "A deletion of secret backend {:?} was begun and not finished, so no new secret may go \
             there. Since it is in the configuration, this plan takes it back into use.\n\nTo \
             finish the deletion, remove the backend from the configuration. Where another run is \
             deleting it just now, wait for that.",
            name.as_str()
        ),
    )
    .at("name")
}

pub(super) fn plain<T: Into<Value>>(setting: Setting<T>) -> Value {
    match setting {
        Setting::Absent => Value::Null,
        Setting::Unknown => Value::Unknown,
        Setting::Set(value) => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_adapter_names_is_found_in_its_block() {
        let path = |kind: &str, named: &str| {
            let block = BackendType::of(kind).expect("a type");
            format!("{:?}", innermost(block, named))
        };
        let at = |steps: &[&str]| {
            let (first, rest) = steps.split_first().expect("steps");
            let path = AttributePath::attribute(*first);
            format!(
                "{:?}",
                rest.iter().fold(path, |path, step| path.then(*step))
            )
        };
        for (kind, named, steps) in [
            ("aws_secrets_manager", "region", &["region"][..]),
            (
                "aws_secrets_manager",
                "secret_access_key",
                &["secret_access_key_wo"],
            ),
            (
                "openbao",
                "openbao.approle.secret_id_wo",
                &["approle", "secret_id_wo"],
            ),
            ("openbao", "openbao.address", &["address"]),
            (
                "aws_secrets_manager",
                "session_token_wo",
                &["session_token_wo"],
            ),
            (
                "gcp_secret_manager",
                "service_account_key_json",
                &["service_account_key_json_wo"],
            ),
            ("azure_key_vault", "client_secret", &["client_secret_wo"]),
            (
                "hashicorp_vault",
                "kubernetes.token_file",
                &["kubernetes", "token_file"],
            ),
            ("azure_key_vault", "planton/x", &[]),
        ] {
            let whole: Vec<&str> = [kind].iter().chain(steps).copied().collect();
            assert_eq!(path(kind, named), at(&whole), "{named}");
        }
    }
}
