//! Tells failures that have to do with secret backends.

use super::diagnostics::store_within;
use super::ownership::Named;
use planton_core::names::Slug;
use planton_core::operations::{OperationError, PLATFORM_BACKEND};
use planton_core::store::StoreErrorKind as K;
use planton_plugin::Diagnostic;

/// Tells a failure, if it is one of these.
pub(super) fn explain(error: &OperationError) -> Option<Diagnostic> {
    ownership(error).or_else(|| usage(error))
}

/// Calls `tell` with how texts name a backend.
pub fn named_backend<T>(backend: &Slug, tell: impl FnOnce(Named<'_>) -> T) -> T {
    tell(Named {
        what: &format!("secret backend \"{backend}\""),
        resource: "planton_secret_backend",
        import_id: backend.as_str(),
    })
}

/// Calls `tell` with how texts name the default.
pub fn named_default<T>(backend: &Slug, tell: impl FnOnce(Named<'_>) -> T) -> T {
    tell(Named {
        what: &format!("the default backend (\"{backend}\")"),
        resource: "planton_default_backend",
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

/// Tells failures that have to do with whose a backend is.
fn ownership(error: &OperationError) -> Option<Diagnostic> {
    use OperationError as E;
    let (summary, detail) = match error {
        E::BackendExists { backend, met } => (
            "Secret Backend Already Exists",
            named_backend(backend, |named| named.already_exists(met)),
        ),
        E::BackendNameReserved => return Some(reserved_name()),
        E::BackendDeclaredTwice { backend } => (
            "Backend Declared Twice",
            format!(
                "This run has declared secret backend \"{backend}\" a moment ago: two resources of \
                 the configuration have the same name.\n\nRemove one of them, or give it another \
                 name."
            ),
        ),
        E::BackendOwnedByAnother { backend, owner } => (
            "Backend Owned By Another State",
            named_backend(backend, |named| named.owned_by_another(owner)),
        ),
        E::BackendRecordMissing { backend } => (
            "Backend Record Missing",
            named_backend(backend, |named| named.record_missing()),
        ),
        E::BackendChangedConcurrently { backend } => (
            "Secret Backend Changed Concurrently",
            format!(
                "Another run changed secret backend \"{backend}\" since this change was planned; \
                 nothing of that run was overwritten.\n\nRun terraform plan again and look at what \
                 is different now."
            ),
        ),
        E::DefaultBackendExists { backend, met } => (
            "Default Backend Already Set",
            named_default(backend, |named| named.already_exists(met)),
        ),
        E::DefaultBackendDeclaredTwice => (
            "Default Backend Declared Twice",
            "This run has set the default backend a moment ago: two planton_default_backend \
             resources of the configuration belong to one organization, which has one \
             default.\n\nRemove one of them."
                .to_owned(),
        ),
        E::DefaultBackendOwnedByAnother { backend, owner } => (
            "Default Backend Owned By Another State",
            named_default(backend, |named| named.owned_by_another(owner)),
        ),
        E::DefaultBackendRecordMissing => (
            "Default Backend Record Missing",
            "The catalog has no record of the default backend any more: it was removed by hand, or \
             the catalog was restored from an older backup.\n\nRestore the record from a backup. \
             Otherwise remove the planton_default_backend from the configuration, apply, and add it \
             again."
                .to_owned(),
        ),
        _ => return None,
    };
    Some(Diagnostic::error(summary, detail))
}

/// Tells failures that have to do with what a backend is used for.
fn usage(error: &OperationError) -> Option<Diagnostic> {
    use OperationError as E;
    let (summary, detail) = match error {
        E::UnknownBackend { backend } => (
            "Secret Backend Not Found",
            format!(
                "No secret backend is named {:?}.\n\nTo use a planton_secret_backend of the same \
                 configuration, refer to it (backend = planton_secret_backend.<name>.name), so \
                 that it comes first. The built-in backend is \"platform\".",
                backend.as_str()
            ),
        ),
        E::BackendInUse {
            backend,
            secrets,
            total,
            is_default,
        } => (
            "Secret Backend In Use",
            in_use(backend.as_str(), secrets, *total, *is_default),
        ),
        E::BackendDeleting { backend } => (
            "Secret Backend Being Deleted",
            format!(
                "Secret backend {:?} is being deleted, so no new secret may go there.\n\nChoose \
                 another backend; or wait until the deletion has ended, one way or the other, and \
                 apply again. Where it was interrupted, apply the configuration that declares the \
                 backend: that takes it back into use, or finishes the deletion.",
                backend.as_str()
            ),
        ),
        E::BackendNotThere { backend, marker } => (
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
        ),
        E::BackendNotMarked { backend } => (
            "Secret Backend Not Marked",
            format!(
                "Backend {:?} was declared with verify_connection = false, so it has no marker \
                 object by which its place would be known again, and its settings cannot \
                 change.\n\nDeclare another backend.",
                backend.as_str()
            ),
        ),
        E::BackendRolledBack {
            backend,
            seen,
            found,
        } => (
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
        ),
        E::DefaultBackendRolledBack { seen, found } => (
            "Catalog Rolled Back",
            format!(
                "The record of the default backend has gone back: its generation was {seen} when \
                 it was last seen, and is {found} now. Somebody restored an old backup, or replays \
                 old records.\n\nIf the restore was intended, accept it: remove the \
                 planton_default_backend from the state (terraform state rm) and import it again. If \
                 it was not, find out who can write to the platform's storage."
            ),
        ),
        E::ProbeFailed { step, error } => {
            let failed = format!(
                "The backend was not saved: it could not {step} an object with a throw-away name."
            );
            // Without valid credentials and settings it will never work.
            let unverified = match error.kind() {
                K::PermissionDenied | K::Unavailable | K::RateLimited => {
                    "\n\nTo save it unverified, set verify_connection to false."
                }
                _ => "",
            };
            return Some(store_within(&failed, error, unverified));
        }
        E::CredentialRefused { kind } => (
            "Backend Credential Refused",
            format!(
                "The sealed credential of this {kind} backend does not open beside the settings \
                 in its record: one of the two was altered, or the key is another.\n\nGive the \
                 credentials again and change credentials_wo_version; and find out who can write \
                 to the platform's storage."
            ),
        ),
        E::NothingToCopy {
            backend,
            remote_name,
        } => (
            "Nothing To Copy",
            format!(
                "Backend {:?} has no object {remote_name:?} that could be copied.\n\nCheck the \
                 object's name as the vendor's own tools show it. The built-in backend holds \
                 nobody else's objects.",
                backend.as_str()
            ),
        ),
        E::NotCopyable {
            backend,
            remote_name,
            error,
        } => (
            "Object Cannot Be Copied",
            format!(
                "Object {remote_name:?} on backend {:?} was not copied. {}\n\nCheck the object's \
                 name as the vendor's own tools show it.",
                backend.as_str(),
                error.remedy().unwrap_or("Its value is not text.")
            ),
        ),
        _ => return None,
    };
    Some(Diagnostic::error(summary, detail))
}

fn in_use(backend: &str, secrets: &[String], total: usize, is_default: bool) -> String {
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
