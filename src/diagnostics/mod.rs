//! Text and attribute of every diagnostic: the failure, its likely cause, the remedy, and
//! the original error.

mod backend;
mod backup;
mod by_kind;
mod configuration;
mod default_backend;
mod embedded;
mod interrupted;
mod invalid_name;
mod keys;
mod organization;
mod ownership;
mod secret;

use planton_core::kek::{KekError, KekErrorKind, KekSlot};
use planton_core::operations::{ChangedRecord, OperationError};
use planton_core::store::{StoreError, StoreErrorKind};
use planton_plugin::{AttributePath, Diagnostic};

pub(crate) use backend::{built_in, planned_twice as backend_planned_twice, reserved_name};
pub(crate) use configuration::{
    default_environment_unknown, default_labels_unknown, different_organization, not_opened,
    not_refreshed, renamed_organization, unconfigured,
};
pub(crate) use embedded::embedded_not_usable;
pub(crate) use invalid_name::{invalid_slug, plain_words};
pub(crate) use keys::{kept, not_rotated, rewrap_denied, same_key};
pub(crate) use organization::no_randomness;
pub(crate) use ownership::{Finding, Named, Renamed, made_by};
pub(crate) use secret::{deletion_protected, planned_twice as secret_planned_twice};

/// Argument that an error is about. Each resource maps it to its own attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About<'a> {
    /// No argument.
    Nothing,
    /// Name of the instance itself.
    Name,
    /// Arguments that select an existing instance.
    Selector,
    /// Backend that the instance refers to.
    Backend,
    /// Value of a secret.
    Value,
    /// Version of a secret.
    Version,
    /// Object to copy a value from.
    CopySource,
    /// Setting of a backend, by the name that its vendor's code uses; empty for the whole
    /// block.
    Setting(&'a str),
    /// Address of a backend.
    Address,
    /// Key of a backend, and the setting in its block; empty for the whole block.
    Key(KekSlot, &'a str),
    /// All escrow keys of a backend.
    Escrow,
    /// Keys that the provider block allows.
    AllowedKeys,
    /// Fingerprint that the provider block pins.
    Fingerprint,
}

/// Returns the diagnostic of a failure, without a path.
pub(crate) fn explain(error: &OperationError) -> Diagnostic {
    explained(error).0
}

/// Returns the diagnostic of a failure, at the attribute that `locate` returns for the
/// argument in question.
pub(crate) fn explain_at(
    error: &OperationError,
    locate: impl FnOnce(About<'_>) -> Option<AttributePath>,
) -> Diagnostic {
    let (diagnostic, about) = explained(error);
    match locate(about) {
        Some(path) => diagnostic.at(path),
        None => diagnostic,
    }
}

/// Translates an error into its text and the argument to point at. This is the only such
/// translation, and a new variant does not compile without both.
fn explained(error: &OperationError) -> (Diagnostic, About<'_>) {
    use OperationError as E;
    if let Some(interruption) = error.interruption() {
        return (explain(&interruption), About::Nothing);
    }
    match error {
        E::Catalog(error) => (by_kind::catalog(error), About::Nothing),
        E::Store(error) => (by_kind::store(error), setting(error)),
        E::Kek(error) => (by_kind::kek(error), About::Nothing),
        E::CommitUnclear(failure) => {
            let (failed, about) = explained(&failure.error);
            (ownership::unclear(failed, failure.run), about)
        }
        E::Interrupted {
            step,
            timed_out: true,
        } => (interrupted::timed_out(step), About::Nothing),
        E::Interrupted {
            step,
            timed_out: false,
        } => (interrupted::cancelled(step), About::Nothing),
        E::ChangedConcurrently {
            record: ChangedRecord::Secret(name),
        } => (secret::changed_concurrently(name.as_ref()), About::Nothing),
        E::ChangedConcurrently {
            record: ChangedRecord::DefaultBackend,
        } => (default_backend::changed_concurrently(), About::Nothing),
        E::ChangedConcurrently {
            record: ChangedRecord::Organization,
        } => (organization::changed_concurrently(), About::Nothing),
        E::PinsMissing {
            fingerprint,
            allowed_key_ids,
        } => (
            keys::pins_missing(*fingerprint, *allowed_key_ids),
            About::Nothing,
        ),
        E::AlreadyInitialized { organization } => (
            organization::already_initialized(organization),
            About::Nothing,
        ),
        E::EscrowKeyNotFound { key } => (keys::escrow_not_found(key), About::Nothing),
        E::NoEscrowIdentity { escrow } => (keys::no_escrow_identity(escrow), About::Nothing),
        E::OrganizationMissing { organization } => {
            (organization::missing(organization), About::Selector)
        }
        E::MigrationTargetTaken { organization } => {
            (organization::target_taken(organization), About::Nothing)
        }
        E::MigrationNotDone { organization } => (
            organization::migration_not_done(organization),
            About::Nothing,
        ),
        E::OrganizationRecordMissing { organization } => {
            (organization::record_missing(organization), About::Nothing)
        }
        E::DifferentPlatform { expected, found } => (
            organization::different_platform(*expected, *found),
            About::Nothing,
        ),
        E::KeyNotAllowed { key } => (keys::not_allowed(key), About::AllowedKeys),
        E::KeyProbeFailed { slot, error } => (
            keys::probe_failed(error),
            About::Key(*slot, key_setting(error)),
        ),
        E::KeyDeclaredTwice { key } => (keys::declared_twice(key), About::Escrow),
        E::TooManyKeys { keys } => (keys::too_many(*keys), About::Escrow),
        E::TooManyFormerKeys { keys } => (
            keys::too_many_former(*keys),
            About::Key(KekSlot::Encryption, ""),
        ),
        E::WrapsTooLong { bytes } => (keys::wraps_too_long(*bytes), About::Escrow),
        E::AnotherFingerprint {
            organization,
            expected,
            found,
        } => (
            keys::another_fingerprint(organization, *expected, *found),
            About::Fingerprint,
        ),
        E::MacKeyReplaced => (organization::mac_key_replaced(), About::Nothing),
        E::Randomness => (organization::no_randomness(), About::Nothing),
        E::SecretNotFound { secret } => (secret::not_found(secret), About::Selector),
        E::VersionNotFound { secret, version } => {
            (secret::version_not_found(secret, *version), About::Version)
        }
        E::VersionLost { secret, version } => {
            (secret::version_lost(secret, *version), About::Nothing)
        }
        E::AlreadyExists {
            name,
            uuid,
            existing,
        } => (secret::already_exists(name, *uuid, existing), About::Name),
        E::DeclaredTwice { name, .. } => (secret::declared_twice(name), About::Name),
        E::OwnedByAnotherState { name, owner, .. } => {
            (Named::secret(name).owned_by_another(owner), About::Nothing)
        }
        E::Displaced {
            name,
            uuid,
            existing,
        } => (
            Named::secret(name).displaced(*uuid, existing),
            About::Nothing,
        ),
        E::RecordMissing { name } => (Named::secret(name).record_missing(), About::Nothing),
        E::DeletionProtected { name } => (deletion_protected(name.name.as_str()), About::Nothing),
        E::Retained { name } => (secret::retained(name), About::Nothing),
        E::RolledBack { name, seen, found } => {
            (secret::rolled_back(name, *seen, *found), About::Nothing)
        }
        E::SecretMoved { name, backend } => (secret::moved(name, backend), About::Nothing),
        E::ValueTooLarge {
            bytes,
            limit,
            vendor,
        } => (
            secret::value_too_large(*bytes, *limit, vendor),
            About::Value,
        ),
        E::EnvelopeMalformed { secret, version } => {
            (secret::envelope_malformed(secret, *version), About::Nothing)
        }
        E::EnvelopeRefused { secret, version } => {
            (secret::envelope_refused(secret, *version), About::Nothing)
        }
        E::InvalidGenerate(reason) => (secret::invalid_generate(reason), About::Nothing),
        E::NothingToCopy {
            backend,
            remote_name,
        } => (
            secret::nothing_to_copy(backend, remote_name),
            About::CopySource,
        ),
        E::NotCopyable {
            backend,
            remote_name,
            error,
        } => (
            secret::not_copyable(backend, remote_name, error),
            About::Nothing,
        ),
        E::UnknownBackend { backend } => (backend::unknown(backend), About::Backend),
        E::BackendExists { backend, existing } => (backend::exists(backend, existing), About::Name),
        E::BackendNameReserved => (reserved_name(), About::Name),
        E::BackendDeclaredTwice { backend } => (backend::declared_twice(backend), About::Name),
        E::BackendOwnedByAnother { backend, owner } => (
            Named::backend(backend).owned_by_another(owner),
            About::Nothing,
        ),
        E::BackendChangedConcurrently { backend } => {
            (backend::changed_concurrently(backend), About::Nothing)
        }
        E::BackendRecordMissing { backend } => {
            (Named::backend(backend).record_missing(), About::Nothing)
        }
        E::BackendInUse {
            backend,
            secrets,
            total,
            is_default,
        } => (
            backend::in_use(backend, secrets, *total, *is_default),
            About::Nothing,
        ),
        E::BackendDeleting { backend } => (backend::being_deleted(backend), About::Backend),
        E::BackendNotThere { backend, marker } => {
            (backend::not_there(backend, marker), About::Address)
        }
        E::BackendNotMarked { backend } => (backend::not_marked(backend), About::Setting("")),
        E::BackendRolledBack {
            backend,
            seen,
            found,
        } => (backend::rolled_back(backend, *seen, *found), About::Nothing),
        E::ProbeFailed { step, error } => (backend::probe_failed(step, error), setting(error)),
        E::CredentialRefused { kind } => (backend::credential_refused(kind), About::Nothing),
        E::Backup(error) => (backup::unusable(error), About::Nothing),
        E::ClockOutOfRange { now } => (organization::clock_out_of_range(*now), About::Nothing),
        E::RestoreUnfinished {
            organization,
            backup_of,
        } => (
            organization::restore_unfinished(organization, *backup_of),
            About::Nothing,
        ),
        E::RestoreNotAccepted {
            organization,
            backup_of,
        } => (
            organization::restore_not_accepted(organization, *backup_of),
            About::Nothing,
        ),
        E::OrganizationRolledBack {
            organization,
            seen,
            found,
        } => (
            organization::rolled_back(organization, *seen, *found),
            About::Nothing,
        ),
        E::DefaultBackendExists { backend, existing } => {
            (default_backend::exists(backend, existing), About::Backend)
        }
        E::DefaultBackendDeclaredTwice => (default_backend::declared_twice(), About::Nothing),
        E::DefaultBackendOwnedByAnother { backend, owner } => (
            Named::default_backend(backend).owned_by_another(owner),
            About::Nothing,
        ),
        E::DefaultBackendRecordMissing => (default_backend::record_missing(), About::Nothing),
        E::DefaultBackendRolledBack { seen, found } => {
            (default_backend::rolled_back(*seen, *found), About::Nothing)
        }
    }
}

/// Returns the setting that a store's failure is about. An outage is about none.
fn setting(error: &StoreError) -> About<'_> {
    match (error.setting(), error.kind()) {
        (None, StoreErrorKind::Unavailable | StoreErrorKind::RateLimited) => About::Nothing,
        (named, _) => About::Setting(named.unwrap_or_default()),
    }
}

/// Returns the setting that a key's failure is about; empty for the whole block.
fn key_setting(error: &KekError) -> &str {
    match error.kind() {
        KekErrorKind::Misconfigured | KekErrorKind::Unauthenticated => error.path(),
        _ => "",
    }
}

/// Reports a lost compare-and-set on `what`, whose summaries begin with `title`.
fn changed_concurrently(title: &str, what: &str) -> Diagnostic {
    Diagnostic::error(
        format!("{title} Changed Concurrently"),
        format!(
            "{what} was modified by another run since this change was planned. This run did not \
             overwrite that change.\n\nRun terraform plan again and review the new differences."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrent_change_names_the_changed_record() {
        let name = "db".parse().expect("a name");
        let slug = "b6".parse().expect("a slug");
        for (error, summary, what) in [
            (
                OperationError::BackendChangedConcurrently { backend: slug },
                "Secret Backend Changed Concurrently",
                "Secret backend \"b6\" was modified",
            ),
            (
                OperationError::ChangedConcurrently {
                    record: ChangedRecord::DefaultBackend,
                },
                "Default Backend Changed Concurrently",
                "The default backend was modified",
            ),
            (
                OperationError::ChangedConcurrently {
                    record: ChangedRecord::Secret(Some(name)),
                },
                "Secret Changed Concurrently",
                "Secret \"db\" was modified",
            ),
        ] {
            let told = explain(&error);
            assert_eq!(told.summary, summary);
            assert!(told.detail.starts_with(what), "{}", told.detail);
        }
    }
}
