//! `planton_secret`.

mod apply;
mod destruction;
mod plan;
mod replacement;
mod schema;
mod settings;
mod source;
mod state;
mod validate;

use async_trait::async_trait;

use crate::surface::{
    Bounds, Configured, Finding, Session, SessionState, Timeout, different_organization, explain,
    invalid_slug, named_secret, not_refreshed,
};
use planton_core::names::SecretName;
use planton_core::operations::{Interrupt, Refreshed, SecretView, Selector};
use planton_plugin::{
    ApplyResponse, Context, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic, Diagnostics,
    IdentitySchema, ImportRequest, ImportResponse, ImportTarget, Imported, PlanDestroyRequest,
    PlanDestroyResponse, PlanRequest, PlanResponse, ReadRequest, ReadResponse, Resource, Schema,
    UpdateRequest, Value,
};
use state::{Identity, Private};

/// What an import by uuid begins with: a bare uuid is a valid name.
const BY_UUID: &str = "id:";

/// The resource `planton_secret`.
#[derive(Clone, Debug)]
pub struct SecretResource {
    session: Session,
}

impl SecretResource {
    /// Serves secrets of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

#[async_trait]
impl Resource for SecretResource {
    fn type_name(&self) -> &'static str {
        "planton_secret"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(schema::identity_schema())
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        validate::validate(config)
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
            read(&bounds.interrupt(), request, &session).await
        };
        let read = bounds.reading("the secret was read", read);
        read.await.unwrap_or_else(ReadResponse::from)
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> PlanResponse {
        let state = self.session.state();
        let session = match &state {
            SessionState::Ready(session) => Some(session.as_ref()),
            SessionState::Unknown(_) | SessionState::Unconfigured => None,
        };
        let bounds = Bounds::new(cx, &request.proposed_state, Timeout::Read);
        let ground = plan::Ground {
            defaults: &state.defaults(),
            session,
            interrupt: &bounds.interrupt(),
        };
        let schema = schema::schema();
        let plan = plan::plan(&schema, request, ground);
        let plan = bounds.reading("the secret was planned", plan);
        plan.await.unwrap_or_else(PlanResponse::from)
    }

    async fn plan_destroy(&self, cx: &Context, request: PlanDestroyRequest) -> PlanDestroyResponse {
        let state = self.session.state();
        let session = match &state {
            SessionState::Ready(session) => Some(session.as_ref()),
            SessionState::Unknown(_) | SessionState::Unconfigured => None,
        };
        let bounds = Bounds::new(cx, &request.prior_state, Timeout::Read);
        let interrupt = bounds.interrupt();
        let plan = destruction::plan_destroy(request, session, &interrupt);
        let plan = bounds.reading("the destruction was planned", plan);
        plan.await.unwrap_or_else(PlanDestroyResponse::from)
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
        let import = bounds.reading("the secret was imported", import);
        import.await.unwrap_or_else(ImportResponse::from)
    }
}

