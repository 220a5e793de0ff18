//! Diagnostics of the default backend.

use super::Named;
use planton_core::names::Slug;
use planton_core::operations::ExistingRecord;
use planton_plugin::Diagnostic;

pub(super) fn exists(backend: &Slug, existing: &ExistingRecord) -> Diagnostic {
    Diagnostic::error(
        "Default Backend Already Set",
        format!(
            "{}\n\nIf this apply is to replace that very resource under create_before_destroy, which \
             a resource that depends on it passes on, the replacement fails. Terraform passes \
             the replaced resource to the creation since version 1.16 only, and never a tainted \
             one, so the provider cannot tell its choice from that of another state. A replacement is never needed, since a change of backend takes effect in \
             place. Undo a taint with terraform untaint; omit -replace and replace_triggered_by, or \
             create_before_destroy.",
            Named::default_backend(backend).already_exists(existing)
        ),
    )
}

pub(super) fn declared_twice() -> Diagnostic {
    Diagnostic::error(
        "Default Backend Declared Twice",
        "This run has already set the default backend: two planton_default_backend resources of \
         the configuration belong to one organization, which has one default.\n\nRemove one of \
         them.",
    )
}

pub(super) fn changed_concurrently() -> Diagnostic {
    super::changed_concurrently("Default Backend", "The default backend")
}

pub(super) fn record_missing() -> Diagnostic {
    Diagnostic::error(
        "Default Backend Record Missing",
        "The catalog no longer has a record of the default backend: the record was deleted by \
         hand, or the catalog was restored from an older backup.\n\nRestore the record from a \
         backup. If it is lost, remove the planton_default_backend from the configuration, apply, \
         and add it again.",
    )
}

pub(super) fn rolled_back(seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of the default backend is older than the one that this state has seen: its \
             generation was {seen}, and is {found} now. An old backup was restored, or old records \
             were replayed.\n\nIf the restore was intended, run terraform-provider-planton \
             platform accept-rollback: the guide \"Restore a backup\" says what it gives up. \
             Otherwise find out who can write to the platform's storage."
        ),
    )
}
