//! What went wrong in a use case itself, and in nothing beneath it.

use super::{declared_twice, deletion_protected, named_secret};
use planton_core::operations::OperationError;
use planton_plugin::Diagnostic;

pub(super) fn operation(error: &OperationError) -> Diagnostic {
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
            let told = operation(&OperationError::ChangedConcurrently { subject });
            assert_eq!(told.summary, summary);
        }
    }
}
