//! Imports a backend by its name or its identity.

use super::state;
use crate::diagnostics::{different_organization, explain, invalid_slug};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_core::names::Slug;
use planton_plugin::{Diagnostic, ImportResponse, ImportTarget, Value};

/// Finds the backend that an import names.
pub(super) async fn import(
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