async fn read(
    interrupt: &Interrupt,
    request: ReadRequest,
    session: &Configured,
) -> Result<ReadResponse, Diagnostic> {
    let identity = Identity::read(&request.state)?;
    let private = Private::read(&request.private)?;
    apply::expect_catalog(&private, session, interrupt).await?;
    let refresh = identity.refresh(&private);
    let refreshed = session.organization.refresh_secret(&refresh).await;
    let refreshed = refreshed.map_err(|error| explain(&error))?;
    let timeouts = request.state.attribute("timeouts").clone();
    let mut diagnostics = Diagnostics::new();
    let (view, private, state) = match refreshed {
        Refreshed::Gone => return Ok(ReadResponse::gone()),
        Refreshed::RecordMissing => {
            return Ok(record_missing(request, &identity.name, private));
        }
        Refreshed::Present(view) => {
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::VersionLost(view) => {
            let state = state::whole(&view, timeouts).with("version", Value::Null);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Unchecked(view, reason) => {
            diagnostics.push(not_checked(&view, &reason));
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Unreachable(view, reason) => {
            diagnostics.push(not_reached(&view, &reason));
            let state = state::whole(&view, timeouts);
            (view.clone(), private.found(&view), state)
        }
        Refreshed::Deleting(view) => {
            let private = Private {
                deleting: true,
                ..private.found(&view)
            };
            let state = state::whole(&view, timeouts);
            (view, private, state)
        }
    };
    if private.finding == Some(Finding::OtherOwner) {
        let text = named_secret(&view.name, |named| named.owned_by_another(&view.owner));
        diagnostics.push(Diagnostic::warning("Secret Owned By Another State", text));
    }
    let organization = session.organization.slug().as_str();
    let mut response = ReadResponse::current(state);
    response.diagnostics = diagnostics;
    response.private = Some(private.write());
    response.identity = Some(state::identity(organization, &identity.name));
    Ok(response)
}

/// Keeps a resource whose record the catalog does not have: that is nobody's end.
fn record_missing(request: ReadRequest, name: &SecretName, private: Private) -> ReadResponse {
    let private = Private {
        finding: Some(Finding::RecordMissing),
        ..private
    };
    let mut response = ReadResponse::current(request.state);
    let text = named_secret(name, |named| named.record_missing());
    response
        .diagnostics
        .push(Diagnostic::warning("Secret Record Missing", text));
    response.private = Some(private.write());
    response.identity = Some(request.identity).filter(|identity| !identity.is_null());
    response
}

async fn import(target: ImportTarget, session: &Configured) -> Result<ImportResponse, Diagnostic> {
    let organization = &session.organization;
    let target = match target {
        ImportTarget::Id(text) if text.starts_with(BY_UUID) => {
            let uuid = text[BY_UUID.len()..].parse();
            Selector::Uuid(uuid.map_err(|_| invalid_import(&text))?)
        }
        ImportTarget::Id(text) => {
            let mut name: SecretName = text.parse().map_err(|_| invalid_import(&text))?;
            if name.environment.is_none() {
                name.environment.clone_from(&session.default_environment);
            }
            Selector::Name(name)
        }
        ImportTarget::Identity(identity) => {
            let text = |name: &str| identity.attribute(name).as_str().map(str::to_owned);
            if let Some(refused) = different_organization(&identity, organization.slug()) {
                return Err(refused);
            }
            let slug = |what: &str, attribute: &'static str| match text(attribute) {
                Some(text) => text
                    .parse()
                    .map(Some)
                    .map_err(|_| invalid_slug(what, &text, attribute)),
                None => Ok(None),
            };
            let environment = slug("The environment", "environment")?;
            let name = slug("The name", "name")?;
            Selector::Name(SecretName {
                environment,
                name: name.ok_or_else(|| invalid_import(""))?,
            })
        }
    };
    let view = match &target {
        Selector::Uuid(uuid) => organization.find_secret_by_uuid(*uuid).await,
        Selector::Name(name) => organization.find_secret(name).await,
    };
    let view = view.map_err(|error| explain(&error))?;
    let state = state::whole(&view, Value::Null);
    Ok(ImportResponse {
        imported: Some(Imported {
            state,
            private: Private {
                seen: None,
                generation: 0,
                ..Private::of(&view)
            }
            .write(),
            identity: Some(state::identity(organization.slug().as_str(), &view.name)),
        }),
        diagnostics: Diagnostics::new(),
    })
}

/// Says that a backend is out of reach whose secret is to be forgotten.
fn not_reached(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Unreachable",
        format!(
            "Backend {:?} of secret {:?} cannot be reached, so the state shows what the catalog \
             says.\n\nThe secret has on_destroy = \"forget\": destroying it removes its record \
             without asking the backend.\n\nOriginal error: {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}

/// Says that a backend could not be asked, and that nothing is taken for gone.
fn not_checked(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Not Checked",
        format!(
            "Whether backend {:?} still holds secret {:?} was not looked at: its credential is \
             sealed under a key that may not be used here. What the catalog says is taken for \
             true.\n\nFor a role that only plans, declare the backend without static credentials, \
             so that the vendor's ambient chain serves; or let the role decrypt.\n\nOriginal error: \
             {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}

fn invalid_import(text: &str) -> Diagnostic {
    Diagnostic::error(
        "Invalid Import Identifier",
        format!(
            "{text:?} does not name a secret.\n\nImport by name, by environment/name, or by id: \
             terraform import planton_secret.db production/db, or id:<uuid>."
        ),
    )
}
