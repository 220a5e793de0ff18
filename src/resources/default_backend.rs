//! `planton_default_backend`.

use async_trait::async_trait;

use crate::surface::{
    Anchor, Bounds, Committed, Configured, Session, SessionState, Timeout, different_organization,
    explain, invalid_slug, named_default, not_refreshed, timeouts_attribute, validate_timeouts,
};
use planton_core::names::Slug;
use planton_core::operations::{
    DefaultSet, Destroyed, Interrupt, KnownDefault, OperationError, PLATFORM_BACKEND, SetDefault,
};
use planton_plugin::{
    ApplyResponse, Attribute, Context, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic,
    Diagnostics, IdentityAttribute, IdentitySchema, ImportRequest, ImportResponse, ImportTarget,
    Imported, PlanRequest, PlanResponse, PrivateData, ReadRequest, ReadResponse, Resource, Schema,
    UpdateRequest, Value, proposed_with_computed_unknown,
};

/// The resource `planton_default_backend`: at most one for an organization.
#[derive(Clone, Debug)]
pub struct DefaultBackendResource {
    session: Session,
}

impl DefaultBackendResource {
    /// Serves the default backend of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

#[async_trait]
impl Resource for DefaultBackendResource {
    fn type_name(&self) -> &'static str {
        "planton_default_backend"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(IdentitySchema::new([IdentityAttribute::required(
            "organization",
        )
        .describe("The organization.")]))
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        validate_timeouts(config, &mut diagnostics);
        if let Some(text) = config.attribute("backend").as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug("The backend", text, "backend"));
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> ReadResponse {
        if let SessionState::Unknown(_) = self.session.state() {
            let mut response = ReadResponse::current(request.state);
            response.diagnostics.push(not_refreshed());
            return response;
        }
        let bounds = Bounds::new(cx, &request.state, Timeout::Read);
        let read = async {
            let session = self.session.ready()?;
            read(request, &session).await
        };
        let read = bounds.reading("the default backend was read", read);
        read.await.unwrap_or_else(ReadResponse::from)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        let session = match self.session.state() {
            SessionState::Ready(session) => Some(session),
            SessionState::Unknown(_) | SessionState::Unconfigured => None,
        };
        let bounds = Bounds::new(cx, &request.proposed_state, Timeout::Read);
        let plan = plan(request, session.as_deref());
        let plan = bounds.reading("the default backend was planned", plan);
        plan.await.unwrap_or_else(PlanResponse::from)
    }

    async fn create(&self, cx: &Context, request: CreateRequest) -> ApplyResponse {
        let bounds = Bounds::new(cx, &request.planned_state, Timeout::Create);
        let create = async {
            let session = self.session.ready()?;
            let interrupt = bounds.interrupt();
            set(&interrupt, request.planned_state, None, &session).await
        };
        bounds
            .writing(create)
            .await
            .unwrap_or_else(ApplyResponse::from)
    }

