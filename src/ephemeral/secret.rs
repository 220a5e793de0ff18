//! `ephemeral "planton_secret"`: opens the value of a secret during a run.

use std::collections::BTreeMap;

use crate::diagnostics::{About, explain_at, invalid_slug};
use crate::session::{Configured, PartlyKnown, SessionEphemeralResource};
use crate::setting::uuid_as_stored;
use async_trait::async_trait;
use planton_core::names::SecretName;
use planton_core::operations::SecretValue;
use planton_core::operations::{OpenedSecret, Selector};
use planton_plugin::{
    Attribute, AttributePath, AttributeType, Diagnostic, Diagnostics, Schema, Value,
};

const NO_UUID: &str = "id is not a uuid in lower-case letters, with hyphens.";

/// The ephemeral resource `planton_secret`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EphemeralSecret;

#[async_trait]
impl SessionEphemeralResource for EphemeralSecret {
    const TYPE_NAME: &'static str = "planton_secret";
    const NOUN: &'static str = "the secret";

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("id").optional_computed().describe(
                "UUID of the secret. Exactly one of `id` and `name`. A reference to the resource, \
                 such as `planton_secret.x.id`, makes Terraform open the secret after its \
                 creation.",
            ),
            Attribute::string("name").optional_computed().describe(
                "Name of the secret. Exactly \
                               one of `id` and `name`.",
            ),
            Attribute::string("environment")
                .optional_computed()
                .describe(
                    "Environment of the secret, with `name`. Default: the provider's \
                 `default_environment`; without one, the secret has organization scope.",
                ),
            Attribute::number("version")
                .optional_computed()
                .describe("Number of the version to open. Default: the current version."),
            Attribute::number("minimum_version").optional().describe(
                "Number of the oldest version to accept. If the opened version is older, opening \
                 fails, so a restored older catalog cannot return an old value.",
            ),
            Attribute::string("value")
                .computed()
                .sensitive()
                .describe("Value of a text secret; null for a key-value secret."),
            Attribute::map("data", AttributeType::String)
                .computed()
                .sensitive()
                .describe("Values of a key-value secret, by key; null for a text secret."),
        ])
        .describe(
            "Opens a secret during a run, for a write-only argument of another resource or for the \
             configuration of a provider. Neither the plan nor the state contains the value.",
        )
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let (id, name) = (config.attribute("id"), config.attribute("name"));
        if id.is_set() && (name.is_set() || config.attribute("environment").is_set()) {
            diagnostics.push(selector_error(
                "Both id and name or environment are set, but id alone identifies the secret.",
                "id",
            ));
        }
        if id.is_null() && name.is_null() {
            diagnostics.push(selector_error("Neither id nor name is set.", "id"));
        }
        for (what, attribute) in [("The name", "name"), ("The environment", "environment")] {
            if let Some(text) = config.attribute(attribute).as_str()
                && planton_core::names::Slug::parse(text).is_err()
            {
                diagnostics.push(invalid_slug(what, text, attribute));
            }
        }
        if id.as_str().is_some_and(may_be_mocked) {
            return diagnostics;
        }
        if let Some(text) = id.as_str()
            && uuid_as_stored(text).is_none()
        {
            diagnostics.push(selector_error(NO_UUID, "id"));
        }
        for attribute in ["version", "minimum_version"] {
            let number = config.attribute(attribute);
            if number.is_set() && number.as_u64().is_none_or(|number| number == 0) {
                diagnostics.push(
                    Diagnostic::error(
                        "Invalid Secret Version",
                        format!(
                            "{attribute} must be a whole number of 1 or more.\n\nCorrect it, or omit \
                             it."
                        ),
                    )
                    .at(attribute),
                );
            }
        }
        let number = |name: &str| config.attribute(name).as_u64();
        if let (Some(version), Some(least)) = (number("version"), number("minimum_version"))
            && version < least
        {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Secret Version",
                    "version is lower than minimum_version.\n\nRaise version, or lower \
                     minimum_version. Omit version to open the current one.",
                )
                .at("version"),
            );
        }
        diagnostics
    }

    async fn open(&self, session: &Configured, config: Value) -> Result<Value, Diagnostic> {
        let opened = open(&config, session).await?;
        result(config, opened)
    }

    fn unknown_defaults(&self, defaults: &PartlyKnown, config: &Value) -> Vec<AttributePath> {
        let is_by_default =
            config.attribute("id").is_null() && config.attribute("environment").is_null();
        if is_by_default && defaults.default_environment.is_unknown() {
            return vec!["default_environment".into()];
        }
        Vec::new()
    }

    fn unknown(&self, config: Value) -> Value {
        unknown_result(config)
    }
}

