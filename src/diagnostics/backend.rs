//! Diagnostics of a secret backend.

use super::Named;
use super::by_kind::store_within;
use planton_core::names::Slug;
use planton_core::operations::{MetRecord, Owner, PLATFORM_BACKEND};
use planton_core::store::{StoreError, StoreErrorKind as K};
use planton_plugin::Diagnostic;

/// Calls `tell` with how texts name a backend.
pub fn named_backend<T>(backend: &Slug, tell: impl FnOnce(Named<'_>) -> T) -> T {
    tell(Named {
        what: &format!("secret backend \"{backend}\""),
        resource: "planton_secret_backend",
        import_id: backend.as_str(),
    })
}

/// Says that the built-in backend's name is taken.
#[must_use]
pub fn reserved_name() -> Diagnostic {
    Diagnostic::error(
        "Backend Name Reserved",
        format!(
            "{PLATFORM_BACKEND:?} is the name of the built-in backend, which needs no \
             declaration.\n\nChoose another name."
        ),
    )
    .at("name")
}

pub(super) fn exists(backend: &Slug, met: &MetRecord) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Already Exists",
        named_backend(backend, |named| named.already_exists(met)),
    )
}

pub(super) fn declared_twice(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Backend Declared Twice",
        format!(
            "This run has declared secret backend \"{backend}\" a moment ago: two resources of \
             the configuration have the same name.\n\nRemove one of them, or give it another \
             name."
        ),
    )
}

pub(super) fn owned_by_another(backend: &Slug, owner: &Owner) -> Diagnostic {
    Diagnostic::error(
        "Backend Owned By Another State",
        named_backend(backend, |named| named.owned_by_another(owner)),
    )
}

pub(super) fn record_missing(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Backend Record Missing",
        named_backend(backend, |named| named.record_missing()),
    )
}

pub(super) fn changed_concurrently(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Changed Concurrently",
        format!(
            "Another run changed secret backend \"{backend}\" since this change was planned; \
             nothing of that run was overwritten.\n\nRun terraform plan again and look at what \
             is different now."
        ),
    )
}

pub(super) fn unknown(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not Found",
        format!(
            "No secret backend is named {:?}.\n\nTo use a planton_secret_backend of the same \
             configuration, refer to it (backend = planton_secret_backend.<name>.name), so \
             that it comes first. The built-in backend is \"platform\".",
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
            "Secret backend {:?} is being deleted, so no new secret may go there.\n\nChoose \
             another backend; or wait until the deletion has ended, one way or the other, and \
             apply again. Where it was interrupted, apply the configuration that declares the \
             backend: that takes it back into use, or finishes the deletion.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_there(backend: &Slug, marker: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not There",
        format!(
            "What is reached with these settings and credentials is not the place where \
             backend {:?} has stored so far: its marker object {marker:?} is not there. Nothing \
             was changed.\n\nCheck the address, the region and the credentials (an ambient \
             chain may lead to another account). For another place, declare another backend. \
             Where somebody has deleted the marker, change the backend's \
             credentials_wo_version: it is put again if the backend's secrets are there.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_marked(backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Secret Backend Not Marked",
        format!(
            "Backend {:?} was declared with verify_connection = false, so it has no marker \
             object by which its place would be known again, and its settings cannot \
             change.\n\nDeclare another backend.",
            backend.as_str()
        ),
    )
}

pub(super) fn rolled_back(backend: &Slug, seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of secret backend {:?} has gone back: its generation was {seen} when \
             it was last seen, and is {found} now. Somebody restored an old backup, or replays \
             old records.\n\nIf the restore was intended, accept it: remove the \
             planton_secret_backend from the state (terraform state rm), import it again, and \
             apply it alone (terraform apply -target), so that its record is written anew with \
             the settings of your configuration. If it was not, find out who can write to the \
             platform's storage.",
            backend.as_str()
        ),
    )
}

pub(super) fn credential_refused(kind: &str) -> Diagnostic {
    Diagnostic::error(
        "Backend Credential Refused",
        format!(
            "The sealed credential of this {kind} backend does not open beside the settings \
             in its record: one of the two was altered, or the key is another.\n\nGive the \
             credentials again and change credentials_wo_version; and find out who can write \
             to the platform's storage."
        ),
    )
}

/// Says that a backend failed its probe, and how to save it without one.
pub(super) fn probe_failed(step: &str, error: &StoreError) -> Diagnostic {
    let failed = format!("The backend was not saved: it could not {step} a test object.");
    let unverified = "\n\nTo save it unverified, set verify_connection to false.";
    let more = match error.kind() {
        K::PermissionDenied | K::Unavailable | K::RateLimited => unverified,
        // Without valid credentials and settings the backend can never work.
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
            "holds {total} secret{}: {}",
            if total == 1 { "" } else { "s" },
            secrets.join(", ")
        ));
        if total > secrets.len() {
            text.push_str(&format!(" and {} more", total - secrets.len()));
        }
    }
    text.push_str(
        ". It stays as it is: neither deleted, nor replaced by one with another name or \
         another place.\n\n",
    );
    text.push_str(match (total > 0, is_default) {
        (true, true) => {
            "A secret never moves: destroy these secrets, or set their backend to another, which \
             replaces them; make another backend the default; and apply that first."
        }
        (true, false) => {
            "A secret never moves: destroy these secrets, or set their backend to another, which \
             replaces them; and apply that first."
        }
        (false, _) => {
            "Make another backend the default first. Where the same apply does that, set \
             create_before_destroy in the lifecycle block of this one: otherwise it goes before."
        }
    });
    text
}
