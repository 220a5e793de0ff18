//! Plans a backend: whether a change happens in place or replaces it.

use async_trait::async_trait;

use super::SecretBackendResource;
use super::credentials::{
    check_credential, check_kept, decided_by_the_apply, may_be_hidden, planned_source,
    takes_credential, use_planned, with_seen_credential,
};
use super::keys;
use super::lost_credentials::{Bare, Replaced};
use super::moved_keys::decide_moved;
use super::ownership::is_own;
use super::replacement::replaced_paths;
use super::schema::schema;
use super::settings::{chosen, name_prefix, on_destroy, store_settings, verify_connection};
use super::state::Identity;
use super::successor::{check_successor, create_name, give_name_up, keep_name};
use crate::diagnostics::{About, explain, explain_at};
use crate::fields;
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::{Configured, Plan, Planning};
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::OperationError;
use planton_plugin::{
    AttributePath, Diagnostic, Diagnostics, PlanDestroyRequest, PlanDestroyResponse, PlanRequest,
    PlanResponse, Value, proposed_with_computed_unknown, write_only_as_null,
};
use planton_vendors::BackendType;

#[async_trait]
impl Plan for SecretBackendResource {
    /// Announces the backend to the secrets of the same plan, and checks its settings.
    async fn check(
        &self,
        session: &Configured,
        request: &PlanRequest,
    ) -> Result<Diagnostics, Diagnostic> {
        let config = &request.config;
        announce(config, session);
        if let Some(settings) = store_settings(config) {
            let checked = session
                .organization
                .backends()
                .check_settings(&settings, None);
            checked.map_err(|error| located(config, &error))?;
        }
        Ok(Diagnostics::new())
    }

    async fn plan_creation(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let config = &request.config;
        let session = planning.session.as_deref();
        check_credential(config, session)?;
        let mut planned = proposed_with_computed_unknown(&schema(), config, request.proposed_state);
        decide_known(&mut planned, config, None);
        keys::check(None, &planned, config, session)?;
        // Private data of the first plan of a replacement. In the plan that a host repeats before
        // the apply, private data of the plan, if the host keeps that.
        let is_repeated = request.planned_private.is_some();
        let kept = request.planned_private.unwrap_or(request.prior_private);
        let bare = Bare::of(config);
        let replaced = Replaced::stored(&kept)?;
        if let Some(session) = session.filter(|_| !is_repeated) {
            create_name(config, replaced.as_ref(), session)?;
        }
        if let (Some(session), Some(replaced)) = (session, &replaced) {
            // What a plan finds at the present place says nothing about the new one.
            session.announce(replaced.name(), Setting::Unknown);
        }
        let private = match (replaced, bare) {
            (Some(replaced), bare) => {
                let anchor = Anchor::read(&kept)?;
                let session = session.filter(|_| is_own(&anchor));
                expect_kept(&replaced, bare.as_ref(), session).await?;
                kept
            }
            (None, Some(bare)) => bare.beside(kept),
            (None, None) => kept,
        };
        Ok(PlanResponse {
            private: Some(private),
            ..PlanResponse::planned(planned)
        })
    }

    async fn plan_update(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let session = planning.session.as_deref();
        let replaced = Replaced::of(&request.prior_state)?;
        let mut planned = request.proposed_state.clone();
        decide_known(&mut planned, &request.config, Some(&request.prior_state));
        keys::check(
            Some(&request.prior_state),
            &planned,
            &request.config,
            session,
        )?;
        let paths = replaced_paths(&request.prior_state, &planned);
        let mut response = if paths.is_empty() {
            let anchor = Anchor::read(&request.prior_private)?;
            if is_own(&anchor) {
                decide_moved(&mut planned, &request.prior_private)?;
            }
            plan_in_place(request, planned, session)?
        } else {
            plan_replacement(request, planned, paths, session).await?
        };
        response.private = response.private.map(|private| replaced.beside(private));
        Ok(response)
    }