    async fn update(&self, cx: &Context, request: UpdateRequest) -> ApplyResponse {
        let bounds = Bounds::new(cx, &request.planned_state, Timeout::Update);
        let update = async {
            let session = self.session.ready()?;
            let anchor = Anchor::read(&request.planned_private)?;
            anchor.expect_same(&session).await?;
            let before = known(&request.prior_state, &anchor)?;
            Written::read(&request.planned_private)?.remember(&session);
            let interrupt = bounds.interrupt();
            set(&interrupt, request.planned_state, Some(before), &session).await
        };
        bounds
            .writing(update)
            .await
            .unwrap_or_else(ApplyResponse::from)
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> DeleteResponse {
        let bounds = Bounds::new(cx, &request.prior_state, Timeout::Delete);
        let delete = async {
            let session = self.session.ready()?;
            let anchor = Anchor::read(&request.planned_private)?;
            anchor.expect_same(&session).await?;
            let before = known(&request.prior_state, &anchor)?;
            Written::read(&request.planned_private)?.remember(&session);
            let interrupt = bounds.interrupt();
            let backend = before.backend.clone();
            let organization = &session.organization;
            let unset = organization.unset_default_backend(before, &interrupt);
            let unset = unset.await.map_err(|error| explain(&error))?;
            Ok(unset_told(&backend, unset))
        };
        bounds
            .writing(delete)
            .await
            .unwrap_or_else(|diagnostic: Diagnostic| diagnostic.into())
    }

    async fn import(&self, cx: &Context, request: ImportRequest) -> ImportResponse {
        let bounds = Bounds::new(cx, &Value::Null, Timeout::Read);
        let import = async {
            let session = self.session.ready()?;
            import(request.target, &session).await
        };
        let import = bounds.reading("the default backend was imported", import);
        import.await.unwrap_or_else(ImportResponse::from)
    }
}

fn schema() -> Schema {
    Schema::new([
        Attribute::string("backend").required().describe(
            "The backend's name; `platform` is the built-in one. Changes in place, and moves no \
             secret.",
        ),
        Attribute::string("id")
            .computed()
            .describe("The organization."),
        timeouts_attribute(),
    ])
    .describe(
        "Chooses the backend of secrets that name none, when they are created. An organization has \
         one default: creation fails where another state has set it already, unless that is \
         imported. Destroying it makes `platform` the default again.\n\nSecrets that should go \
         to a new default need `depends_on`, so that they are created after it.",
    )
}

/// Plans a choice; `session` is absent while the provider's configuration is
/// unknown.
async fn plan(
    request: PlanRequest,
    session: Option<&Configured>,
) -> Result<PlanResponse, Diagnostic> {
    let mut diagnostics = Diagnostics::new();
    if let (Some(session), Some(text)) = (session, request.config.attribute("backend").as_str()) {
        let expected = session.expect_backend(&slug(text)?).await;
        let warned = expected.map_err(|error| explain(&error).at("backend"))?;
        diagnostics.extend(warned.map(|warned| warned.at("backend")));
        let before = request.prior_state.attribute("backend").as_str();
        // What is the default unless anybody has chosen another.
        if before.unwrap_or(PLATFORM_BACKEND) != text {
            diagnostics.extend(planned_before(&session.planned_by_default(), text));
        }
    }
    let response = if request.prior_state.is_null() {
        let planned =
            proposed_with_computed_unknown(&schema(), &request.config, request.proposed_state);
        PlanResponse::planned(planned)
    } else {
        PlanResponse {
            private: Some(request.prior_private),
            ..PlanResponse::planned(request.proposed_state)
        }
    };
    Ok(PlanResponse {
        diagnostics,
        ..response
    })
}

async fn set(
    interrupt: &Interrupt,
    planned: Value,
    before: Option<KnownDefault>,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let backend = backend_of(&planned)?;
    let organization = &session.organization;
    let set = organization.set_default_backend(SetDefault { backend, before }, interrupt);
    let DefaultSet { view, adopted_from } = set.await.map_err(|error| {
        let diagnostic = explain(&error);
        match error {
            OperationError::UnknownBackend { .. }
            | OperationError::BackendDeleting { .. }
            | OperationError::DefaultBackendExists { .. } => diagnostic.at("backend"),
            _ => diagnostic,
        }
    })?;
    let stamp = view.owner.as_ref().map(|owner| owner.stamp);
    let committed = Committed {
        catalog: view.catalog,
        generation: view.generation,
        stamp: stamp.ok_or_else(|| Diagnostic::bug("A default was set that nobody owns."))?,
    };
    let anchor = Anchor::of(session, committed).await?;
    let left = session.take_created_elsewhere(&view.backend);
    let left = left_behind(&left, view.backend.as_str());
    let completed =
        adopted_from.map(|former| named_default(&view.backend, |named| named.completed(&former)));
    let written = Written(Some((view.generation, view.backend)));
    let slug = organization.slug().as_str();
    let mut response = ApplyResponse {
        private: Some(written.beside(anchor.write())),
        identity: Some(identity(slug)),
        ..ApplyResponse::applied(planned.with("id", slug))
    };
    response
        .diagnostics
        .extend(completed.into_iter().chain(left));
    Ok(response)
}

/// Warns of secrets that Terraform may create before the default changes.
fn planned_before(secrets: &[String], backend: &str) -> Option<Diagnostic> {
    (!secrets.is_empty()).then(|| {
        Diagnostic::warning(
            "Secrets Planned Before Default",
            format!(
                "This plan makes {backend:?} the default backend, and creates secrets that name no \
                 backend and do not wait for the change: {}. Terraform may create them first, on \
                 the former default. A secret never moves.\n\n{WAIT}",
                listed(secrets)
            ),
        )
        .at("backend")
    })
}

/// Warns of secrets that this run created on the former default.
fn left_behind(secrets: &[String], backend: &str) -> Option<Diagnostic> {
    (!secrets.is_empty()).then(|| {
        Diagnostic::warning(
            "Secrets On Former Default",
            format!(
                "Backend {backend:?} is the default from now on. This run created secrets on the \
                 former default before, and there they stay: {}.\n\nTo create them on {backend:?} \
                 instead, set their backend, which replaces them. For secrets to come: {WAIT}",
                listed(secrets)
            ),
        )
        .at("backend")
    })
}

const WAIT: &str = "Add depends_on = [planton_default_backend.<name>] to a secret that is to go to \
                    the new default, or set its backend.";

/// Names up to ten secrets.
fn listed(secrets: &[String]) -> String {
    const MOST: usize = 10;
    let quoted = secrets.iter().take(MOST).map(|name| format!("{name:?}"));
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if secrets.len() > MOST {
        text.push_str(&format!(" and {} more", secrets.len() - MOST));
    }
    text
}

async fn read(request: ReadRequest, session: &Configured) -> Result<ReadResponse, Diagnostic> {
    let anchor = Anchor::read(&request.private)?;
    anchor.expect_catalog(session).await?;
    let written = Written::read(&request.private)?;
    written.remember(session);
    let organization = &session.organization;
    let view = organization.default_backend_view().await;
    let view = view.map_err(|error| explain(&error))?;
    let slug = organization.slug().as_str();
    let known = backend_of(&request.state)?;
    let (anchor, state, warning) = match &view.owner {
        // The record is written once and never taken away.
        None if view.generation == 0 => (
            anchor.missing(),
            request.state,
            Some((
                "Default Backend Record Missing",
                named_default(&known, |named| named.record_missing()),
            )),
        ),
        None => return Ok(ReadResponse::gone()),
        Some(owner) => {
            // Where private data was lost, the choice found is taken for this state's: it
            // has no identity to tell, and nothing is destroyed with it.
            let stamp = anchor.stamp.or(Some(owner.stamp));
            let anchor = Anchor { stamp, ..anchor }.found(owner);
            if anchor.finding.is_none() {
                let timeouts = request.state.attribute("timeouts").clone();
                (anchor, state(slug, &view.backend, timeouts), None)
            } else {
                let detail = named_default(&view.backend, |named| named.owned_by_another(owner));
                let warning = ("Default Backend Owned By Another State", detail);
                (anchor, request.state, Some(warning))
            }
        }
    };
    let mut response = ReadResponse::current(state);
    let anchor = Anchor {
        catalog: Some(view.catalog),
        organization: Some(organization.slug().to_string()),
        generation: view.generation.max(anchor.generation),
        ..anchor
    };
    response.private = Some(written.beside(anchor.write()));
    response.identity = Some(identity(slug));
    response
        .diagnostics
        .extend(warning.map(|(summary, detail)| Diagnostic::warning(summary, detail)));
    Ok(response)
}

/// Tells what a destroy left.
fn unset_told(backend: &Slug, unset: Destroyed) -> DeleteResponse {
    let warning = match unset {
        Destroyed::Done | Destroyed::Forgotten => None,
        Destroyed::LeftToOwner(owner) => Some((
            "Default Backend Left To Its Owner",
            named_default(backend, |named| named.left_to_owner(&owner)),
        )),
        Destroyed::GivenBack(owner) => Some((
            "Default Backend Left To Its Owner",
            named_default(backend, |named| named.given_back(&owner)),
        )),
        Destroyed::RecordMissing => Some((
            "Default Backend Record Missing",
            "The catalog has no record of the default backend any more, so nothing was changed: \
             without one the default is \"platform\"."
                .to_owned(),
        )),
    };
    let mut response = DeleteResponse::default();
    response
        .diagnostics
        .extend(warning.map(|(summary, detail)| Diagnostic::warning(summary, detail)));
    response
}

/// What this resource wrote last, kept beside its state: the default must not go
/// back behind it. What a refresh shows is another matter: nothing has verified that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Written(Option<(u64, Slug)>);

impl Written {
    const PRIVATE: &str = "written";

