//! Diagnostics of a provider configuration that is unknown, or of another organization.

use planton_core::names::Slug;
use planton_plugin::{Diagnostic, Value};

/// Says that a refresh went by the state, because part of the provider's
/// configuration is unknown.
#[must_use]
pub fn not_refreshed() -> Diagnostic {
    Diagnostic::warning(
        "Resource Not Refreshed",
        "Part of the provider's configuration is known only after an apply, so the platform \
         cannot be reached yet. The plan goes by the state as it was stored.",
    )
}

/// Refuses an identity that names another organization than the provider's.
#[must_use]
pub fn different_organization(identity: &Value, own: &Slug) -> Option<Diagnostic> {
    let other = identity.attribute("organization").as_str()?;
    (other != own.as_str()).then(|| {
        Diagnostic::error(
            "Different Organization",
            format!(
                "The identity names organization {other:?}, but the provider is configured for \
                 {:?}.\n\nImport with a provider of that organization.",
                own.as_str()
            ),
        )
        .at("organization")
    })
}

/// Says that part of the provider's configuration is unknown.
#[must_use]
pub fn unconfigured() -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        "Part of this provider's configuration is known only after an apply, so the platform \
         cannot be reached yet.\n\nApply what the provider's configuration depends on first \
         (terraform apply -target=…), or give the provider values that are known while planning.",
    )
}

/// Says that an ephemeral resource cannot open while part of the provider's configuration
/// is unknown. Only OpenTofu needs this: Terraform accepts an unknown result.
#[must_use]
pub fn not_opened(noun: &str) -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        format!(
            "The provider's configuration depends on values that are known only after apply, so \
             {noun} can't be opened during the plan. OpenTofu requires an ephemeral resource to be \
             wholly known, unless it defers the resource to the apply itself.\n\nAdd depends_on to \
             the ephemeral resource, with the resources that the provider's configuration refers \
             to: OpenTofu then opens it after they were applied."
        ),
    )
}
