//! Diagnostics of a secret backend.

use super::Named;
use super::by_kind::store_within;
use planton_core::names::Slug;
use planton_core::operations::{ExistingRecord, PLATFORM_BACKEND};
use planton_core::store::{StoreError, StoreErrorKind as K};
use planton_plugin::Diagnostic;

/// Rejects a backend with the name of the built-in one.
pub(crate) fn reserved_name() -> Diagnostic {
    Diagnostic::error(
        "Backend Name Reserved",
        format!(
            "{PLATFORM_BACKEND:?} is the name of the built-in backend, which needs no \
             declaration.\n\nChoose another name."
        ),
    )
    .at("name")
}

/// Rejects an import of the built-in backend.
pub(crate) fn built_in() -> Diagnostic {
    Diagnostic::error(
        "Built-In Backend Not Importable",
        format!(
            "{PLATFORM_BACKEND:?} is the built-in backend. It needs no declaration, and no resource \
             manages it.\n\nRemove the import and its resource. To use this backend in a secret, set \
             backend = {PLATFORM_BACKEND:?}."
        ),
    )
}

pub(super) fn exists(backend: &Slug, existing: &ExistingRecord) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Already Exists",
        format!(
            "{}\n\nIf this apply is to replace that very backend under create_before_destroy, give \
             the replacement another name: both exist for a while, and no two backends have the \
             same name.",
            Named::backend(backend).already_exists(existing)
        ),
    )
}

pub(super) fn declared_twice(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Backend Declared Twice",
        format!(
            "This run has already declared secret backend \"{backend}\": two resources of the \
             configuration have the same name.\n\nRemove one of them, or give it another name."
        ),
    )
}

/// Rejects a plan in which two resources create a backend of the same name.
pub(crate) fn planned_twice(backend: &str) -> Diagnostic {
    Diagnostic::error(
        "Backend Declared Twice",
        format!(
            "Two resources of this plan declare secret backend {backend:?}. The second declaration \
             would fail, perhaps after Terraform has destroyed the backend that it \
             replaces.\n\nRemove one of them, or give it another name. To destroy everything, run \
             terraform destroy -refresh=false."
        ),
    )
    .at("name")
}

pub(super) fn changed_concurrently(backend: &Slug) -> Diagnostic {
    super::changed_concurrently("Secret Backend", &format!("Secret backend \"{backend}\""))
}

pub(super) fn unknown(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not Found",
        format!(
            "Secret backend {:?} does not exist.\n\nIf the same configuration declares it, refer \
             to that resource (backend = planton_secret_backend.<name>.name), so that Terraform \
             creates it first. The built-in backend is \"platform\".",
            backend.as_str()
        ),
    )
}

pub(super) fn in_use(
    backend: &Slug,
    secrets: &[String],
    total: usize,
    is_default: bool,
) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend In Use",
        usage(backend.as_str(), secrets, total, is_default),
    )
}

pub(super) fn being_deleted(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Being Deleted",
        format!(
            "Secret backend {:?} is being deleted, so it accepts no new secret.\n\nChoose another \
             backend; or wait until the deletion has ended, and apply again. If the deletion was \
             interrupted, apply the configuration that declares the backend: that takes the \
             backend back into use, or finishes the deletion.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_there(backend: &Slug, marker: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not There",
        format!(
            "The settings and credentials of backend {:?} lead to another place than the one in \
             which it has stored its secrets: its marker object {marker:?} does not exist there. \
             Nothing was changed.\n\nCheck the address, the region and the credentials (an ambient \
             credential chain may lead to another account). To use another place, declare another \
             backend. If the marker was deleted by hand, change the backend's \
             credentials_wo_version: the provider writes the marker again if it finds the \
             backend's secrets.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_marked(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not Marked",
        format!(
            "Backend {:?} was declared with verify_connection = false, so it has no marker object \
             that would identify its place at other settings. Its settings cannot \
             change.\n\nRestore the former settings, set verify_connection to true and apply that: \
             the provider verifies the backend and writes its marker. Then change the settings. Or \
             declare another backend.",
            backend.as_str()
        ),
    )
}

pub(super) fn rolled_back(backend: &Slug, seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of secret backend {:?} is older than the one that this state has seen: its \
             generation was {seen}, and is {found} now. An old backup was restored, or old records \
             were replayed.\n\nIf the restore was intended, run terraform-provider-planton \
             platform accept-rollback: the guide \"Restore a backup\" says what it gives up. \
             Otherwise find out who can write to the platform's storage.",
            backend.as_str()
        ),
    )
}

pub(super) fn credential_refused(kind: &str) -> Diagnostic {
    Diagnostic::error(
        "Backend Credential Rejected",
        format!(
            "The sealed credential of this {kind} backend does not open with the settings in its \
             record: the settings or the credential were altered, or the encryption key is another \
             one.\n\nSet the credentials again and change credentials_wo_version. Find out who can \
             write to the platform's storage."
        ),
    )
}

/// Reports that a backend failed its probe, and how to save it without one.
pub(super) fn probe_failed(step: &str, error: &StoreError) -> Diagnostic {
    let failed = format!("The backend was not saved: the provider could not {step} a test object.");
    let unverified = "\n\nTo save the backend without this test, set verify_connection to false.";
    let more = match error.kind() {
        K::PermissionDenied | K::Unavailable | K::RateLimited => unverified,
        // Without valid credentials and settings, the backend can never work.
        K::NotFound
        | K::AlreadyExists
        | K::Conflict
        | K::Unauthenticated
        | K::TooLarge
        | K::InvalidName
        | K::Corrupt
        | K::Unexpected
        | K::Misconfigured => "",
    };
    store_within(&failed, error, more)
}

fn usage(backend: &str, secrets: &[String], total: usize, is_default: bool) -> String {
    let mut text = format!("Secret backend {backend:?} ");
    if is_default {
        text.push_str("is the default backend");
    }
    if total > 0 {
        if is_default {
            text.push_str(", and ");
        }
        text.push_str(&format!(
            "contains {total} secret{}: {}",
            if total == 1 { "" } else { "s" },
            secrets.join(", ")
        ));
        if total > secrets.len() {
            text.push_str(&format!(" and {} more", total - secrets.len()));
        }
    }
    text.push_str(
        ". It was neither deleted nor replaced by a backend with another name or \
         place.\n\n",
    );
    text.push_str(match (total > 0, is_default) {
        (true, true) => {
            "A secret never moves: destroy these secrets, or set their backend to another one, \
             which replaces them. Make another backend the default. Apply both first."
        }
        (true, false) => {
            "A secret never moves: destroy these secrets, or set their backend to another one, \
             which replaces them. Apply that first."
        }
        (false, _) => {
            "Make another backend the default first. If the same apply does that, set \
             create_before_destroy in the lifecycle block of this one. Without it, Terraform \
             deletes this backend first."
        }
    });
    text
}