    async fn plan_destroy(
        &self,
        planning: &Planning,
        request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostic> {
        if let Some(session) = &planning.session {
            give_name_up(&request, session);
        }
        Ok(PlanDestroyResponse::default())
    }
}

/// Announces the backend by its name before it exists, since secrets of the same plan may
/// refer to it.
fn announce(config: &Value, session: &Configured) {
    let name = config.attribute("name").as_str();
    if let Some(name) = name.and_then(|name| name.parse().ok()) {
        let kind = chosen(config).map_or(Setting::Unknown, |block| {
            Setting::Set(block.name().to_owned())
        });
        session.announce(&name, kind);
    }
}

/// Sets the attributes that the configuration alone decides.
fn decide_known(planned: &mut Value, config: &Value, prior: Option<&Value>) {
    planned.set("name_prefix", plain(name_prefix(config)));
    planned.set("verify_connection", plain(verify_connection(config)));
    planned.set("on_destroy", plain(on_destroy(config)));
    let kind = chosen(config).map_or(Value::Unknown, |block| block.name().into());
    planned.set("type", kind);
    planned.set("credential_source", planned_source(config, prior));
    keys::decide_ids(planned, prior);
}

/// Plans a replacement, unless secrets or the default still use the backend.
async fn plan_replacement(
    request: PlanRequest,
    mut planned: Value,
    replaced: Vec<AttributePath>,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let prior = &request.prior_state;
    let Identity { uuid, name } = Identity::read(prior)?;
    // The sealed credential stays with the replaced backend.
    planned.set("credential_source", planned_source(&request.config, None));
    let anchor = Anchor::read(&request.prior_private)?;
    let owning = session.filter(|_| is_own(&anchor));
    if let Some(session) = owning {
        let unused = session.organization.backends().expect_unused(&name, uuid);
        unused
            .await
            .map_err(|error| explain(&error).at(replaced[0].clone()))?;
    }
    let bare = Bare::of(&request.config);
    expect_kept(&Replaced::of(prior)?, bare.as_ref(), owning).await?;
    check_credential(&request.config, session)?;
    let warned = match owning {
        Some(session) => check_successor((uuid, &name), &planned, session).await?,
        None => None,
    };
    planned.mark_unknown(&["id", "created_at", "updated_at", "key_ids"]);
    Ok(PlanResponse {
        requires_replace: replaced,
        private: Some(request.prior_private),
        diagnostics: warned.into_iter().collect(),
        ..PlanResponse::planned(planned)
    })
}

/// Rejects a replacement whose successor would lose a sealed credential.
async fn expect_kept(
    replaced: &Replaced,
    bare: Option<&Bare>,
    session: Option<&Configured>,
) -> Result<(), Diagnostic> {
    match replaced.loses(bare, session).await? {
        Some(lost) => Err(lost.refuses_replacement()),
        None => Ok(()),
    }
}

/// Plans a change in place, or none.
fn plan_in_place(
    request: PlanRequest,
    mut planned: Value,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let prior = &request.prior_state;
    let identity = Identity::read(prior)?;
    if let Some(session) = session {
        keep_name(identity.uuid, &identity.name, session)?;
    }
    let stored = write_only_as_null(&schema(), planned.clone());
    // Credentials are not checked while they wait for their trigger, or while
    // `ignore_changes` may hide them until the apply.
    let takes_credential = takes_credential(prior, &stored, &request.config);
    if takes_credential {
        if !may_be_hidden(prior, &planned, &request.config) {
            check_credential(&request.config, session)?;
        }
    } else {
        check_kept(prior, &request.config, session)?;
    }
    let anchor = Anchor::read(&request.prior_private)?;
    if let Some(session) = session.filter(|_| is_own(&anchor)) {
        use_planned(takes_credential, &identity, &request, session);
    }
    let is_deleting = anchor.deleting;
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
        response.diagnostics.push(resumed(&identity.name));
    }
    Ok(response)
}

/// Returns the diagnostic of a failure at the setting that it is about, or at the backend's
/// block. An outage is about neither.
pub(super) fn located(config: &Value, error: &OperationError) -> Diagnostic {
    explain_at(error, |about| attribute_of(config, about))
}

/// Returns the attribute that an error is about.
pub(super) fn attribute_of(config: &Value, about: About<'_>) -> Option<AttributePath> {
    match about {
        About::Name => Some("name".into()),
        About::Setting(named) => chosen(config).map(|block| innermost(block, named)),
        About::Address => chosen(config).map(|block| innermost(block, block.address)),
        About::Key(slot, named) => Some(keys::path_of_setting(config, slot, named)),
        About::Escrow => Some(keys::ESCROW.into()),
        About::Nothing
        | About::Selector
        | About::Backend
        | About::Value
        | About::Version
        | About::CopySource
        | About::AllowedKeys
        | About::Fingerprint => None,
    }
}

/// Returns the path of a setting of a backend's block, as a vendor's code names it.
pub(super) fn innermost(block: &BackendType, named: &str) -> AttributePath {
    let path = AttributePath::attribute(block.name());
    fields::innermost(path, block.name(), block.fields, named)
}

/// Warns that this plan takes a backend back into use after an unfinished deletion.
fn resumed(name: &Slug) -> Diagnostic {
    Diagnostic::warning(
        "Backend Deletion Not Finished",
        format!(
            "A deletion of secret backend {:?} was started and not finished, so the backend accepts \
             no new secret. It is part of the configuration, so this plan takes it back into \
             use.\n\nTo finish the deletion, remove the backend from the configuration. If another \
             run is deleting it at the moment, wait for that run.",
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
    fn a_setting_that_a_vendor_names_is_found_in_its_block() {
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
