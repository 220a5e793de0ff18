//! Plans a secret: a change in place, a replacement, and whether the apply writes a new
//! version.

mod new_version;

use async_trait::async_trait;
use uuid::Uuid;

use super::SecretResource;
use super::copied::check_source;
use super::deletion_protection::plan_destroy;
use super::replacement::{Existing, Mark, plan_replacement, replaced_paths};
use super::schema::schema;
use super::settings::{Settings, generate_spec};
use super::source::Source;
use super::state::{Identity, Private, generate, strings, with_defaults};
use super::successor::{
    check_successor, create_name, destroyed_first, give_name_up, is_replacement, keep_name,
};
use crate::diagnostics::{Named, explain, invalid_slug};
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, PartlyKnown, Plan, Planning};
use crate::setting::Setting;
pub(super) use new_version::compare_failed;
use new_version::{Write, decide_write};
use planton_core::names::Slug;
use planton_core::operations::{ExistingRecord, Owner};
use planton_plugin::{
    Diagnostic, Diagnostics, PlanDestroyRequest, PlanDestroyResponse, PlanRequest, PlanResponse,
    Value, proposed_with_computed_unknown, write_only_as_null,
};

/// Computed attributes that a new version changes. They are unknown until the apply.
pub(super) const DECIDED_BY_A_NEW_VERSION: [&str; 2] = ["version", "revision"];

#[async_trait]
impl Plan for SecretResource {
    /// Checks the backend and the size of the value, before anything is written.
    async fn check(
        &self,
        session: &Configured,
        request: &PlanRequest,
    ) -> Result<Diagnostics, Diagnostic> {
        let settings = Settings::read(&request.config);
        let prior = &request.prior_state;
        let mut warned = check(&settings, prior, session).await?;
        if is_replacement(prior, &request.proposed_state) {
            warned = warned.map(destroyed_first);
        }
        Ok(warned.into_iter().collect())
    }

    async fn plan_creation(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let settings = Settings::read(&request.config);
        // Private data of the first plan of a replacement. In the plan that a host repeats before
        // the apply, private data of the plan, if the host keeps that.
        let is_repeated = request.planned_private.is_some();
        let kept = request.planned_private.unwrap_or(request.prior_private);
        let mark = Mark::of(&kept).unwrap_or(Mark::Creation);
        if let Mark::Existing(existing) = &mark
            && let Some(refused) = existing.refuses_replacement()
        {
            return Err(refused);
        }
        if matches!(settings.source, Source::Absent) {
            return Err(value_missing(
                match mark {
                    Mark::Creation => "A new secret needs a value",
                    Mark::Existing(_) => "A replaced secret needs a value",
                },
                DESTROY_WITHOUT_VALUE,
            ));
        }
        if let Some(session) = &planning.session {
            let defaults = &planning.defaults;
            let name = settings.known_name(defaults);
            if let Some(name) = name.as_ref().filter(|_| settings.backend.is_absent()) {
                session.plan_by_default(&name.to_string());
            }
            if !is_repeated {
                if let Some(name) = &name {
                    create_name(name, &mark, session)?;
                }
                check_source(&settings, &mark, (session, defaults)).await?;
            }
        }
        let mut planned =
            proposed_with_computed_unknown(&schema(), &request.config, request.proposed_state);
        decide_known(&mut planned, &request.config, &settings, &planning.defaults);
        Ok(PlanResponse {
            private: Some(mark.beside(kept)),
            ..PlanResponse::planned(planned)
        })
    }

