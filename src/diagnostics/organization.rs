//! Diagnostics of an organization and its platform.

use jiff::Timestamp;
use std::error::Error as _;

use uuid::Uuid;

use planton_core::catalog::{CatalogError, Elsewhere, MoveProgress};
use planton_core::names::Slug;
use planton_plugin::Diagnostic;

pub(super) fn missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Not Found",
        format!(
            "Organization \"{organization}\" has no record on this platform: no secret was \
             created in it here yet.\n\nCheck the provider's organization and its platform \
             (openbao, bucket or embedded). The first planton_secret that is applied creates the \
             record, and so does the operator command platform init."
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

/// Says where an organization is that a migration has moved, or is moving.
pub(super) fn elsewhere(error: &CatalogError) -> Diagnostic {
    let source = error.source().and_then(|source| source.downcast_ref());
    let Some(Elsewhere {
        place,
        since,
        progress,
        is_verified,
    }) = source
    else {
        return Diagnostic::error("Organization Moved", error.to_string());
    };
    match progress {
        MoveProgress::Arriving => Diagnostic::error(
            "Organization Not Arrived",
            format!(
                "A migration has been moving the organization to this platform since {since}, and is \
                 not complete. Until then, nobody can use the organization here.\n\nIf no \
                 terraform-provider-planton platform migrate is running, run it again with the \
                 same variables: it continues where it ended. The organization comes from:\n\n  \
                 {place}"
            ),
        ),
        MoveProgress::Moving | MoveProgress::Moved => {
            let state = match progress {
                MoveProgress::Moved => "The migration is complete.",
                _ => {
                    "If the migration is not complete yet, the new platform says so. Then run \
                     terraform-provider-planton platform migrate again: it continues where it \
                     ended."
                }
            };
            let verified = match is_verified {
                true => "The record that says so was verified with the organization's key.",
                false => {
                    "The record that says so was not verified, and whoever can write to this \
                     platform's storage can put another address there: ask the operator whether \
                     the following one is right."
                }
            };
            Diagnostic::error(
                "Organization Moved",
                format!(
                    "An operator moved the organization from this platform to another one. The \
                     migration began at {since}. Nothing was changed here. {state} \
                     {verified}\n\nReplace the platform's block in the provider block by the \
                     following one, or set its PLANTON_ variables, and add the credential of that \
                     platform. States stay valid.\n\n  {place}"
                ),
            )
        }
    }
}

pub(super) fn target_taken(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Migration Target Taken",
        format!(
            "The target platform has records of an organization \"{organization}\" already, and \
             this migration has not written them. They were not changed.\n\nCheck the \
             PLANTON_TARGET_ variables: the target must be another platform than the source, and \
             no organization of this name may have been used there."
        ),
    )
}

pub(super) fn migration_not_done(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Migration Not Done",
        format!(
            "Organization \"{organization}\" has not been moved to this target, so there is \
             nothing to sweep up. Nothing was changed.\n\nCheck the PLANTON_TARGET_ variables. \
             Run \"platform migrate --apply\" to begin or to continue the migration."
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
             purpose, check the escrow keys that terraform-provider-planton platform escrow list \
             prints, and run terraform-provider-planton platform accept-rollback. Resources can \
             be destroyed in any case."
        ),
    )
}

pub(super) fn record_missing(organization: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Organization Record Missing",
        format!(
            "The catalog of organization \"{organization}\" contains records, but not the \
             organization's own. That record has the key that verifies all others, and a new one \
             would make them unreadable.\n\nRestore it from a backup: terraform-provider-planton \
             platform restore."
        ),
    )
}

pub(super) fn clock_out_of_range(now: Timestamp) -> Diagnostic {
    Diagnostic::error(
        "Clock Out Of Range",
        format!(
            "The clock of this machine shows {now}, from which no generation can be derived. \
             Nothing was changed.\n\nSet the clock, and run the command again."
        ),
    )
}

pub(super) fn restore_unfinished(organization: &Slug, backup_of: Timestamp) -> Diagnostic {
    Diagnostic::error(
        "Restore Not Finished",
        format!(
            "The catalog of organization \"{organization}\" is being restored from the backup of \
             {backup_of}, or a restore was interrupted. Records that are missing now may still be \
             written, so nothing is read or changed.\n\nWait for the restore. If it was \
             interrupted, run terraform-provider-planton platform restore again, with a backup of \
             this catalog and --apply."
        ),
    )
}

pub(super) fn restore_not_accepted(organization: &Slug, backup_of: Timestamp) -> Diagnostic {
    Diagnostic::error(
        "Restore Not Accepted",
        format!(
            "The catalog of organization \"{organization}\" was restored from the backup of \
             {backup_of}. Its records do not name what was written since, so nothing is deleted \
             that no record names.\n\nDecide what the restored catalog is worth, and run \
             terraform-provider-planton platform accept-rollback --apply. The guide \"Restore a \
             backup\" says what each state sees then."
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
