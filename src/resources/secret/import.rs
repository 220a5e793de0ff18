//! Imports a secret by its name, uuid or identity.

use async_trait::async_trait;
use uuid::Uuid;

use super::SecretResource;
use super::state::{self, Private};
use crate::diagnostics::{About, different_organization, explain_at, invalid_slug};
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, Import};
use planton_core::names::SecretName;
use planton_core::operations::{OperationError, Selector};
use planton_plugin::{Diagnostic, ImportResponse, ImportTarget, Value};

/// Prefix of an import by uuid, since a bare uuid is a valid name.
const BY_UUID: &str = "id:";

#[async_trait]
impl Import for SecretResource {
    /// Finds the secret that an import names.
    async fn import(
        &self,
        session: &Configured,
        target: ImportTarget,
    ) -> Result<ImportResponse, Diagnostic> {
        let organization = &session.organization;
        let target = match target {
            ImportTarget::Id(text) if text.starts_with(BY_UUID) => {
                let uuid = text[BY_UUID.len()..].parse();
                Selector::Uuid(uuid.map_err(|_| invalid_import(&text))?)
            }
            ImportTarget::Id(text) => {
                let mut name: SecretName = text.parse().map_err(|_| invalid_import(&text))?;
                if name.environment.is_none() {
                    name.environment = session.defaults.environment()?;
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
            Selector::Uuid(uuid) => organization.secrets().find_by_uuid(*uuid).await,
            Selector::Name(name) => organization.secrets().find(name).await,
        };
        let view = view.map_err(|error| not_imported(&error, &target))?;
        let state = state::whole(&view, Value::Null);
        // The read that follows is the first that counts as seen.
        let mut private = Private {
            seen: None,
            marks: None,
            ..Private::of(&view)
        };
        private.anchor.generation = 0;
        Ok(ImportResponse {
            private: private.write(),
            identity: Some(state::identity(organization.slug().as_str(), &view.name)),
            ..ImportResponse::imported(state)
        })
    }
}

/// Explains a failed import. A uuid without its prefix was read as a name.
fn not_imported(error: &OperationError, target: &Selector) -> Diagnostic {
    let mut is_missing = false;
    let mut told = explain_at(error, |about| {
        is_missing = about == About::Selector;
        None
    });
    if let Selector::Name(name) = target
        && is_missing
        && let Ok(uuid) = name.name.as_str().parse::<Uuid>()
    {
        let hint = format!(" To import a secret by its uuid, use the id \"{BY_UUID}{uuid}\".");
        told.detail.push_str(&hint);
    }
    told
}

fn invalid_import(text: &str) -> Diagnostic {
    Diagnostic::error(
        "Invalid Import Identifier",
        format!(
            "{text:?} is not the name or id of a secret.\n\nImport by name, by environment/name, or \
             by id:<uuid>. For example: terraform import planton_secret.db production/db"
        ),
    )
}