    async fn plan_update(
        &self,
        planning: &Planning,
        request: PlanRequest,
    ) -> Result<PlanResponse, Diagnostic> {
        let settings = Settings::read(&request.config);
        let private = Private::read(&request.prior_private)?;
        let prior = &request.prior_state;
        let existing = Existing::of(prior, &private);
        let mut planned = request.proposed_state;
        decide_known(&mut planned, &request.config, &settings, &planning.defaults);
        if settings.backend.is_absent() {
            planned.set("backend", prior.attribute("backend").clone());
        }
        let kept = Private {
            compare: false,
            given: settings.source.may_be_given(),
            ..private
        };
        let replaced = replaced_paths(prior, &planned, &kept);
        if !replaced.is_empty() {
            let mut response = plan_replacement(planned, replaced, &settings, &existing)?;
            if let Some(session) = &planning.session {
                let planned = &response.planned_state;
                let checked = check_successor(prior, planned, (&settings, &existing), session);
                response.diagnostics.extend(checked.await?);
            }
            response.private = Some(Mark::Existing(existing).beside(kept.write()));
            return Ok(response);
        }
        if let Some(session) = &planning.session {
            let Identity { uuid, name, .. } = Identity::read(prior)?;
            keep_name(uuid, &name, session)?;
        }
        plan_in_place(&settings, prior, planned, kept, planning).await
    }

    async fn plan_destroy(
        &self,
        planning: &Planning,
        request: PlanDestroyRequest,
    ) -> Result<PlanDestroyResponse, Diagnostic> {
        if let Some(session) = &planning.session {
            give_name_up(&request, session);
        }
        plan_destroy(request, planning.session.as_deref()).await
    }
}

/// Checks the known settings against the platform. Returns a warning about a backend that
/// may not exist by the apply.
async fn check(
    settings: &Settings,
    prior: &Value,
    session: &Configured,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let backend: Option<Slug> = match &settings.backend {
        Setting::Set(text) => Some(
            text.parse()
                .map_err(|_| invalid_slug("The backend", text, "backend"))?,
        ),
        // A secret never moves, even if the default has changed.
        Setting::Absent => prior
            .attribute("backend")
            .as_str()
            .and_then(|text| text.parse().ok()),
        Setting::Unknown => return Ok(None),
    };
    if let (Setting::Set(_), Some(backend)) = (&settings.backend, &backend) {
        let expected = session.expect_backend(backend).await;
        let warned = expected.map_err(|error| explain(&error).at("backend"))?;
        if let Some(warned) = warned {
            // Its limits are unknown.
            return Ok(Some(warned.at("backend")));
        }
    }
    if let Source::Given(value) = &settings.source {
        let path = settings.source.argument();
        let organization = &session.organization;
        // If the same plan declares the backend, its type is known before it exists.
        let declared = backend
            .as_ref()
            .map_or(Setting::Absent, |name| session.announced(name));
        let checked = match declared {
            Setting::Set(kind) => organization.secrets().check_size_of_type(&kind, value),
            // The apply knows the type, and checks the size before it writes.
            Setting::Unknown => Ok(()),
            Setting::Absent => {
                organization
                    .secrets()
                    .check_size(backend.as_ref(), value)
                    .await
            }
        };
        checked.map_err(|error| explain(&error).at(path))?;
    }
    Ok(None)
}

/// Sets the attributes that the configuration alone decides.
fn decide_known(planned: &mut Value, config: &Value, settings: &Settings, defaults: &PartlyKnown) {
    let environment = settings.effective_environment(defaults);
    planned.set("environment", text(&environment));
    planned.set("deletion_protection", plain(settings.deletion_protection()));
    planned.set("on_destroy", plain(settings.on_destroy()));
    planned.set("keep_versions", plain(settings.keep_versions()));
    planned.set(
        "labels_all",
        match settings.labels_all(defaults) {
            Setting::Set(all) => strings(&all),
            _ => Value::Unknown,
        },
    );
    let unset = Value::object::<&str>([]);
    let spec = generate_spec(&unset).expect("an empty object has no unknown part");
    for (name, defaults) in [
        ("generate", generate(&spec)),
        (
            "copy_from",
            Value::object([("delete_source", Value::from(false))]),
        ),
    ] {
        planned.set(name, with_defaults(config.attribute(name), defaults));
    }
}

