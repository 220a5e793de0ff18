//! Diagnostics of a provider configuration that is unknown or belongs to another
//! organization.

use planton_core::names::Slug;
use planton_plugin::{AttributePath, Diagnostic, Value};

/// Names the arguments of the provider that are unknown, and what they prevent.
fn known_after_apply(unknown: &[AttributePath], prevented: &str) -> String {
    let names: Vec<_> = unknown
        .iter()
        .filter(|path| !path.is_root())
        .map(ToString::to_string)
        .collect();
    let subject = match names.as_slice() {
        [] => "The provider's configuration is".to_owned(),
        [one] => format!("The provider's argument {one} is"),
        several => format!("The provider's arguments {} are", several.join(", ")),
    };
    format!("{subject} known only after an apply, so the provider cannot {prevented}.")
}

const CONNECT: &str = "connect to the platform yet";

/// Warns that a refresh returned the stored state, because part of the provider's
/// configuration is unknown.
pub(crate) fn not_refreshed(unknown: &[AttributePath]) -> Diagnostic {
    Diagnostic::warning(
        "Resource Not Refreshed",
        format!(
            "{} The plan uses the state as it was stored.",
            known_after_apply(unknown, CONNECT)
        ),
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
pub(crate) fn unconfigured(unknown: &[AttributePath]) -> Diagnostic {
    Diagnostic::error(
        "Provider Configuration Not Known",
        format!(
            "{}\n\nApply the resources that the provider's configuration refers to first (terraform \
             apply -target=…), or configure the provider with values that are known during the \
             plan.",
            known_after_apply(unknown, CONNECT)
        ),
    )
}

/// Rejects a secret without an environment while the provider's default is unknown.
pub(crate) fn default_environment_unknown() -> Diagnostic {
    Diagnostic::error(
        "Default Environment Not Known",
        "No environment is given, and the provider's default_environment is known only after an \
         apply, so the provider cannot tell which secret is meant.\n\nGive the environment \
         explicitly (environment, or environment/name in an import), or apply the resources that \
         default_environment refers to first (terraform apply -target=…).",
    )
}

/// Rejects an apply in which the provider's default labels are unknown.
pub(crate) fn default_labels_unknown() -> Diagnostic {
    Diagnostic::error(
        "Default Labels Not Known",
        "The provider's default_labels are not known yet, so the provider cannot tell the labels of \
         the secret. Nothing was changed.\n\nApply the resources that default_labels refers to \
         first (terraform apply -target=…).",
    )
    .at("labels")
}

/// Rejects the opening of an ephemeral resource while part of the provider's configuration
/// is unknown. Only OpenTofu needs this: Terraform accepts an unknown result.
pub(crate) fn not_opened(noun: &str, unknown: &[AttributePath]) -> Diagnostic {
    let reason = known_after_apply(unknown, &format!("open {noun} during the plan"));
    Diagnostic::error(
        "Provider Configuration Not Known",
        format!(
            "{reason} OpenTofu requires the result of an ephemeral \
             resource to be known, unless it opens the resource during the apply.\n\nAdd depends_on \
             to the ephemeral resource, with the resources that the provider's configuration refers \
             to. OpenTofu then opens it after they were applied."
        ),
    )
}
