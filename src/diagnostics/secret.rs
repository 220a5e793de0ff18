//! Diagnostics of a secret.

use uuid::Uuid;

use super::Named;
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{InvalidGenerate, MetRecord, Owner};
use planton_core::store::StoreError;
use planton_plugin::Diagnostic;

/// Says that a protected secret may not be destroyed.
#[must_use]
pub fn deletion_protected(name: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Deletion Protected",
        format!(
            "Secret {name:?} has deletion_protection = true, so it is neither destroyed nor \
             replaced.\n\nTo destroy or replace it, set deletion_protection to false and apply that \
             first."
        ),
    )
    .at("deletion_protection")
}

/// Says that two resources of one configuration are to have the same name.
pub(super) fn declared_twice(name: &SecretName) -> Diagnostic {
    let name = name.to_string();
    Diagnostic::error(
        "Secret Declared Twice",
        format!(
            "Another resource of this configuration creates secret {name:?} as well.\n\nGive each \
             its own name or environment; or declare it once, and refer to that resource from both \
             places."
        ),
    )
    .at("name")
}

/// Makes a text about a secret by its name.
pub fn named_secret(name: &SecretName, text: impl FnOnce(&Named<'_>) -> String) -> String {
    let id = name.to_string();
    text(&Named {
        what: &format!("secret {id:?}"),
        resource: "planton_secret",
        import_id: &id,
    })
}

pub(super) fn not_found(secret: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Not Found",
        format!(
            "Secret {secret:?} does not exist in this organization.\n\nCheck its name and its \
             environment; a secret of organization scope has no environment."
        ),
    )
}

pub(super) fn version_not_found(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Secret Version Not Found",
        format!(
            "Secret {secret:?} has no version {version}: it was never written, or \
             keep_versions has let it go.\n\nAsk for another version, or leave version out for \
             the current one."
        ),
    )
}

pub(super) fn version_lost(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Secret Version Missing",
        format!(
            "The catalog names version {version} of secret {secret:?}, but its backend does \
             not hold it: somebody deleted it there.\n\nRun terraform apply where the secret \
             is managed: it writes the value again as a new version. Where this configuration \
             manages it, have the read wait for that version:\n\n  version = \
             planton_secret.<name>.version\n\nOr write it first: terraform apply \
             -target=planton_secret.<name>."
        ),
    )
}

pub(super) fn already_exists(name: &SecretName, uuid: Uuid, met: &MetRecord) -> Diagnostic {
    Diagnostic::error(
        "Secret Already Exists",
        named_secret(name, |named| {
            format!(
                "{}\n\nA replacement under create_before_destroy needs another name, or \
                 takes_over = \"{uuid}\". To keep a tainted secret instead, run terraform \
                 untaint.",
                named.already_exists(met)
            )
        }),
    )
}

pub(super) fn owned_by_another(name: &SecretName, owner: &Owner) -> Diagnostic {
    Diagnostic::error(
        "Secret Owned By Another State",
        named_secret(name, |named| named.owned_by_another(owner)),
    )
}

pub(super) fn displaced(name: &SecretName, uuid: Uuid, met: &MetRecord) -> Diagnostic {
    Diagnostic::error(
        "Secret Displaced",
        named_secret(name, |named| named.displaced(uuid, met)),
    )
}

pub(super) fn record_missing(name: &SecretName) -> Diagnostic {
    Diagnostic::error(
        "Secret Record Missing",
        named_secret(name, |named| named.record_missing()),
    )
}

pub(super) fn moved(name: &SecretName, backend: &Slug) -> Diagnostic {
    Diagnostic::error(
        "Catalog Record Altered",
        format!(
            "The record of secret {:?} names backend {:?}, and the state another one. A \
             secret never moves, so somebody has changed the record.\n\nFind out who can \
             write to the platform's storage, and restore the record from a backup.",
            name.to_string(),
            backend.as_str()
        ),
    )
}

pub(super) fn rolled_back(name: &SecretName, seen: u64, found: u64) -> Diagnostic {
    Diagnostic::error(
        "Catalog Rolled Back",
        format!(
            "The record of secret {:?} has gone back: its generation was {seen} when it was \
             last seen, and is {found} now. Somebody restored an old backup, or replays old \
             records.\n\nIf the restore was intended, accept it: remove the resource from the \
             state (terraform state rm) and import it again. If it was not, find out who can \
             write to the platform's storage.",
            name.to_string()
        ),
    )
}

pub(super) fn value_too_large(bytes: usize, limit: usize, vendor: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Value Too Large",
        format!(
            "The value has {bytes} bytes; {vendor} holds at most {limit} bytes in one secret \
             (the backend's limit less the greatest envelope). Nothing was written.\n\nSplit \
             the value, or keep it elsewhere and its key here."
        ),
    )
}

pub(super) fn envelope_malformed(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Stored Secret Malformed",
        format!(
            "What the backend holds for version {version} of secret {secret:?} is not an \
             envelope of this provider: it was cut or overwritten there.\n\nWrite the value \
             again by changing value_wo_version, and find out who can write to the backend."
        ),
    )
}

pub(super) fn envelope_refused(secret: &str, version: u64) -> Diagnostic {
    Diagnostic::error(
        "Stored Secret Refused",
        format!(
            "The envelope of version {version} of secret {secret:?} was refused: it is not the \
             one that the catalog names, it was altered, or it belongs to another secret or \
             key.\n\nWrite the value again by changing value_wo_version, and find out who can \
             write to the backend."
        ),
    )
}

pub(super) fn invalid_generate(reason: &InvalidGenerate) -> Diagnostic {
    Diagnostic::error(
        "Value Cannot Be Generated",
        format!("{reason}.\n\nCorrect the generate argument."),
    )
}

pub(super) fn nothing_to_copy(backend: &Slug, remote_name: &str) -> Diagnostic {
    Diagnostic::error(
        "Nothing To Copy",
        format!(
            "Backend {:?} has no object {remote_name:?} that could be copied.\n\nCheck the \
             object's name as the vendor's own tools show it. The built-in backend holds \
             nobody else's objects.",
            backend.as_str()
        ),
    )
}

pub(super) fn not_copyable(backend: &Slug, remote_name: &str, error: &StoreError) -> Diagnostic {
    Diagnostic::error(
        "Object Cannot Be Copied",
        format!(
            "Object {remote_name:?} on backend {:?} was not copied. {}\n\nCheck the object's \
             name as the vendor's own tools show it.",
            backend.as_str(),
            error.remedy().unwrap_or("Its value is not text.")
        ),
    )
}