/// Plans a change in place, a new version, or neither.
async fn plan_in_place(
    settings: &Settings,
    prior: &Value,
    mut planned: Value,
    mut kept: Private,
    planning: &Planning,
) -> Result<PlanResponse, Diagnostic> {
    let decided = decide_write(settings, prior, &kept, planning).await?;
    let is_edited = kept.displaced || write_only_as_null(&schema(), planned.clone()) != *prior;
    let write = match decided {
        // The apply of another change may get another value than the plan.
        Write::Unchanged if is_edited && kept.anchor.finding.is_none() => Write::DecidedAtApply,
        Write::Unchanged => Write::Never,
        decided => decided,
    };
    kept.compare = write == Write::DecidedAtApply;
    let mut warnings = Vec::new();
    if let Some((holder, owner)) = &kept.displaced_by {
        warnings.push(name_is_taken(prior, *holder, owner)?);
    }
    if write == Write::Never {
        // The apply restores a displaced secret under its name, which no attribute shows.
        if kept.displaced {
            planned.set("labels_all", Value::Unknown);
        }
    } else {
        if matches!(settings.source, Source::Absent) && decided != Write::Unchanged {
            warnings.push(nothing_to_write(prior)?);
        }
        planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
    }
    let mut response = PlanResponse {
        private: Some(Mark::Existing(Existing::of(prior, &kept)).beside(kept.write())),
        ..PlanResponse::planned(planned)
    };
    response.diagnostics.extend(warnings);
    Ok(response)
}

/// Reason why the provider may not see a configured value.
pub(super) const NOT_SEEN: &str = "A value under ignore_changes counts as not set.";

/// Way out of a plan that needs a value, since a destroy starts with the same plan.
const DESTROY_WITHOUT_VALUE: &str = "To destroy without one, run terraform destroy -refresh=false.";

/// Rejects a change that needs a value and has none.
pub(super) fn value_missing(why: &str, more: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Missing",
        format!(
            "{why}, but value_wo, data_wo, generate and copy_from are all unset or null.\n\nSet one \
             of them. If the value comes from an ephemeral variable, set that variable for every \
             plan and apply that writes a version. {more}"
        ),
    )
    .at("value_wo")
}

/// Rejects a new version without a value. If the current version is lost, warns instead that
/// the apply will fail, since a destroy starts with the same plan.
fn nothing_to_write(prior: &Value) -> Result<Diagnostic, Diagnostic> {
    if !prior.attribute("version").is_null() {
        let more = format!("{NOT_SEEN} {DESTROY_WITHOUT_VALUE}");
        return Err(value_missing("A new version needs a value", &more));
    }
    Ok(Diagnostic::warning(
        "Lost Version Needs Value",
        format!(
            "The current version of secret {:?} is missing in the backend, or is not the one that \
             this provider wrote. The apply would write the next version, but will fail, since \
             value_wo, data_wo, generate and copy_from are all unset or null.\n\nSet the value for \
             the plan and the apply. A destroy needs none.",
            prior.attribute("name").as_str().unwrap_or_default()
        ),
    )
    .at("value_wo"))
}

/// Warns that another secret has the name. The apply fails unless that secret is destroyed
/// first.
fn name_is_taken(prior: &Value, holder: Uuid, owner: &Owner) -> Result<Diagnostic, Diagnostic> {
    let name = Identity::read(prior)?.name;
    // Only the apply checks whether PLANTON_RESUME resumes the other secret's run.
    let existing = ExistingRecord::new(owner.clone(), false);
    let displaced = Named::secret(&name).displaced(holder, &existing);
    Ok(displaced.into_warning().at("name"))
}

fn text(setting: &Setting<String>) -> Value {
    match setting {
        Setting::Absent => Value::Null,
        Setting::Unknown => Value::Unknown,
        Setting::Set(text) => Value::from(text.as_str()),
    }
}

fn plain<T: Into<Value>>(setting: Setting<T>) -> Value {
    match setting {
        Setting::Absent => Value::Null,
        Setting::Unknown => Value::Unknown,
        Setting::Set(value) => value.into(),
    }
}

#[cfg(test)]
mod tests;
