//! Diagnostics of an organization and its platform.

use uuid::Uuid;

use planton_core::names::Slug;
use planton_plugin::Diagnostic;

pub(super) fn missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Not Found",
        format!(
            "Organization \"{organization}\" has no record on this platform: no secret was \
             ever created in it here.\n\nCheck the provider's organization and its platform \
             (openbao or embedded). The first planton_secret that is applied creates the \
             record."
        ),
    )
}

pub(super) fn different_platform(expected: Uuid, found: Option<Uuid>) -> Diagnostic {
    Diagnostic::error(
        "Different Platform",
        format!(
            "This resource was created in the catalog {expected}, but the platform that the \
             provider is configured for {}.\n\nPoint the provider's openbao or embedded block \
             and its organization at the platform that holds this secret. To move to a new \
             platform on purpose, remove the resource from the state (terraform state rm) and \
             create it there.",
            found.map_or_else(
                || "holds no such organization".to_owned(),
                |found| format!("holds the catalog {found}")
            )
        ),
    )
}

pub(super) fn mac_key_replaced() -> Diagnostic {
    Diagnostic::error(
        "Catalog Key Replaced",
        "The catalog's records stand under another key than when this secret was last \
         written: somebody who can write to the platform has put a key of their own in its \
         place, and may have forged any record.\n\nFind out who can write to the platform's \
         storage, and restore the organization's record. If the organization was set up anew \
         on purpose, remove the resource from the state (terraform state rm) and import it \
         again."
            .to_owned(),
    )
}

pub(super) fn record_missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Record Missing",
        format!(
            "The catalog of organization \"{organization}\" holds records, but not the \
             organization's own, which has the key that all others are verified with. A new one \
             would make them unreadable.\n\nRestore the record {:?} from a backup of the \
             platform.",
            "organization"
        ),
    )
}

pub(super) fn no_randomness() -> Diagnostic {
    Diagnostic::error(
        "No Randomness Available",
        "The operating system gave no randomness, so no key can be made.".to_owned(),
    )
}
