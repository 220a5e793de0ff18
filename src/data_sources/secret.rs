//! `data "planton_secret"`: a secret without its value.

use async_trait::async_trait;

use crate::diagnostics::{About, explain_at, invalid_slug};
use crate::session::{Configured, SessionDataSource};
use crate::timestamp::to_the_second;
use planton_core::names::SecretName;
use planton_core::operations::SecretView;
use planton_plugin::{Attribute, AttributeType, Diagnostic, Diagnostics, Schema, Value};

/// The data source `planton_secret`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretDataSource;

#[async_trait]
impl SessionDataSource for SecretDataSource {
    const TYPE_NAME: &'static str = "planton_secret";
    const NOUN: &'static str = "the secret";

    fn schema(&self) -> Schema {
        let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
        Schema::new([
            Attribute::string("name")
                .required()
                .describe("Name of the secret."),
            Attribute::string("environment")
                .optional_computed()
                .describe(
                    "Environment of the secret. Default: the provider's `default_environment`; \
                     without one, the secret has organization scope.",
                ),
            computed("id", "UUID of the secret."),
            computed("description", "Human-readable description."),
            Attribute::map("labels_all", AttributeType::String)
                .computed()
                .describe("The secret's labels, merged over the provider's `default_labels`."),
            computed("backend", "Name of the secret backend."),
            computed("kind", "Kind of the secret: `text` or `key_value`."),
            Attribute::number("version").computed().describe(
                "Number of the current version, counted from 1 for each secret. A replacement \
                     starts at 1 again, so set a consumer's `…_wo_version` to `revision` instead.",
            ),
            Attribute::number("revision").computed().describe(
                "Number that increases with every new version and every replacement of the \
                 secret. Set a consumer's `…_wo_version` to it.",
            ),
            computed(
                "backend_version_id",
                "Identifier of the current version in the backend.",
            ),
            computed(
                "kek_id",
                "Identifier of the key encryption key of the current version.",
            ),
            computed(
                "reference",
                "Reference to the secret for other tools: `$secret/<name>`, or \
                      `$secret/@<environment>/<name>` in an environment.",
            ),
            computed("created_at", "Time of creation (RFC 3339)."),
            computed(
                "updated_at",
                "Time of the last change of the value or the metadata (RFC 3339).",
            ),
        ])
        .describe(
            "Reads the metadata of a secret. To read the value, use the ephemeral resource \
             `planton_secret`, since the state contains the result of every data source.",
        )
    }

    fn validate(&self, config: &Value) -> Diagnostics {
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

    async fn read(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic> {
        Ok(state(&find(&config, session).await?))
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
        None => session
            .defaults
            .environment()
            .map_err(|unknown| unknown.at("environment"))?,
    };
    let name = SecretName { environment, name };
    let found = session.organization.secrets().find(&name);
    found.await.map_err(|error| {
        let mut is_missing = false;
        let mut diagnostic = explain_at(&error, |about| {
            // An organization without a record may get its first secret in this very apply.
            is_missing = about == About::Selector;
            is_missing.then(|| "name".into())
        });
        if is_missing {
            diagnostic.detail.push_str(
                " If the same configuration creates the secret, refer to that resource, so that \
                 Terraform reads the secret after its creation:\n\n  name = \
                 planton_secret.<name>.name",
            );
        }
        diagnostic
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
        ("created_at", to_the_second(view.created_at).into()),
        ("updated_at", to_the_second(view.updated_at).into()),
    ])
}
