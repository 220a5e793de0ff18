//! Turns failures of the library into what a practitioner reads: what failed,
//! the likely cause, the remedy, the original error.

use std::error::Error;
use std::fmt::Write as _;

use super::{Named, backend_diagnostics, unclear};
use crate::catalog::{CatalogError, CatalogErrorKind};
use crate::kek::{KekError, KekErrorKind};
use crate::names::SecretName;
use crate::operations::OperationError;
use crate::plugin::Diagnostic;
use crate::store::{StoreError, StoreErrorKind};

/// Tells a failure of an operation on a secret.
#[must_use]
pub fn explain(error: &OperationError) -> Diagnostic {
    if let Some(interruption) = error.interruption() {
        return operation(&interruption);
    }
    match error {
        OperationError::Catalog(error) => catalog(error),
        OperationError::Store(error) => store(error),
        OperationError::Kek(error) => kek(error),
        OperationError::CommitUnclear(failure) => unclear(explain(&failure.error), failure.run),
        other => backend_diagnostics::explain(other).unwrap_or_else(|| operation(other)),
    }
}

/// Says that a protected secret may not be destroyed.
#[must_use]
pub fn deletion_protected(name: &str) -> Diagnostic {
    Diagnostic::error(
        "Secret Deletion Protected",
        format!(
            "Secret {name:?} has deletion_protection = true, so it is neither destroyed nor \
             replaced.\n\nTo do it all the same, set deletion_protection to false and apply that \
             first."
        ),
    )
    .at("deletion_protection")
}

