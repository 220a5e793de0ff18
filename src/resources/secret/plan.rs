//! Plans a secret: what stays, what changes, what replaces, and whether a new
//! version is written.

mod write;

use uuid::Uuid;

use super::replacement::{Existing, Mark, plan_replacement, replaced_paths};
use super::settings::{Settings, generate_spec};
use super::source::Source;
use super::state::{Identity, Private, generate, strings, with_defaults};
use crate::diagnostics::{explain, invalid_slug, named_secret};
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, PartlyKnown, Planning};
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{MetRecord, Owner};
use planton_plugin::{
    Diagnostic, PlanRequest, PlanResponse, Schema, Value, proposed_with_computed_unknown,
    write_only_as_null,
};
pub(super) use write::compare_failed;
use write::{Write, decide_write};

/// What only the provider knows, and apply decides.
pub(super) const DECIDED_BY_A_NEW_VERSION: [&str; 5] = [
    "version",
    "revision",
    "backend_version_id",
    "kek_id",
    "updated_at",
];

/// Plans a creation or an update.
pub(super) async fn plan(
    schema: &Schema,
    request: PlanRequest,
    planning: &Planning,
) -> Result<PlanResponse, Diagnostic> {
    let settings = Settings::read(&request.config);
    let warned = match &planning.session {
        None => None,
        Some(session) => check(&settings, &request.prior_state, session).await?,
    };
    let mut response = if request.prior_state.is_null() {
        plan_creation(schema, request, &settings, planning)?
    } else {
        let private = Private::read(&request.prior_private)?;
        plan_update(schema, request, settings, private, planning).await?
    };
    response.diagnostics.extend(warned);
    Ok(response)
}

/// Checks what is known against the platform, before anything is written.
/// Returns a warning of a backend that may not exist by the apply.
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
        // A secret stays where it is, whatever the default is by now.
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
            // Nothing is known of its limits.
            return Ok(Some(warned.at("backend")));
        }
    }
    if let Source::Given(value) = &settings.source {
        let path = settings.source.argument();
        let organization = &session.organization;
        // The same plan may declare it: then its type is known, exist or not.
        let declared = backend
            .as_ref()
            .map_or(Setting::Absent, |name| session.announced(name));
        let checked = match declared {
            Setting::Set(kind) => organization.secrets().check_size_of_type(&kind, value),
            // The apply knows its type, and checks before it writes.
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

/// Plans a creation, or the second half of a replacement.
fn plan_creation(
    schema: &Schema,
    request: PlanRequest,
    settings: &Settings,
    planning: &Planning,
) -> Result<PlanResponse, Diagnostic> {
    // What the first plan of a replacement gave; in a plan that is repeated before
    // the apply, what the plan gave, where the host keeps that.
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
            "To destroy without one, run terraform destroy -refresh=false.",
        ));
    }
    if settings.backend.is_absent()
        && let (Some(session), Some(name)) =
            (&planning.session, settings.known_name(&planning.defaults))
    {
        session.plan_by_default(&name.to_string());
    }
    let mut planned =
        proposed_with_computed_unknown(schema, &request.config, request.proposed_state);
    decide_known(&mut planned, &request.config, settings, &planning.defaults);
    planned.set("kind", certain_kind(settings));
    Ok(PlanResponse {
        private: Some(mark.beside(kept)),
        ..PlanResponse::planned(planned)
    })
}

/// Fills in what the configuration alone decides.
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
    let spec = generate_spec(&unset).expect("nothing of it is unknown");
    for (name, defaults) in [
        ("generate", generate(&spec)),
        (
            "copy_from",
            Value::object([("delete_source", Value::from(false))]),
        ),
    ] {
        planned.set(name, with_defaults(config.attribute(name), defaults));
    }
    let reference = match (&settings.name, &environment) {
        (Setting::Set(name), Setting::Set(environment)) => {
            Value::from(format!("$secret/@{environment}/{name}"))
        }
        (Setting::Set(name), Setting::Absent) => Value::from(format!("$secret/{name}")),
        _ => Value::Unknown,
    };
    planned.set("reference", reference);
}

/// Returns the kind that a new version has; unknown where the source does not
/// decide it yet. One that is given may come by the other argument in the apply,
/// where an ephemeral value need not be what it was in the plan.
pub(super) fn certain_kind(settings: &Settings) -> Value {
    if settings.source.may_be_given() {
        return Value::Unknown;
    }
    let kind = settings.source.kind();
    kind.map_or(Value::Unknown, |kind| Value::from(kind.as_str()))
}

