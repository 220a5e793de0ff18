//! `planton_secret_backend`.

mod apply;
mod blocks;
mod credentials;
mod ownership;
mod plan;
mod schema;
mod settings;
mod state;
mod validate;

use std::sync::Arc;

use async_trait::async_trait;

use crate::surface::{
    Anchor, Bounds, Configured, Session, SessionState, Timeout, different_organization, explain,
    invalid_slug, not_refreshed,
};
use planton_core::names::Slug;
use planton_core::operations::{ConnectStore, RefreshedBackend};
use planton_plugin::{
    ApplyResponse, Context, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics,
    IdentitySchema, ImportRequest, ImportResponse, ImportTarget, Imported, PlanRequest,
    PlanResponse, ReadRequest, ReadResponse, Resource, Schema, UpdateRequest, Value,
};
use state::Identity;

/// The resource `planton_secret_backend`.
#[derive(Clone, Debug)]
pub struct SecretBackendResource {
    session: Session,
    connector: Arc<dyn ConnectStore>,
}

impl SecretBackendResource {
    /// Serves backends of what `session` is configured for; `connector` checks
    /// their settings before anything is configured.
    #[must_use]
    pub fn new(session: Session, connector: Arc<dyn ConnectStore>) -> Self {
        Self { session, connector }
    }
}

#[async_trait]
impl Resource for SecretBackendResource {
    fn type_name(&self) -> &'static str {
        "planton_secret_backend"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(schema::identity_schema())
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        validate::validate(config, self.connector.as_ref())
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
        let read = bounds.reading("the backend was read", read);
        read.await.unwrap_or_else(ReadResponse::from)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        let session = match self.session.state() {
            SessionState::Ready(session) => Some(session),
            SessionState::Unknown(_) | SessionState::Unconfigured => None,
        };
        let bounds = Bounds::new(cx, &request.proposed_state, Timeout::Read);
        let schema = schema::schema();
        let plan = plan::plan(&schema, request, session.as_deref());
        let plan = bounds.reading("the backend was planned", plan);
        plan.await.unwrap_or_else(PlanResponse::from)
    }

    async fn create(&self, cx: &Context, request: CreateRequest) -> ApplyResponse {
        let bounds = Bounds::new(cx, &request.planned_state, Timeout::Create);
        let create = async {
            let session = self.session.ready()?;
            apply::create(&bounds.interrupt(), request, &session).await
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
            apply::update(&bounds.interrupt(), request, &session).await
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
            apply::delete(&bounds.interrupt(), request, &session).await
        };
        bounds
            .writing(delete)
            .await
            .unwrap_or_else(DeleteResponse::from)
    }

    async fn import(&self, cx: &Context, request: ImportRequest) -> ImportResponse {
        let bounds = Bounds::new(cx, &Value::Null, Timeout::Read);
        let import = async {
            let session = self.session.ready()?;
            import(request.target, &session).await
        };
        let import = bounds.reading("the backend was imported", import);
        import.await.unwrap_or_else(ImportResponse::from)
    }
}

async fn read(request: ReadRequest, session: &Configured) -> Result<ReadResponse, Diagnostic> {
    let Identity { uuid, name } = Identity::read(&request.state)?;
    let anchor = Anchor::read(&request.private)?;
    anchor.expect_catalog(session).await?;
    let organization = &session.organization;
    let seen = (anchor.generation > 0).then_some(anchor.generation);
    let refreshed = organization.refresh_backend(&name, uuid, seen).await;
    let anchor = Anchor {
        organization: Some(organization.slug().to_string()),
        ..anchor
    };
    let mut response = match refreshed.map_err(|error| explain(&error))? {
        RefreshedBackend::Gone => return Ok(ReadResponse::gone()),
        RefreshedBackend::RecordMissing => ownership::record_missing(request.state, anchor, &name),
        RefreshedBackend::Present(view) => {
            let timeouts = request.state.attribute("timeouts").clone();
            ownership::found(request.state, anchor, &view, || {
                state::whole(&view, timeouts)
            })
        }
    };
    response.identity = Some(state::identity(organization.slug().as_str(), &name));
    Ok(response)
}

async fn import(target: ImportTarget, session: &Configured) -> Result<ImportResponse, Diagnostic> {
    let organization = &session.organization;
    let text = match &target {
        ImportTarget::Id(text) => text.clone(),
        ImportTarget::Identity(identity) => {
            if let Some(refused) = different_organization(identity, organization.slug()) {
                return Err(refused);
            }
            let name = identity.attribute("name").as_str();
            name.unwrap_or_default().to_owned()
        }
    };
    let name: Slug = text
        .parse()
        .map_err(|_| invalid_slug("The backend", &text, "name"))?;
    let view = organization.find_backend(&name).await;
    let view = view.map_err(|error| explain(&error))?;
    let anchor = Anchor {
        catalog: Some(view.catalog),
        organization: Some(organization.slug().to_string()),
        stamp: Some(view.owner.stamp),
        ..Anchor::default()
    };
    Ok(ImportResponse {
        imported: Some(Imported {
            state: state::whole(&view, Value::Null),
            private: anchor.write(),
            identity: Some(state::identity(organization.slug().as_str(), &name)),
        }),
        diagnostics: Diagnostics::new(),
    })
}
