//! Imports a backend by its name or identity.

use async_trait::async_trait;

use super::SecretBackendResource;
use super::state;
use crate::diagnostics::{built_in, different_organization, explain, invalid_slug};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::{Configured, Import};
use planton_core::names::Slug;
use planton_core::operations::PLATFORM_BACKEND;
use planton_plugin::{Diagnostic, ImportResponse, ImportTarget, Value};

#[async_trait]
impl Import for SecretBackendResource {
    /// Finds the backend that an import names.
    async fn import(
        &self,
        session: &Configured,
        target: ImportTarget,
    ) -> Result<ImportResponse, Diagnostic> {
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
        if name.as_str() == PLATFORM_BACKEND {
            return Err(built_in());
        }
        let view = organization.backends().find(&name).await;
        let view = view.map_err(|error| explain(&error))?;
        let anchor = Anchor {
            catalog: Some(view.catalog),
            organization: Some(organization.slug().to_string()),
            stamp: Some(view.owner.stamp),
            ..Anchor::default()
        };
        Ok(ImportResponse {
            private: anchor.write(),
            identity: Some(state::identity(organization.slug().as_str(), &name)),
            ..ImportResponse::imported(state::whole(&view, Value::Null))
        })
    }
}
