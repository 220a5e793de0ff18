//! `planton_default_backend`.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::names::Slug;
use crate::operations::{Interrupt, OperationError, PLATFORM_BACKEND};
use crate::plugin::{
    ApplyResponse, Attribute, Context, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic,
    Diagnostics, IdentityAttribute, IdentitySchema, ImportRequest, ImportResponse, ImportTarget,
    Imported, PlanRequest, PlanResponse, PrivateData, ReadRequest, ReadResponse, Resource, Schema,
    UpdateRequest, Value, proposed_with_computed_unknown,
};
use crate::surface::{
    Anchor, Configured, Session, SessionState, different_organization, explain, invalid_slug,
    not_refreshed,
};

const TIMEOUT: Duration = Duration::from_mins(10);

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
        if let Some(text) = config.attribute("backend").as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug("The backend", text, "backend"));
        }
        diagnostics
    }

    async fn read(&self, _cx: &Context, request: ReadRequest) -> ReadResponse {
        if let SessionState::Unknown(_) = self.session.state() {
            let mut response = ReadResponse::current(request.state);
            response.diagnostics.push(not_refreshed());
            return response;
        }
        let read = async {
            let session = self.session.ready()?;
            read(request, &session).await
        };
        read.await.unwrap_or_else(ReadResponse::from)
    }

    async fn plan(&self, _cx: &Context, request: PlanRequest) -> PlanResponse {
        if let SessionState::Ready(session) = self.session.state()
            && let Some(text) = request.config.attribute("backend").as_str()
        {
            let expected = async {
                let backend = slug(text)?;
                let expected = session.expect_backend(&backend).await;
                expected.map_err(|error| explain(&error).at("backend"))
            };
            if let Err(diagnostic) = expected.await {
                return diagnostic.into();
            }
        }
        if request.prior_state.is_null() {
            let planned =
                proposed_with_computed_unknown(&schema(), &request.config, request.proposed_state);
            return PlanResponse::planned(planned);
        }
        PlanResponse {
            private: Some(request.prior_private),
            ..PlanResponse::planned(request.proposed_state)
        }
    }

    async fn create(&self, cx: &Context, request: CreateRequest) -> ApplyResponse {
        let create = async {
            let session = self.session.ready()?;
            let platform = slug(PLATFORM_BACKEND)?;
            set(cx, request.planned_state, &platform, &session).await
        };
        create.await.unwrap_or_else(ApplyResponse::from)
    }

    async fn update(&self, cx: &Context, request: UpdateRequest) -> ApplyResponse {
        let update = async {
            let session = self.session.ready()?;
            let anchor = Anchor::read(&request.planned_private)?;
            anchor.expect_same(&session).await?;
            let before = backend_of(&request.prior_state)?;
            Written::read(&request.planned_private)?.remember(&session);
            set(cx, request.planned_state, &before, &session).await
        };
        update.await.unwrap_or_else(ApplyResponse::from)
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> DeleteResponse {
        let delete = async {
            let session = self.session.ready()?;
            let anchor = Anchor::read(&request.planned_private)?;
            anchor.expect_same(&session).await?;
            let before = backend_of(&request.prior_state)?;
            Written::read(&request.planned_private)?.remember(&session);
            let interrupt = interrupt(cx);
            let unset = session
                .organization
                .unset_default_backend(&before, &interrupt);
            let unset = interrupt.bound(unset).await;
            unset.map_err(|error| explain(&error))?;
            Ok(DeleteResponse::default())
        };
        delete
            .await
            .unwrap_or_else(|diagnostic: Diagnostic| diagnostic.into())
    }

    async fn import(&self, _cx: &Context, request: ImportRequest) -> ImportResponse {
        let import = async {
            let session = self.session.ready()?;
            import(request.target, &session).await
        };
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
    ])
    .describe(
        "Chooses the backend of secrets that name none, when they are created. An organization has \
         one default: creation fails where another than `platform` is chosen already, unless that \
         is imported. Destroying it makes `platform` the default again.\n\nSecrets that should go \
         to a new default need `depends_on`, so that they are created after it.",
    )
}

async fn set(
    cx: &Context,
    planned: Value,
    expected: &Slug,
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let backend = backend_of(&planned)?;
    let organization = &session.organization;
    let interrupt = interrupt(cx);
    let set = organization.set_default_backend(&backend, expected, &interrupt);
    let set = interrupt.bound(set).await;
    let view = set.map_err(|error| {
        let diagnostic = explain(&error);
        match error {
            OperationError::UnknownBackend { .. }
            | OperationError::BackendDeleting { .. }
            | OperationError::DefaultBackendExists { .. } => diagnostic.at("backend"),
            _ => diagnostic,
        }
    })?;
    let anchor = Anchor::of(session, view.catalog, 0).await?;
    let written = Written(Some((view.generation, view.backend)));
    let slug = organization.slug().as_str();
    Ok(ApplyResponse {
        private: Some(written.beside(anchor.write())),
        identity: Some(identity(slug)),
        ..ApplyResponse::applied(planned.with("id", slug))
    })
}

async fn read(request: ReadRequest, session: &Configured) -> Result<ReadResponse, Diagnostic> {
    let anchor = Anchor::read(&request.private)?;
    anchor.expect_catalog(session).await?;
    let written = Written::read(&request.private)?;
    written.remember(session);
    let organization = &session.organization;
    let view = organization.default_backend_view().await;
    let view = view.map_err(|error| explain(&error))?;
    if !view.is_chosen {
        return Ok(ReadResponse::gone());
    }
    let slug = organization.slug().as_str();
    let mut response = ReadResponse::current(state(slug, &view.backend));
    let anchor = Anchor {
        catalog: Some(view.catalog),
        ..anchor
    };
    response.private = Some(written.beside(anchor.write()));
    response.identity = Some(identity(slug));
    Ok(response)
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
    let slug = organization.slug().as_str();
    let anchor = Anchor {
        catalog: Some(view.catalog),
        ..Anchor::default()
    };
    Ok(ImportResponse {
        imported: Some(Imported {
            state: state(slug, &view.backend),
            private: anchor.write(),
            identity: Some(identity(slug)),
        }),
        diagnostics: Diagnostics::new(),
    })
}

fn state(organization: &str, backend: &Slug) -> Value {
    Value::object([
        ("id", Value::from(organization)),
        ("backend", backend.as_str().into()),
    ])
}

fn identity(organization: &str) -> Value {
    Value::object([("organization", Value::from(organization))])
}

fn backend_of(state: &Value) -> Result<Slug, Diagnostic> {
    slug(state.attribute("backend").as_str().unwrap_or_default())
}

fn slug(text: &str) -> Result<Slug, Diagnostic> {
    text.parse()
        .map_err(|_| invalid_slug("The backend", text, "backend"))
}

fn interrupt(cx: &Context) -> Interrupt {
    Interrupt::new(cx.cancellation.clone(), Some(Instant::now() + TIMEOUT))
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