async fn plan_update(
    schema: &Schema,
    request: PlanRequest,
    settings: Settings,
    private: Private,
    planning: &Planning,
) -> Result<PlanResponse, Diagnostic> {
    let prior = &request.prior_state;
    let existing = Existing::of(prior, &private);
    let mut planned = request.proposed_state;
    decide_known(&mut planned, &request.config, &settings, &planning.defaults);
    if settings.backend.is_absent() {
        planned.set("backend", prior.attribute("backend").clone());
    }
    let mut kept = Private {
        compare: false,
        given: settings.source.may_be_given(),
        ..private
    };
    let replaced = replaced_paths(prior, &planned, &kept);
    if !replaced.is_empty() {
        let mut response = plan_replacement(planned, replaced, &settings, &existing)?;
        response.private = Some(Mark::Existing(existing).beside(kept.write()));
        return Ok(response);
    }

    let decided = decide_write(&settings, prior, &kept, planning).await?;
    let is_edited = kept.displaced || write_only_as_null(schema, planned.clone()) != *prior;
    let write = match decided {
        // What is updated anyway may be given another value by the apply.
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
        planned.set("kind", prior.attribute("kind").clone());
        let edited = ["description", "labels", "labels_all"]
            .iter()
            .any(|name| planned.attribute(name) != prior.attribute(name));
        // A displaced secret that is planned as a current resource takes its name back.
        if edited || kept.displaced {
            planned.set("updated_at", Value::Unknown);
        }
    } else {
        if matches!(settings.source, Source::Absent) && decided != Write::Unchanged {
            warnings.push(nothing_to_write(prior)?);
        }
        mark_version(&mut planned, prior, &settings, write);
    }
    let mut response = PlanResponse {
        private: Some(Mark::Existing(existing).beside(kept.write())),
        ..PlanResponse::planned(planned)
    };
    response.diagnostics.extend(warnings);
    Ok(response)
}

/// Plans what a new version decides as unknown.
fn mark_version(planned: &mut Value, prior: &Value, settings: &Settings, write: Write) {
    planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
    let kind = certain_kind(settings);
    let is_certain = write == Write::Always || kind == *prior.attribute("kind");
    planned.set("kind", if is_certain { kind } else { Value::Unknown });
}

/// Why a value that stands in the configuration may not have been seen.
pub(super) const NOT_SEEN: &str = "A value under ignore_changes counts as not set.";

/// Says that there is no value to write.
pub(super) fn value_missing(why: &str, more: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Missing",
        format!(
            "{why}, but none of value_wo, data_wo, generate and copy_from is set, or the one that is set is \
             null.\n\nSet one of them. A value from an ephemeral variable must be given to every \
             plan and apply that writes a version. {more}"
        ),
    )
    .at("value_wo")
}

/// Refuses a version without a value; where the current one is lost, warns that the
/// apply will have none. No error: a destroy begins with a plan like this.
fn nothing_to_write(prior: &Value) -> Result<Diagnostic, Diagnostic> {
    if !prior.attribute("version").is_null() {
        return Err(value_missing("A new version needs a value", NOT_SEEN));
    }
    Ok(Diagnostic::warning(
        "Lost Version Needs Value",
        format!(
            "The backend does not hold the current version of secret {:?}, or not the one that \
             this provider wrote. An apply writes the next version, but none of value_wo, data_wo, \
             generate and copy_from is set, or the one that is set is null: it will fail.\n\nGive \
             the value to the plan and the apply. A destroy needs none.",
            prior.attribute("name").as_str().unwrap_or_default()
        ),
    )
    .at("value_wo"))
}

/// What the apply can't mend, unless the other secret goes before it.
fn name_is_taken(prior: &Value, holder: Uuid, owner: &Owner) -> Result<Diagnostic, Diagnostic> {
    let name = Identity::read(prior)?.name;
    // Whether it gives way to a run that is resumed, only the apply looks.
    let met = MetRecord::new(owner.clone(), false);
    let detail = named_secret(&name, |named| named.displaced(holder, &met));
    Ok(Diagnostic::warning("Secret Displaced", detail).at("name"))
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
