//! Plans a secret: what stays, what changes, what replaces, and whether a new
//! version is written.

use super::settings::{Settings, Source};
use super::state::{Identity, Private, copy_from, generate, strings};
use crate::names::Slug;
use crate::operations::{Interrupt, OperationError};
use crate::plugin::{
    AttributePath, Diagnostic, PlanDestroyRequest, PlanDestroyResponse, PlanRequest, PlanResponse,
    Schema, Value, proposed_with_computed_unknown,
};
use crate::surface::{Configured, Setting, deletion_protected, explain, invalid_slug};

/// What only the provider knows, and apply decides.
const DECIDED_BY_A_NEW_VERSION: [&str; 5] = [
    "version",
    "revision",
    "backend_version_id",
    "kek_id",
    "updated_at",
];

/// Plans a creation or an update; `session` is absent while the provider's
/// configuration is unknown.
pub(super) async fn plan(
    schema: &Schema,
    request: PlanRequest,
    session: Option<&Configured>,
    interrupt: &Interrupt,
) -> PlanResponse {
    let settings = Settings::read(&request.config);
    if let Some(session) = session
        && let Err(diagnostic) = check(&settings, &request.prior_state, session).await
    {
        return diagnostic.into();
    }
    let private = match Private::read(&request.prior_private) {
        Ok(private) => private,
        Err(diagnostic) => return diagnostic.into(),
    };
    if request.prior_state.is_null() {
        return plan_creation(schema, request, &settings, session);
    }
    match plan_update(request, settings, private, session, interrupt).await {
        Ok(response) => response,
        Err(diagnostic) => diagnostic.into(),
    }
}

/// Plans a destruction, and refuses it under `deletion_protection`.
pub(super) fn plan_destroy(request: &PlanDestroyRequest) -> PlanDestroyResponse {
    match refuse_if_protected(&request.prior_state) {
        Some(diagnostic) => diagnostic.into(),
        None => PlanDestroyResponse::default(),
    }
}

/// Says that a protected secret may not be destroyed.
pub(super) fn refuse_if_protected(prior_state: &Value) -> Option<Diagnostic> {
    let protected = prior_state.attribute("deletion_protection").as_bool() == Some(true);
    let name = prior_state.attribute("name").as_str().unwrap_or_default();
    protected.then(|| deletion_protected(name))
}

/// Checks what is known against the platform, before anything is written.
async fn check(settings: &Settings, prior: &Value, session: &Configured) -> Result<(), Diagnostic> {
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
        Setting::Unknown => return Ok(()),
    };
    if let (Setting::Set(_), Some(backend)) = (&settings.backend, &backend) {
        let expected = session.expect_backend(backend).await;
        expected.map_err(|error| explain(&error).at("backend"))?;
    }
    if let Source::Given(value) = &settings.source {
        let path = if settings.source.kind() == Some(crate::operations::SecretKind::KeyValue) {
            "data_wo"
        } else {
            "value_wo"
        };
        let organization = &session.organization;
        // The same plan may declare it: then its type is known, exist or not.
        let declared = backend.as_ref().and_then(|name| session.announced(name));
        let checked = match declared {
            Some(kind) => organization.check_size_of_type(&kind, value),
            None => organization.check_size(backend.as_ref(), value).await,
        };
        checked.map_err(|error| explain(&error).at(path))?;
    }
    Ok(())
}

fn plan_creation(
    schema: &Schema,
    request: PlanRequest,
    settings: &Settings,
    session: Option<&Configured>,
) -> PlanResponse {
    if matches!(settings.source, Source::Absent) {
        return value_missing("A new secret needs a value").into();
    }
    let mut planned =
        proposed_with_computed_unknown(schema, &request.config, request.proposed_state);
    decide_known(&mut planned, settings, session);
    PlanResponse::planned(planned)
}

