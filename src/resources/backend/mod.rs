//! `planton_secret_backend`.

mod apply;
mod blocks;
mod plan;
mod schema;
mod settings;
mod state;

use async_trait::async_trait;

use crate::names::Slug;
use crate::plugin::{
    ApplyResponse, AttributePath, Context, CreateRequest, DeleteRequest, DeleteResponse,
    Diagnostic, Diagnostics, IdentitySchema, ImportRequest, ImportResponse, ImportTarget, Imported,
    PlanRequest, PlanResponse, ReadRequest, ReadResponse, Resource, Schema, UpdateRequest, Value,
};
use crate::surface::{
    Anchor, Configured, Session, SessionState, different_organization, explain, invalid_slug,
    not_refreshed,
};
use state::Identity;

/// The resource `planton_secret_backend`.
#[derive(Clone, Debug)]
pub struct SecretBackendResource {
    session: Session,
}

impl SecretBackendResource {
    /// Serves backends of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
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
        validate(config)
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
        let session = match self.session.state() {
            SessionState::Ready(session) => Some(session),
            SessionState::Unknown(_) | SessionState::Unconfigured => None,
        };
        plan::plan(&schema::schema(), request, session.as_deref()).await
    }

    async fn create(&self, cx: &Context, request: CreateRequest) -> ApplyResponse {
        let create = async {
            let session = self.session.ready()?;
            apply::create(cx, request, &session).await
        };
        create.await.unwrap_or_else(ApplyResponse::from)
    }

    async fn update(&self, cx: &Context, request: UpdateRequest) -> ApplyResponse {
        let update = async {
            let session = self.session.ready()?;
            apply::update(cx, request, &session).await
        };
        update.await.unwrap_or_else(ApplyResponse::from)
    }

    async fn delete(&self, cx: &Context, request: DeleteRequest) -> DeleteResponse {
        let delete = async {
            let session = self.session.ready()?;
            apply::delete(cx, request, &session).await
        };
        delete.await.unwrap_or_else(DeleteResponse::from)
    }

    async fn import(&self, _cx: &Context, request: ImportRequest) -> ImportResponse {
        let import = async {
            let session = self.session.ready()?;
            import(request.target, &session).await
        };
        import.await.unwrap_or_else(ImportResponse::from)
    }
}

fn validate(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (what, name) in [("The name", "name"), ("The name prefix", "name_prefix")] {
        if let Some(text) = config.attribute(name).as_str() {
            if Slug::parse(text).is_err() {
                diagnostics.push(invalid_slug(what, text, name));
            } else if name == "name" && text == crate::operations::PLATFORM_BACKEND {
                diagnostics.push(plan::reserved_name());
            }
        }
    }
    let all: Vec<_> = blocks::BLOCKS.iter().map(|block| block.name).collect();
    match settings::set_blocks(config).as_slice() {
        [] if blocks::BLOCKS
            .iter()
            .all(|block| config.attribute(block.name).is_null()) =>
        {
            diagnostics.push(Diagnostic::error(
                "Secret Backend Missing",
                format!(
                    "No backend is configured.\n\nSet exactly one of {}.",
                    all.join(", ")
                ),
            ));
        }
        [_, second, ..] => diagnostics.push(
            Diagnostic::error(
                "Conflicting Secret Backends",
                format!(
                    "Exactly one of {} may be set; here {} are.\n\nRemove all but one, or declare \
                     two backends.",
                    all.join(", "),
                    settings::set_blocks(config)
                        .iter()
                        .map(|block| block.name)
                        .collect::<Vec<_>>()
                        .join(" and ")
                ),
            )
            .at(second.name),
        ),
        _ => {}
    }
    for block in ["hashicorp_vault", "openbao"] {
        let address = config.attribute(block).attribute("address");
        if address.as_str().is_some_and(is_exposed) {
            diagnostics.push(
                Diagnostic::warning(
                    "Backend Connection Not Encrypted",
                    "The backend is reached without TLS: whoever sees the traffic can take the \
                     token. What is stored is sealed all the same.\n\nUse an https address.",
                )
                .at(AttributePath::attribute(block).then("address")),
            );
        }
    }
    diagnostics
}

/// Says whether an address is reached without TLS beyond this machine. What is no
/// address is refused elsewhere.
fn is_exposed(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    let is_near = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => true,
    };
    url.scheme() == "http" && !is_near
}

async fn read(request: ReadRequest, session: &Configured) -> Result<ReadResponse, Diagnostic> {
    let Identity { uuid, name } = Identity::read(&request.state)?;
    let anchor = Anchor::read(&request.private)?;
    anchor.expect_catalog(session).await?;
    let organization = &session.organization;
    let seen = (anchor.generation > 0).then_some(anchor.generation);
    let refreshed = organization.refresh_backend(&name, uuid, seen).await;
    let Some(view) = refreshed.map_err(|error| explain(&error))? else {
        return Ok(ReadResponse::gone());
    };
    let mut response = ReadResponse::current(state::whole(&view));
    let anchor = Anchor {
        catalog: Some(view.catalog),
        generation: view.generation,
        deleting: view.is_deleting,
        ..anchor
    };
    response.private = Some(anchor.write());
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
        ..Anchor::default()
    };
    Ok(ImportResponse {
        imported: Some(Imported {
            state: state::whole(&view),
            private: anchor.write(),
            identity: Some(state::identity(organization.slug().as_str(), &name)),
        }),
        diagnostics: Diagnostics::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_beyond_this_machine_without_tls_is_warned_of() {
        let told = |block: &'static str, address: &str| {
            let inner = Value::object([("address", Value::from(address))]);
            let config = Value::object([("name", Value::from("own")), (block, inner)]);
            let diagnostics = validate(&config);
            assert!(!diagnostics.has_errors(), "{diagnostics:?}");
            !diagnostics.is_empty()
        };
        for block in ["hashicorp_vault", "openbao"] {
            assert!(told(block, "http://vault.example.com:8200"));
            assert!(told(block, "http://10.0.0.1:8200"));
            for quiet in [
                "https://vault.example.com",
                "http://127.0.0.1:8200",
                "http://[::1]:1",
            ] {
                assert!(!told(block, quiet), "{quiet}");
            }
        }
    }
}