async fn open(config: &Value, session: &Configured) -> Result<OpenedSecret, Diagnostic> {
    let selector = selector(config, session)?;
    let version = config.attribute("version").as_u64();
    let opened = session.organization.secrets().open(&selector, version);
    let opened = opened.await.map_err(|error| {
        let mut is_missing_by_name = false;
        let diagnostic = explain_at(&error, |about| match (about, &selector) {
            (About::Version, _) => Some("version".into()),
            (About::Selector, Selector::Uuid(_)) => Some("id".into()),
            (About::Selector, Selector::Name(_)) => {
                // An organization without a record may get its first secret in this very apply.
                is_missing_by_name = true;
                Some("name".into())
            }
            (
                About::Nothing
                | About::Name
                | About::Backend
                | About::Value
                | About::CopySource
                | About::Setting(_)
                | About::Address
                | About::Key(..)
                | About::Escrow
                | About::AllowedKeys
                | About::Fingerprint,
                _,
            ) => None,
        });
        if is_missing_by_name {
            not_found_by_name(diagnostic)
        } else {
            diagnostic
        }
    })?;
    if let Some(least) = config.attribute("minimum_version").as_u64()
        && opened.version < least
    {
        return Err(Diagnostic::error(
            "Secret Version Too Old",
            format!(
                "The secret has version {}, but minimum_version requires {least} or later. An older \
                 catalog was restored, or the newer version was not written yet.\n\nWrite the newer \
                 version first, or lower minimum_version.",
                opened.version
            ),
        )
        .at("minimum_version"));
    }
    Ok(opened)
}

/// Adds the remedy for a secret that the same configuration creates. Terraform opens an
/// ephemeral resource with a literal name during the plan, before the secret exists.
fn not_found_by_name(mut diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.detail.push_str(
        " If the same configuration creates the secret, select it by its id, so that Terraform \
         opens it after its creation:\n\n  id = planton_secret.<name>.id",
    );
    diagnostic
}

fn selector(config: &Value, session: &Configured) -> Result<Selector, Diagnostic> {
    if let Some(text) = config.attribute("id").as_str() {
        let uuid = uuid_as_stored(text);
        let uuid = uuid.ok_or_else(|| selector_error(NO_UUID, "id"))?;
        return Ok(Selector::Uuid(uuid));
    }
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
    Ok(Selector::Name(SecretName { environment, name }))
}

fn result(config: Value, opened: OpenedSecret) -> Result<Value, Diagnostic> {
    let OpenedSecret {
        view,
        version,
        value,
    } = opened;
    let (text, data) = match value {
        SecretValue::Text(text) => (Value::from(text), Value::Null),
        SecretValue::KeyValue(entries) => {
            let entries: BTreeMap<String, Value> = entries
                .into_iter()
                .map(|(key, value)| (key, Value::from(value)))
                .collect();
            (Value::Null, Value::Map(entries))
        }
        SecretValue::Binary(_) => return Err(binary(&view.name)),
    };
    let result = config
        .with("id", view.uuid.to_string())
        .with("name", view.name.name.to_string())
        .with(
            "environment",
            view.name.environment.map(|slug| slug.to_string()),
        )
        .with("version", version)
        .with("value", text)
        .with("data", data);
    Ok(result)
}

/// Rejects a value that no attribute can hold: a string of Terraform is Unicode.
fn binary(name: &SecretName) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Is Binary",
        format!(
            "The value of secret {:?} is binary, and Terraform's strings are text.\n\nStore the \
             value as text, for example in Base64.",
            name.to_string()
        ),
    )
}

fn unknown_result(mut config: Value) -> Value {
    for name in ["id", "name", "environment", "version"] {
        if config.attribute(name).is_null() {
            config.set(name, Value::Unknown);
        }
    }
    config.mark_unknown(&["value", "data"]);
    config
}

/// Returns true for an id that OpenTofu may have generated. With a mocked provider, it still
/// validates ephemeral resources, with 4 to 15 letters and digits as the id of a mocked secret
/// and 0 as its version (`MockValueComposer`,
/// <https://github.com/opentofu/opentofu/tree/main/internal/configs/hcl2shim>). It never opens
/// them. Opening rejects such an id in a real configuration.
fn may_be_mocked(id: &str) -> bool {
    (4..16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn selector_error(what: &str, path: &'static str) -> Diagnostic {
    Diagnostic::error(
        "Invalid Secret Selector",
        format!("{what}\n\nSet id, or name together with environment."),
    )
    .at(path)
}