/// Fills in what the configuration alone decides.
fn decide_known(planned: &mut Value, settings: &Settings, session: Option<&Configured>) {
    let environment = settings.effective_environment(session);
    planned.set("environment", text(&environment));
    planned.set("deletion_protection", plain(settings.deletion_protection()));
    planned.set("on_destroy", plain(settings.on_destroy()));
    planned.set("keep_versions", plain(settings.keep_versions()));
    planned.set(
        "labels_all",
        match settings.labels_all(session) {
            Setting::Set(all) => strings(&all),
            _ => Value::Unknown,
        },
    );
    if let Setting::Set(spec) = &settings.generate {
        planned.set("generate", generate(spec));
    }
    if let Setting::Set(from) = &settings.copy_from {
        planned.set("copy_from", copy_from(from));
    }
    if let Some(kind) = settings.source.kind() {
        planned.set("kind", kind.as_str());
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

async fn plan_update(
    request: PlanRequest,
    settings: Settings,
    private: Private,
    session: Option<&Configured>,
    interrupt: &Interrupt,
) -> Result<PlanResponse, Diagnostic> {
    let prior = &request.prior_state;
    let mut planned = request.proposed_state;
    decide_known(&mut planned, &settings, session);
    if session.is_none() {
        // What the provider's defaults decide stays as it was until they are known.
        for name in ["environment", "labels_all", "reference"] {
            if settings.environment.is_absent() || name == "labels_all" {
                planned.set(name, prior.attribute(name).clone());
            }
        }
    }
    if settings.backend.is_absent() {
        planned.set("backend", prior.attribute("backend").clone());
    }
    let mut kept = Private {
        compare: false,
        ..private
    };
    let replaced = replaced_paths(prior, &planned, &kept);
    if !replaced.is_empty() {
        return plan_replacement(planned, prior, replaced, &settings, &kept);
    }

    let write = decide_write(&settings, prior, &kept, session, interrupt).await?;
    kept.compare = write == Write::DecidedAtApply;
    if write == Write::Never {
        planned.set("kind", prior.attribute("kind").clone());
        let edited = ["description", "labels", "labels_all"]
            .iter()
            .any(|name| planned.attribute(name) != prior.attribute(name));
        if edited {
            planned.set("updated_at", Value::Unknown);
        }
    } else {
        if matches!(settings.source, Source::Absent) {
            return Err(value_missing("A new version needs a value"));
        }
        planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
        if settings.source.kind().is_none() {
            planned.set("kind", Value::Unknown);
        }
        if write == Write::DecidedAtApply && planned.attribute("kind") != prior.attribute("kind") {
            planned.set("kind", Value::Unknown);
        }
    }
    Ok(PlanResponse {
        private: Some(kept.write()),
        ..PlanResponse::planned(planned)
    })
}

fn replaced_paths(prior: &Value, planned: &Value, private: &Private) -> Vec<AttributePath> {
    let mut paths: Vec<_> = ["name", "environment", "backend"]
        .into_iter()
        .filter(|name| planned.attribute(name) != prior.attribute(name))
        .map(AttributePath::attribute)
        .collect();
    if private.deleting {
        // What is on its way out cannot be brought back: finish, and create anew.
        paths.push(AttributePath::attribute("id"));
    }
    paths
}

fn plan_replacement(
    mut planned: Value,
    prior: &Value,
    requires_replace: Vec<AttributePath>,
    settings: &Settings,
    private: &Private,
) -> Result<PlanResponse, Diagnostic> {
    if let Some(refused) = refuse_if_protected(prior) {
        return Err(refused);
    }
    if prior.attribute("on_destroy").as_str() == Some("retain") && !private.deleting {
        return Err(Diagnostic::error(
            "Retained Secret Not Replaceable",
            "This change replaces the secret, but on_destroy = \"retain\" would leave the old one \
             behind.\n\nSet on_destroy to \"delete\" and apply that first; or remove the resource \
             from the state (terraform state rm) to leave the old secret as it is.",
        )
        .at(requires_replace[0].clone()));
    }
    if matches!(settings.source, Source::Absent) {
        return Err(value_missing("A replaced secret needs a value"));
    }
    planned.mark_unknown(&DECIDED_BY_A_NEW_VERSION);
    planned.mark_unknown(&["id", "created_at"]);
    if settings.source.kind().is_none() {
        planned.set("kind", Value::Unknown);
    }
    if settings.backend.is_absent() {
        planned.set("backend", Value::Unknown);
    }
    Ok(PlanResponse {
        requires_replace,
        private: Some(private.write()),
        ..PlanResponse::planned(planned)
    })
}

/// Whether a new version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Never,
    Always,
    DecidedAtApply,
}

async fn decide_write(
    settings: &Settings,
    prior: &Value,
    private: &Private,
    session: Option<&Configured>,
    interrupt: &Interrupt,
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
    match &settings.source {
        // Generated anew only with the trigger.
        Source::Absent | Source::Generate(_) | Source::Copy(_) => Ok(Write::Never),
        Source::Unknown(_) => Ok(Write::DecidedAtApply),
        Source::Given(value) => {
            let Some(session) = session else {
                return Ok(Write::DecidedAtApply);
            };
            let organization = &session.organization;
            if let Some(seen) = &private.backend {
                organization.remember_backend(seen.clone());
            }
            if let Some(mac_key) = &private.mac_key {
                let expected = interrupt.bound(organization.expect_mac_key(mac_key)).await;
                expected.map_err(|error| compare_failed(&error))?;
            }
            let uuid = Identity::read(prior)?.uuid;
            let same = interrupt
                .bound(organization.is_current_value(uuid, value))
                .await;
            Ok(if same.map_err(|error| compare_failed(&error))? {
                Write::Never
            } else {
                Write::Always
            })
        }
    }
}

/// Tells why a value could not be compared, and how to do without.
pub(super) fn compare_failed(error: &OperationError) -> Diagnostic {
    let mut diagnostic = explain(error).at("value_wo_version");
    diagnostic.detail.insert_str(
        0,
        "The configured value could not be compared with the current one, which is done only \
         where value_wo_version is not set. Set value_wo_version, and a plan needs neither the \
         key nor the stored secret.\n\n",
    );
    diagnostic
}

/// Says that there is no value to write.
pub(super) fn value_missing(why: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Missing",
        format!(
            "{why}, but none of value_wo, data_wo, generate and copy_from is set, or the one that is set is \
             null.\n\nSet one of them. A value from an ephemeral variable must be given to every \
             plan and apply that writes a version."
        ),
    )
    .at("value_wo")
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
