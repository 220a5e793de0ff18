//! Diagnostics of an organization and its platform.

use uuid::Uuid;

use planton_core::names::Slug;
use planton_plugin::Diagnostic;

pub(super) fn missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Not Found",
        format!(
            "Organization \"{organization}\" has no record on this platform: no secret was \
             created in it here yet.\n\nCheck the provider's organization and its platform \
             (openbao or embedded). The first planton_secret that is applied creates the \
             record."
        ),
    )
}

pub(super) fn different_platform(expected: Uuid, found: Option<Uuid>) -> Diagnostic {
    let found = found.map_or_else(
        || "has no catalog of this organization".to_owned(),
        |found| format!("has catalog {found}"),
    );
    Diagnostic::error(
        "Different Platform",
        format!(
            "This resource was created in catalog {expected}, but the platform in the provider's \
             configuration {found}.\n\nSet the provider's openbao, embedded or bucket block and \
             its organization to the platform that contains this resource. To move to a new platform \
             on purpose, remove the resource from the state (terraform state rm) and create it \
             there."
        ),
    )
}

pub(super) fn changed_concurrently() -> Diagnostic {
    Diagnostic::error(
        "Organization Changed Concurrently",
        "Other commands kept changing the organization's record. Their changes were not \
         overwritten.\n\nRun the command again.",
    )
}

pub(super) fn already_initialized(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Already Initialized",
        format!(
            "Organization \"{organization}\" exists on this platform, with other escrow keys than \
             the given ones. Nothing was changed.\n\nRun terraform-provider-planton platform \
             status to see them, and platform escrow add or remove to change them."
        ),
    )
}

pub(super) fn mac_key_replaced() -> Diagnostic {
    Diagnostic::error(
        "Catalog Key Replaced",
        "The catalog's records are authenticated with another key than when this resource was \
         last written. Somebody with write access to the platform may have replaced the key, and \
         may have forged any record.\n\nFind out who can write to the platform's storage, and \
         restore the organization's record. If the organization was created anew on purpose, \
         remove the resource from the state (terraform state rm) and import it again.",
    )
}

pub(super) fn rolled_back(organization: &Slug, seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Organization Rolled Back",
        format!(
            "The record of organization \"{organization}\" is older than the one that this state \
             has seen (generation {found}, seen {seen}), and names other escrow keys. Nothing was \
             encrypted: a removed escrow key would open it. Somebody with write access to the \
             platform may have put the older record back.\n\nFind out who can write to the \
             platform's storage, and restore the newer record. If a backup was restored on \
             purpose, raise the record's generation above {seen}: each terraform-provider-planton \
             platform escrow add or platform escrow remove raises the generation by one. End with \
             the escrow keys that you want; platform escrow list prints them. Or remove each \
             resource of this state (terraform state rm) and import it again. Resources can be \
             destroyed in any case."
        ),
    )
}

pub(super) fn record_missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Record Missing",
        format!(
            "The catalog of organization \"{organization}\" contains records, but not the \
             organization's own. That record has the key that verifies all others, and a new one \
             would make them unreadable.\n\nRestore the record \"organization\" from a backup of \
             the platform."
        ),
    )
}

/// Reports that the operating system returned no random bytes.
pub(crate) fn no_randomness() -> Diagnostic {
    Diagnostic::error(
        "No Randomness Available",
        "The operating system returned no random bytes, so the provider cannot generate keys or \
         identifiers.\n\nCheck that this process may call getrandom or read /dev/urandom.",
    )
}
