//! Diagnostics of the default backend.

use super::Named;
use planton_core::names::Slug;
use planton_core::operations::{MetRecord, Owner};
use planton_plugin::Diagnostic;

/// Calls `tell` with how texts name the default.
pub fn named_default<T>(backend: &Slug, tell: impl FnOnce(Named<'_>) -> T) -> T {
    tell(Named {
        what: &format!("the default backend (\"{backend}\")"),
        resource: "planton_default_backend",
        import_id: backend.as_str(),
    })
}

pub(super) fn exists(backend: &Slug, met: &MetRecord) -> Diagnostic {
    Diagnostic::error(
        "Default Backend Already Set",
        named_default(backend, |named| named.already_exists(met)),
    )
}

pub(super) fn declared_twice() -> Diagnostic {
    Diagnostic::error(
        "Default Backend Declared Twice",
        "This run has set the default backend a moment ago: two planton_default_backend \
         resources of the configuration belong to one organization, which has one \
         default.\n\nRemove one of them."
            .to_owned(),
    )
}

pub(super) fn owned_by_another(backend: &Slug, owner: &Owner) -> Diagnostic {
    Diagnostic::error(
        "Default Backend Owned By Another State",
        named_default(backend, |named| named.owned_by_another(owner)),
    )
}

pub(super) fn record_missing() -> Diagnostic {
    Diagnostic::error(
        "Default Backend Record Missing",
        "The catalog has no record of the default backend any more: it was removed by hand, or \
         the catalog was restored from an older backup.\n\nRestore the record from a backup. \
         Otherwise remove the planton_default_backend from the configuration, apply, and add it \
         again."
            .to_owned(),
    )
}

pub(super) fn rolled_back(seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of the default backend has gone back: its generation was {seen} when \
             it was last seen, and is {found} now. Somebody restored an old backup, or replays \
             old records.\n\nIf the restore was intended, accept it: remove the \
             planton_default_backend from the state (terraform state rm) and import it again. If \
             it was not, find out who can write to the platform's storage."
        ),
    )
}
