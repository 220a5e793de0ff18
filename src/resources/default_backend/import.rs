//! Imports the default backend by the organization's name.

use super::state::{identity, state};
use crate::diagnostics::{different_organization, explain};
use crate::resources::private_state::{Anchor, PrivateState};
use crate::session::Configured;
use planton_plugin::{Diagnostic, ImportResponse, ImportTarget, Value};

/// Finds the default that an import names.
pub(super) async fn import(
    session: &Configured,
    target: ImportTarget,
) -> Result<ImportResponse, Diagnostic> {
    let organization = &session.organization;
    if let ImportTarget::Identity(asked) = &target
        && let Some(refused) = different_organization(asked, organization.slug())
    {
        return Err(refused);
    }
    let view = organization.default_backend().view().await;
    let view = view.map_err(|error| explain(&error))?;
    // The organization's name, or the default's: there is only the one.
    if let ImportTarget::Id(text) = &target
        && text != organization.slug().as_str()
        && text != view.backend.as_str()
    {
        return Err(Diagnostic::error(
            "Invalid Import Identifier",
            format!(
                "The default backend of organization {:?} is {:?}.\n\nImport by the \
                 organization's name: terraform import planton_default_backend.this {0}",
                organization.slug().as_str(),
                view.backend.as_str(),
            ),
        ));
    }
    let Some(owner) = &view.owner else {
        return Err(Diagnostic::error(
            "Default Backend Not Set",
            format!(
                "Nobody has set the default backend of organization {:?}, so there is nothing to \
                 import.\n\nRemove the import; an apply creates the resource.",
                organization.slug().as_str()
            ),
        ));
    };
    let slug = organization.slug().as_str();
    let anchor = Anchor {
        catalog: Some(view.catalog),
        organization: Some(organization.slug().to_string()),
        stamp: Some(owner.stamp),
        ..Anchor::default()
    };
    Ok(ImportResponse {
        private: anchor.write(),
        identity: Some(identity(slug)),
        ..ImportResponse::imported(state(slug, &view.backend, Value::Null))
    })
}