/// Says that two resources of one configuration are to have the same name.
#[must_use]
pub fn declared_twice(name: &SecretName) -> Diagnostic {
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

fn operation(error: &OperationError) -> Diagnostic {
    use OperationError as E;
    let (summary, detail) = match error {
        E::OrganizationMissing { organization } => (
            "Organization Not Found",
            format!(
                "Organization \"{organization}\" has no record on this platform: no secret was \
                 ever created in it here.\n\nCheck the provider's organization and its platform \
                 (openbao or embedded). The first planton_secret that is applied creates the \
                 record."
            ),
        ),
        E::DifferentPlatform { expected, found } => (
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
        ),
        E::MacKeyReplaced => (
            "Catalog Key Replaced",
            "The catalog's records stand under another key than when this secret was last \
             written: somebody who can write to the platform has put a key of their own in its \
             place, and may have forged any record.\n\nFind out who can write to the platform's \
             storage, and restore the organization's record. If the organization was set up anew \
             on purpose, remove the resource from the state (terraform state rm) and import it \
             again."
                .to_owned(),
        ),
        E::SecretNotFound { secret } => (
            "Secret Not Found",
            format!(
                "Secret {secret:?} does not exist in this organization.\n\nCheck its name and its \
                 environment; a secret of organization scope has no environment."
            ),
        ),
        E::VersionNotFound { secret, version } => (
            "Secret Version Not Found",
            format!(
                "Secret {secret:?} has no version {version}: it was never written, or \
                 keep_versions has let it go.\n\nAsk for another version, or leave version out for \
                 the current one."
            ),
        ),
        E::VersionLost { secret, version } => (
            "Secret Version Missing",
            format!(
                "The catalog names version {version} of secret {secret:?}, but its backend does \
                 not hold it: somebody deleted it there.\n\nRun terraform apply where the secret \
                 is managed: it writes the value again as a new version. Where this configuration \
                 manages it, have the read wait for that version:\n\n  version = \
                 planton_secret.<name>.version\n\nOr write it first: terraform apply \
                 -target=planton_secret.<name>."
            ),
        ),
        E::AlreadyExists { name, uuid, met } => (
            "Secret Already Exists",
            named_secret(name, |named| {
                format!(
                    "{}\n\nA replacement under create_before_destroy needs another name, or \
                     takes_over = \"{uuid}\". To keep a tainted secret instead, run terraform \
                     untaint.",
                    named.already_exists(met)
                )
            }),
        ),
        E::DeclaredTwice { name, .. } => return declared_twice(name),
        E::OwnedByAnotherState { name, owner, .. } => (
            "Secret Owned By Another State",
            named_secret(name, |named| named.owned_by_another(owner)),
        ),
        E::Displaced { name, uuid, met } => (
            "Secret Displaced",
            named_secret(name, |named| named.displaced(*uuid, met)),
        ),
        E::RecordMissing { name } => (
            "Secret Record Missing",
            named_secret(name, |named| named.record_missing()),
        ),
        E::OrganizationRecordMissing { organization } => (
            "Organization Record Missing",
            format!(
                "The catalog of organization \"{organization}\" holds records, but not the \
                 organization's own, which has the key that all others are verified with. A new one \
                 would make them unreadable.\n\nRestore the record {:?} from a backup of the \
                 platform.",
                "organization"
            ),
        ),
        E::DeletionProtected { name } => return deletion_protected(name.name.as_str()),
        E::ChangedConcurrently { subject } => (
            match subject.split_once(' ').map_or("", |(first, _)| first) {
                "backend" => "Secret Backend Changed Concurrently",
                "the" => "Default Backend Changed Concurrently",
                _ => "Secret Changed Concurrently",
            },
            format!(
                "{}{} was changed concurrently by somebody else since this change was planned; \
                 nothing of theirs was overwritten.\n\nRun terraform plan again and look at what \
                 is different now.",
                subject[..1].to_uppercase(),
                &subject[1..]
            ),
        ),
        E::SecretMoved { name, backend } => (
            "Catalog Record Altered",
            format!(
                "The record of secret {:?} names backend {:?}, and the state another one. A \
                 secret never moves, so somebody has changed the record.\n\nFind out who can \
                 write to the platform's storage, and restore the record from a backup.",
                name.to_string(),
                backend.as_str()
            ),
        ),
        E::RolledBack { name, seen, found } => (
            "Catalog Rolled Back",
            format!(
                "The record of secret {:?} has gone back: its generation was {seen} when it was \
                 last seen, and is {found} now. Somebody restored an old backup, or replays old \
                 records.\n\nIf the restore was intended, accept it: remove the resource from the \
                 state (terraform state rm) and import it again. If it was not, find out who can \
                 write to the platform's storage.",
                name.to_string()
            ),
        ),
        E::ValueTooLarge {
            bytes,
            limit,
            vendor,
        } => (
            "Secret Value Too Large",
            format!(
                "The value has {bytes} bytes; {vendor} holds at most {limit} bytes in one secret \
                 (the backend's limit less the greatest envelope). Nothing was written.\n\nSplit \
                 the value, or keep it elsewhere and its key here."
            ),
        ),
        E::EnvelopeMalformed { secret, version } => (
            "Stored Secret Malformed",
            format!(
                "What the backend holds for version {version} of secret {secret:?} is not an \
                 envelope of this provider: it was cut or overwritten there.\n\nWrite the value \
                 again by changing value_wo_version, and find out who can write to the backend."
            ),
        ),
        E::EnvelopeRefused { secret, version } => (
            "Stored Secret Refused",
            format!(
                "The envelope of version {version} of secret {secret:?} was refused: it is not the \
                 one that the catalog names, it was altered, or it belongs to another secret or \
                 key.\n\nWrite the value again by changing value_wo_version, and find out who can \
                 write to the backend."
            ),
        ),
        E::Interrupted {
            step,
            timed_out: true,
        } => (
            "Operation Timed Out",
            format!(
                "Time ran out before {step} was done. Nothing is half-written: the next apply goes \
                 on from here.\n\nRaise the limit in the resource's timeouts block if this happens again."
            ),
        ),
        E::Interrupted {
            step,
            timed_out: false,
        } => (
            "Operation Cancelled",
            format!(
                "Terraform asked to stop before {step}. Nothing is half-written: the next apply \
                 goes on from here."
            ),
        ),
        E::InvalidGenerate(reason) => (
            "Value Cannot Be Generated",
            format!("{reason}.\n\nCorrect the generate argument."),
        ),
        E::Randomness => (
            "No Randomness Available",
            "The operating system gave no randomness, so no key can be made.".to_owned(),
        ),
        // Told elsewhere.
        other => ("Operation Failed", other.to_string()),
    };
    Diagnostic::error(summary, detail)
}

/// What a kind of failure means to a practitioner: the summary, what failed and
/// why, and the remedy where the error brings none of its own.
type Meaning = (&'static str, &'static str, &'static str);

/// Of an answer that cannot be read; the original error names who returned it.
const UNEXPECTED: &str = "The response is not in the form of the vendor's API, so it proves \
                          nothing about what is stored";

fn catalog(error: &CatalogError) -> Diagnostic {
    use CatalogErrorKind as K;
    let meaning = match error.kind() {
        K::Conflict => (
            "Catalog Changed Concurrently",
            "Somebody else changed the record at the same time; nothing of theirs was overwritten",
            "Run terraform plan again.",
        ),
        K::PermissionDenied => (
            "Catalog Access Denied",
            "The provider's credentials may not do this on the platform's catalog",
            "Grant it to the role in use.",
        ),
        K::Unauthenticated => (
            "Platform Login Failed",
            "The provider is not, or no longer, logged in to the platform: its credentials are \
             missing, wrong, or have run out",
            "Check the token or the login in the provider's openbao block.",
        ),
        K::RateLimited => (
            "Platform Rate Limited",
            "The platform is rate limiting requests; they were retried until the operation's \
             time ran out",
            "Raise the resource's timeouts, or lower -parallelism.",
        ),
        K::Unavailable => (
            "Platform Unavailable",
            "The platform could not be reached, or failed, and still did after all retries",
            "Check the provider's address, the network, and whether the platform is unsealed.",
        ),
        K::Altered => (
            "Catalog Record Altered",
            "The record's authentication code does not fit: somebody without the organization's \
             key has changed it, so nothing is written or opened on its word",
            "Find out who can write to the platform's storage, and restore the record.",
        ),
        K::Corrupt => (
            "Catalog Record Corrupt",
            "What stands in the record's place is not a record that this release of the provider \
             knows",
            "If a later release wrote it, upgrade the provider. Otherwise find out who can write \
             to the platform's storage, and restore the record from a backup.",
        ),
        K::Unexpected => (
            "Unexpected Response",
            UNEXPECTED,
            "Check the address in the provider's openbao block, and the proxy or gateway between \
             here and there.",
        ),
        K::Misconfigured => (
            "Platform Misconfigured",
            "The platform, or the way to it, is not set up as this provider needs it",
            "Check the provider's openbao or embedded block.",
        ),
    };
    let tried = (error.operation(), error.path());
    told(meaning, tried, error.remedy(), error)
}

fn store(error: &StoreError) -> Diagnostic {
    store_within("", error, "")
}

/// Tells a failure of a store after what failed with it, and adds to its remedy.
pub(super) fn store_within(failed: &str, error: &StoreError, more: &str) -> Diagnostic {
    use StoreErrorKind as K;
    const INTRUDER: &str = "Write the value again by changing value_wo_version, and find out who \
                            can write to the backend.";
    let meaning = match error.kind() {
        K::NotFound => (
            "Stored Secret Missing",
            "The backend does not hold what the catalog names",
            "Run terraform apply where the secret is managed: it writes the value again.",
        ),
        K::AlreadyExists => (
            "Backend Object Already Exists",
            "An object that is not this provider's stands in the secret's place; it was not \
             touched",
            "Remove it, or choose another name for the secret.",
        ),
        K::Conflict => (
            "Secret Changed Concurrently",
            "Somebody else wrote at the same time; nothing of theirs was overwritten",
            "Run terraform plan again.",
        ),
        K::PermissionDenied => (
            "Secret Backend Access Denied",
            "The credentials in use may not do this on the secret backend",
            "Grant it to the role in use.",
        ),
        K::Unauthenticated => (
            "Secret Backend Login Failed",
            "The secret backend does not, or no longer, accept the credentials: they are \
             missing, wrong, or have run out",
            "Check the backend's credentials.",
        ),
        K::TooLarge => (
            "Secret Value Too Large",
            "The secret backend holds no payload of this size",
            "Split the value, or keep it elsewhere and its key here.",
        ),
        K::InvalidName => (
            "Invalid Backend Name",
            "The secret backend does not take this name",
            "Choose another name for the secret.",
        ),
        K::RateLimited => (
            "Secret Backend Rate Limited",
            "The secret backend is rate limiting requests; they were retried until the \
             operation's time ran out",
            "Raise the resource's timeouts, or lower -parallelism.",
        ),
        K::Unavailable => (
            "Secret Backend Unavailable",
            "The secret backend could not be reached, or failed, and still did after all retries",
            "Check its address, the network, and whether it is in service.",
        ),
        K::Corrupt => (
            "Stored Secret Corrupt",
            "What stands in the secret's place was not put there by this provider",
            INTRUDER,
        ),
        K::Unexpected => (
            "Unexpected Response",
            UNEXPECTED,
            "Check the backend's address, and the proxy or gateway between here and there.",
        ),
        K::Misconfigured => (
            "Secret Backend Misconfigured",
            "The secret backend, or the way to it, is not set up as this provider needs it",
            "Check the backend's configuration.",
        ),
    };
    // Of a secret. A probe's object has no value that anybody could write again.
    let is_intruder = error.kind() == K::Corrupt && failed.is_empty();
    let remedy = error.remedy().filter(|_| !is_intruder);
    let (summary, what, general) = meaning;
    let remedy = format!("{}{more}", remedy.unwrap_or(general).trim_end());
    // A setting is named as such; nothing was asked of the vendor yet.
    let (what, tried) = match error.is_of_setting() {
        true => (
            "The secret backend cannot be used as it is set up",
            ("setting", error.path()),
        ),
        false => (what, (error.operation(), error.path())),
    };
    let mut told = told((summary, what, general), tried, Some(&remedy), error);
    if !failed.is_empty() {
        told.detail = format!("{failed}\n\n{}", told.detail);
    }
    told
}

fn kek(error: &KekError) -> Diagnostic {
    use KekErrorKind as K;
    let meaning = match error.kind() {
        K::NotFound => (
            "Encryption Key Missing",
            "The key encryption key does not exist, and nothing that was sealed under it can be \
             opened with another",
            "Restore it from a backup, or point the provider at the platform that has it.",
        ),
        K::Disabled => (
            "Encryption Key Disabled",
            "The key encryption key exists, and is disabled or destroyed",
            "Enable or restore it.",
        ),
        K::PermissionDenied => (
            "Encryption Key Access Denied",
            "The provider's credentials may not use the key encryption key in this way",
            "Grant it to the role in use.",
        ),
        K::Unauthenticated => (
            "Encryption Key Login Failed",
            "The key's keeper does not, or no longer, accept the credentials: they are missing, \
             wrong, or have run out",
            "Check the credentials.",
        ),
        K::Refused => (
            "Encryption Key Refused",
            "The key does not open what was wrapped: it is another key, or what was wrapped was \
             altered",
            "Point the provider at the platform that has the key, or restore the record.",
        ),
        K::RateLimited => (
            "Encryption Key Rate Limited",
            "The service that holds the key is rate limiting requests; they were retried until \
             the operation's time ran out",
            "Raise the resource's timeouts, or lower -parallelism.",
        ),
        K::Unavailable => (
            "Encryption Key Unavailable",
            "The key's keeper could not be reached, or failed, and still did after all retries",
            "Check its address, the network, and whether it is unsealed.",
        ),
        K::Unexpected => (
            "Unexpected Response",
            UNEXPECTED,
            "Check the address, and the proxy or gateway between here and there.",
        ),
        K::Misconfigured => (
            "Encryption Key Misconfigured",
            "The key, or the engine that keeps it, is not set up as this provider needs it",
            "Check the key's type and the configured mount path.",
        ),
    };
    let tried = (error.operation(), error.path());
    told(meaning, tried, error.remedy(), error)
}

fn told(
    (summary, what, general): Meaning,
    (operation, path): (&str, &str),
    remedy: Option<&str>,
    error: &dyn Error,
) -> Diagnostic {
    let remedy = remedy.unwrap_or(general).trim_end();
    let mut detail = format!("{what} ({operation}: {path}).\n\n{remedy}");
    if let Some(chain) = sources(error) {
        let _ = write!(detail, "\n\nOriginal error: {chain}");
    }
    Diagnostic::error(summary, detail)
}

/// Joins the errors beneath `error`.
fn sources(error: &dyn Error) -> Option<String> {
    let mut next = error.source();
    let mut all = Vec::new();
    while let Some(source) = next {
        let text = source.to_string();
        if all.last() != Some(&text) {
            all.push(text);
        }
        next = source.source();
    }
    (!all.is_empty()).then(|| all.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrent_change_names_what_was_changed() {
        for (subject, summary) in [
            ("backend b6", "Secret Backend Changed Concurrently"),
            (
                "the default backend",
                "Default Backend Changed Concurrently",
            ),
            ("secret db", "Secret Changed Concurrently"),
        ] {
            let subject = subject.to_owned();
            let told = explain(&OperationError::ChangedConcurrently { subject });
            assert_eq!(told.summary, summary);
        }
    }
}
