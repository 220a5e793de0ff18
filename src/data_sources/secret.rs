//! `data "planton_secret"`: everything of a secret but its value.

use async_trait::async_trait;

use crate::surface::{Bounds, Configured, Session, Timeout, explain, invalid_slug};
use planton_core::names::SecretName;
use planton_core::operations::{OperationError, SecretView};
use planton_plugin::{
    Attribute, AttributeType, Context, DataSource, Diagnostic, Diagnostics, ReadDataRequest,
    ReadDataResponse, Schema, Value,
};

/// The data source `planton_secret`.
#[derive(Clone, Debug)]
pub struct SecretDataSource {
    session: Session,
}

impl SecretDataSource {
    /// Reads secrets of what `session` is configured for.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session }
    }
}

#[async_trait]
impl DataSource for SecretDataSource {
    fn type_name(&self) -> &'static str {
        "planton_secret"
    }

    fn schema(&self) -> Schema {
        let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
        Schema::new([
            Attribute::string("name")
                .required()
                .describe("The secret's name."),
            Attribute::string("environment")
                .optional_computed()
                .describe(
                    "The environment; without it, the provider's `default_environment`, or else \
                 organization scope.",
                ),
            computed("id", "The secret's uuid."),
            computed("description", "A text for people."),
            Attribute::map("labels_all", AttributeType::String)
                .computed()
                .describe("All labels."),
            computed("backend", "The secret backend's name."),
            computed("kind", "`text` or `key_value`."),
            Attribute::number("version").computed().describe(
                "Number of the current version, counted from 1 for each secret. Wire a \
                     consumer's `…_wo_version` to `revision` instead.",
            ),
            Attribute::number("revision").computed().describe(
                "Number that grows with every version written and with every replacement of the \
                 secret. Wire a consumer's own `…_wo_version` to it.",
            ),
            computed(
                "backend_version_id",
                "The current version's identifier in the backend.",
            ),
            computed(
                "kek_id",
                "The key that the current version is sealed under.",
            ),
            computed("reference", "How others refer to the secret."),
            computed("created_at", "When it was created (RFC 3339)."),
            computed(
                "updated_at",
                "When its value or metadata last changed (RFC 3339).",
            ),
        ])
        .describe(
            "Reads everything of a secret but its value. For the value, use the ephemeral \
             resource `planton_secret`: a data source would put it into the state.",
        )
    }

    async fn validate_config(&self, _cx: &Context, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for (what, attribute) in [("The name", "name"), ("The environment", "environment")] {
            if let Some(text) = config.attribute(attribute).as_str()
                && planton_core::names::Slug::parse(text).is_err()
            {
                diagnostics.push(invalid_slug(what, text, attribute));
            }
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, request: ReadDataRequest) -> ReadDataResponse {
        let read = async {
            let session = self.session.ready()?;
            find(&request.config, &session).await
        };
        let bounds = Bounds::new(cx, &Value::Null, Timeout::Read);
        match bounds.reading("the secret was read", read).await {
            Ok(view) => ReadDataResponse::found(state(&view)),
            Err(diagnostic) => diagnostic.into(),
        }
    }
}

async fn find(config: &Value, session: &Configured) -> Result<SecretView, Diagnostic> {
    let text = config.attribute("name").as_str().unwrap_or_default();
    let name = text
        .parse()
        .map_err(|_| invalid_slug("The name", text, "name"))?;
    let environment = match config.attribute("environment").as_str() {
        Some(text) => Some(
            text.parse()
                .map_err(|_| invalid_slug("The environment", text, "environment"))?,
        ),
        None => session.default_environment.clone(),
    };
    let name = SecretName { environment, name };
    let found = session.organization.find_secret(&name);
    found.await.map_err(|error| {
        let mut diagnostic = explain(&error);
        match error {
            // In an organization without a record, its first secret may be yet to come.
            OperationError::SecretNotFound { .. } | OperationError::OrganizationMissing { .. } => {
                diagnostic.detail.push_str(
                    " Where the same configuration creates the secret, refer to it, so that it is \
                     read only once it exists:\n\n  name = planton_secret.<name>.name",
                );
                diagnostic.at("name")
            }
            _ => diagnostic,
        }
    })
}

fn state(view: &SecretView) -> Value {
    let version = view.version.as_ref();
    let labels = view.metadata.labels_all.iter();
    Value::object([
        ("name", Value::from(view.name.name.as_str())),
        (
            "environment",
            view.name
                .environment
                .as_ref()
                .map(ToString::to_string)
                .into(),
        ),
        ("id", view.uuid.to_string().into()),
        ("description", view.metadata.description.clone().into()),
        (
            "labels_all",
            Value::map(labels.map(|(key, text)| (key.clone(), Value::from(text.as_str())))),
        ),
        ("backend", view.backend.to_string().into()),
        ("kind", view.kind.as_str().into()),
        ("version", version.map(|version| version.number).into()),
        ("revision", version.map(|version| version.revision).into()),
        (
            "backend_version_id",
            version.map(|v| v.backend_version_id.clone()).into(),
        ),
        (
            "kek_id",
            version.map(|version| version.kek_id.clone()).into(),
        ),
        ("reference", view.reference.clone().into()),
        ("created_at", view.created_at.to_string().into()),
        ("updated_at", view.updated_at.to_string().into()),
    ])
}
