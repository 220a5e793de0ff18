//! `data "planton_secret_backend"`: everything of a backend but its credential.

use async_trait::async_trait;

use crate::surface::{Bounds, Configured, Session, Timeout, explain, invalid_slug};
use planton_core::names::Slug;
use planton_core::operations::{BackendView, OperationError, PLATFORM_BACKEND};
use planton_plugin::{
    Attribute, AttributeType, Context, DataSource, Diagnostic, Diagnostics, ReadDataRequest,
    ReadDataResponse, Schema, Value,
};

/// The data source `planton_secret_backend`.
#[derive(Clone, Debug)]
pub struct SecretBackendDataSource {
    session: Session,
}

impl SecretBackendDataSource {
    /// Reads backends of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

#[async_trait]
impl DataSource for SecretBackendDataSource {
    fn type_name(&self) -> &'static str {
        "planton_secret_backend"
    }

    fn schema(&self) -> Schema {
        let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
        Schema::new([
            Attribute::string("name")
                .required()
                .describe("The backend's name; `platform` is the built-in one."),
            computed(
                "id",
                "UUID of the backend; null for `platform` until the organization's first secret \
                 or backend is created.",
            ),
            computed(
                "type",
                "The type: the name of its block; `platform` for the built-in one.",
            ),
            computed("description", "A text for people."),
            computed("name_prefix", "What the names of its objects begin with."),
            computed(
                "credential_source",
                "`static` or `ambient`; null for the built-in one.",
            ),
            Attribute::map("settings", AttributeType::String)
                .computed()
                .describe(
                    "Where it stores, as configured; nothing secret. Blocks and sets as JSON.",
                ),
            computed("created_at", "When it was created (RFC 3339)."),
            computed("updated_at", "When it last changed (RFC 3339)."),
        ])
        .describe("Reads everything of a secret backend but its credentials.")
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if let Some(text) = config.attribute("name").as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug("The name", text, "name"));
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, request: ReadDataRequest) -> ReadDataResponse {
        let read = async {
            let session = self.session.ready()?;
            find(&request.config, &session).await
        };
        let bounds = Bounds::new(cx, &Value::Null, Timeout::Read);
        match bounds.reading("the backend was read", read).await {
            Ok(state) => ReadDataResponse::found(state),
            Err(diagnostic) => diagnostic.into(),
        }
    }
}

async fn find(config: &Value, session: &Configured) -> Result<Value, Diagnostic> {
    let text = config.attribute("name").as_str().unwrap_or_default();
    let name: Slug = text
        .parse()
        .map_err(|_| invalid_slug("The name", text, "name"))?;
    let organization = &session.organization;
    if name.as_str() == PLATFORM_BACKEND {
        let uuid = match organization.existing().await {
            Ok(record) => Some(record.platform_backend.to_string()),
            // Its uuid is made at first use.
            Err(OperationError::OrganizationMissing { .. }) => None,
            Err(error) => return Err(explain(&error)),
        };
        return Ok(platform(uuid));
    }
    let found = organization.find_backend(&name).await;
    let view = found.map_err(|error| {
        let diagnostic = explain(&error);
        match error {
            OperationError::UnknownBackend { .. } | OperationError::OrganizationMissing { .. } => {
                diagnostic.at("name")
            }
            _ => diagnostic,
        }
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
        ("created_at", view.created_at.to_string().into()),
        ("updated_at", view.updated_at.to_string().into()),
    ])
}
