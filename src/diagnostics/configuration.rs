//! Diagnostics of a provider configuration that is unknown or belongs to another
//! organization.

use planton_core::names::Slug;
use planton_plugin::{Diagnostic, Value};

const UNKNOWN_UNTIL_APPLY: &str = "Part of the provider's configuration is known only after an \
                                   apply, so the provider cannot connect to the platform yet.";

/// Warns that a refresh returned the stored state, because part of the provider's
/// configuration is unknown.
pub(crate) fn not_refreshed() -> Diagnostic {
    Diagnostic::warning(
        "Resource Not Refreshed",
        format!("{UNKNOWN_UNTIL_APPLY} The plan uses the state as it was stored."),
    )
}

/// Rejects an identity that names another organization than the provider's.
pub(crate) fn different_organization(identity: &Value, own: &Slug) -> Option<Diagnostic> {
    let other = identity.attribute("organization").as_str()?;
    (other != own.as_str()).then(|| {
        Diagnostic::error(
            "Different Organization",
            format!(
                "The identity names organization {other:?}, but the provider is configured for \
                 {:?}.\n\nImport with a provider of organization {other:?}.",
                own.as_str()
            ),
        )
        .at("organization")
    })
}

/// Rejects a resource that was created in another organization than the provider's.
pub(crate) fn renamed_organization(before: &str, now: &str) -> Diagnostic {
    Diagnostic::error(
        "Different Organization",
        format!(
            "This resource belongs to organization {before:?}, but the provider is configured for \
             {now:?}. An organization cannot be renamed: its name is part of every record and key.\n\n\
             Set organization in the provider block (or PLANTON_ORG) to {before:?} again. To start \
             over in {now:?}, remove the resource from the state (terraform state rm)."
        ),
    )
}

/// Rejects a call that needs the platform while part of the provider's configuration is
/// unknown.
pub(crate) fn unconfigured() -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        format!(
            "{UNKNOWN_UNTIL_APPLY}\n\nApply the resources that the provider's configuration refers \
             to first (terraform apply -target=…), or configure the provider with values that are \
             known during the plan."
        ),
    )
}

/// Rejects the opening of an ephemeral resource while part of the provider's configuration
/// is unknown. Only OpenTofu needs this: Terraform accepts an unknown result.
pub(crate) fn not_opened(noun: &str) -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        format!(
            "Part of the provider's configuration is known only after an apply, so the provider \
             cannot open {noun} during the plan. OpenTofu requires the result of an ephemeral \
             resource to be known, unless it opens the resource during the apply.\n\nAdd depends_on \
             to the ephemeral resource, with the resources that the provider's configuration refers \
             to. OpenTofu then opens it after they were applied."
        ),
    )
}
