//! `data "planton_secret_backend"`: a backend without its credential.

use async_trait::async_trait;

use crate::diagnostics::{About, explain, explain_at, invalid_slug};
use crate::session::{Configured, SessionDataSource};
use crate::timestamp::to_the_second;
use planton_core::names::Slug;
use planton_core::operations::{BackendView, OperationError, PLATFORM_BACKEND};
use planton_plugin::{Attribute, AttributeType, Diagnostic, Diagnostics, Schema, Value};

/// The data source `planton_secret_backend`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretBackendDataSource;

#[async_trait]
impl SessionDataSource for SecretBackendDataSource {
    const TYPE_NAME: &'static str = "planton_secret_backend";
    const NOUN: &'static str = "the backend";

    fn schema(&self) -> Schema {
        let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
        Schema::new([
            Attribute::string("name")
                .required()
                .describe("Name of the backend; `platform` is the built-in one."),
            computed(
                "id",
                "UUID of the backend; null for `platform` until the organization's first secret \
                 or backend is created.",
            ),
            computed(
                "type",
                "Type of the backend: the name of its block; `platform` for the built-in one.",
            ),
            computed("description", "Human-readable description."),
            computed(
                "name_prefix",
                "Prefix of the names of the backend's objects.",
            ),
            computed(
                "credential_source",
                "Source of the credentials: `static` for configured ones, `ambient` for the \
                 vendor's default credential chain; null for the built-in backend.",
            ),
            Attribute::map("settings", AttributeType::String)
                .computed()
                .describe(
                    "Settings of the backend as configured, without credentials. Blocks and sets \
                     are encoded in JSON.",
                ),
            computed("created_at", "Time of creation (RFC 3339)."),
            computed("updated_at", "Time of the last change (RFC 3339)."),
        ])
        .describe("Reads a secret backend, without its credentials.")
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if let Some(text) = config.attribute("name").as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug("The name", text, "name"));
        }
        diagnostics
    }

    async fn read(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic> {
        find(&config, session).await
    }
}

async fn find(config: &Value, session: &Configured) -> Result<Value, Diagnostic> {
    let text = config.attribute("name").as_str().unwrap_or_default();
    let name: Slug = text
        .parse()
        .map_err(|_| invalid_slug("The name", text, "name"))?;
    let organization = &session.organization;
    if name.as_str() == PLATFORM_BACKEND {
        let uuid = match organization.platform_backend_uuid().await {
            Ok(uuid) => Some(uuid.to_string()),
            // The first write creates its uuid.
            Err(OperationError::OrganizationMissing { .. }) => None,
            Err(error) => return Err(explain(&error)),
        };
        return Ok(platform(uuid));
    }
    let found = organization.backends().find(&name).await;
    let view = found.map_err(|error| {
        explain_at(&error, |about| {
            matches!(about, About::Backend | About::Selector).then(|| "name".into())
        })
    })?;
    Ok(state(&view))
}

fn platform(uuid: Option<String>) -> Value {
    Value::object([
        ("name", Value::from(PLATFORM_BACKEND)),
        ("id", uuid.into()),
        ("type", PLATFORM_BACKEND.into()),
        ("description", Value::Null),
        ("name_prefix", planton_core::operations::NAME_PREFIX.into()),
        ("credential_source", Value::Null),
        ("settings", Value::map::<String>([])),
        ("created_at", Value::Null),
        ("updated_at", Value::Null),
    ])
}

fn state(view: &BackendView) -> Value {
    let settings = view.settings.configuration.iter();
    let settings = settings.map(|(name, json)| {
        let text = json
            .as_str()
            .map_or_else(|| json.to_string(), str::to_owned);
        (name.clone(), Value::from(text))
    });
    Value::object([
        ("name", Value::from(view.name.as_str())),
        ("id", view.uuid.to_string().into()),
        ("type", view.settings.kind.as_str().into()),
        ("description", view.description.clone().into()),
        ("name_prefix", view.settings.name_prefix.as_str().into()),
        (
            "credential_source",
            if view.is_static { "static" } else { "ambient" }.into(),
        ),
        ("settings", Value::map(settings)),
        ("created_at", to_the_second(view.created_at).into()),
        ("updated_at", to_the_second(view.updated_at).into()),
    ])
}