    fn read(data: &PrivateData) -> Result<Self, Diagnostic> {
        let Some(bytes) = data.bytes(Self::PRIVATE) else {
            return Ok(Self(None));
        };
        let written = serde_json::from_slice(bytes).map_err(|_| Anchor::unreadable())?;
        Ok(Self(Some(written)))
    }

    fn beside(&self, data: PrivateData) -> PrivateData {
        match &self.0 {
            Some(written) => {
                let bytes = serde_json::to_vec(written).expect("plain fields serialize");
                data.with(Self::PRIVATE, bytes)
            }
            None => data,
        }
    }

    fn remember(&self, session: &Configured) {
        if let Some((generation, backend)) = &self.0 {
            let organization = &session.organization;
            organization.remember_default_backend(backend, *generation);
        }
    }
}

async fn import(target: ImportTarget, session: &Configured) -> Result<ImportResponse, Diagnostic> {
    let organization = &session.organization;
    if let ImportTarget::Identity(asked) = &target
        && let Some(refused) = different_organization(asked, organization.slug())
    {
        return Err(refused);
    }
    let view = organization.default_backend_view().await;
    let view = view.map_err(|error| explain(&error))?;
    // The organization's name, or the default's: there is only the one.
    if let ImportTarget::Id(text) = &target
        && text != organization.slug().as_str()
        && text != view.backend.as_str()
    {
        return Err(Diagnostic::error(
            "Invalid Import Identifier",
            format!(
                "The default backend of organization {:?} is {:?}.\n\nImport by the \
                 organization's name: terraform import planton_default_backend.this {0}",
                organization.slug().as_str(),
                view.backend.as_str(),
            ),
        ));
    }
    let Some(owner) = &view.owner else {
        return Err(Diagnostic::error(
            "Default Backend Not Set",
            format!(
                "Nobody has set the default backend of organization {:?}, so there is nothing to \
                 import.\n\nRemove the import; an apply creates the resource.",
                organization.slug().as_str()
            ),
        ));
    };
    let slug = organization.slug().as_str();
    let anchor = Anchor {
        catalog: Some(view.catalog),
        organization: Some(organization.slug().to_string()),
        stamp: Some(owner.stamp),
        ..Anchor::default()
    };
    Ok(ImportResponse {
        imported: Some(Imported {
            state: state(slug, &view.backend, Value::Null),
            private: anchor.write(),
            identity: Some(identity(slug)),
        }),
        diagnostics: Diagnostics::new(),
    })
}

fn state(organization: &str, backend: &Slug, timeouts: Value) -> Value {
    Value::object([
        ("id", Value::from(organization)),
        ("backend", backend.as_str().into()),
        ("timeouts", timeouts),
    ])
}

fn identity(organization: &str) -> Value {
    Value::object([("organization", Value::from(organization))])
}

fn known(state: &Value, anchor: &Anchor) -> Result<KnownDefault, Diagnostic> {
    Ok(KnownDefault {
        backend: backend_of(state)?,
        stamp: anchor.stamp,
    })
}

fn backend_of(state: &Value) -> Result<Slug, Diagnostic> {
    slug(state.attribute("backend").as_str().unwrap_or_default())
}

fn slug(text: &str) -> Result<Slug, Diagnostic> {
    text.parse()
        .map_err(|_| invalid_slug("The backend", text, "backend"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_accepts_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }

    #[test]
    fn what_was_written_comes_back_and_damage_is_an_error_never_nothing() {
        let written = Written(Some((7, Slug::parse("two").expect("a slug"))));
        let data = written.beside(Anchor::default().write());
        assert_eq!(Written::read(&data), Ok(written));
        assert_eq!(Anchor::read(&data), Ok(Anchor::default()));
        assert_eq!(Written::read(&PrivateData::new()), Ok(Written(None)));
        for damaged in ["", "7", r#"[7,"Not A Slug"]"#] {
            let data = PrivateData::new().with(Written::PRIVATE, damaged);
            assert!(Written::read(&data).is_err(), "{damaged}");
        }
    }
}
