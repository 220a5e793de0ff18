//! Text and attribute of every diagnostic: what failed, the likely cause, the remedy, the
//! original error.

mod backend;
mod by_kind;
mod configuration;
mod default_backend;
mod invalid_name;
mod organization;
mod ownership;
mod secret;

use planton_core::operations::OperationError;
use planton_core::store::{StoreError, StoreErrorKind};
use planton_plugin::{AttributePath, Diagnostic};

pub use backend::{named_backend, reserved_name};
pub use configuration::{different_organization, not_opened, not_refreshed, unconfigured};
pub use default_backend::named_default;
pub use invalid_name::invalid_slug;
pub(crate) use invalid_name::plain_words;
pub use ownership::{Finding, Named, made_by};
pub use secret::{deletion_protected, named_secret};

/// The argument that an error is about. Each resource knows what it calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    /// No argument.
    Nothing,
    /// The name of the instance itself.
    Name,
    /// The arguments that select an existing instance.
    Selector,
    /// The backend that the instance refers to.
    Backend,
    /// The value of a secret.
    Value,
    /// The version of a secret.
    Version,
    /// The object to copy a value from.
    CopySource,
    /// A setting of a backend, by the name that its adapter gives it; empty for all.
    Setting(&'a str),
    /// The address of a backend.
    Address,
}

/// Returns the diagnostic of a failure, without a path.
#[must_use]
pub fn explain(error: &OperationError) -> Diagnostic {
    explained(error).0
}

/// Returns the diagnostic of a failure, at the attribute that `locate` names for what the
/// failure is about.
pub fn explain_at(
    error: &OperationError,
    locate: impl FnOnce(About<'_>) -> Option<AttributePath>,
) -> Diagnostic {
    let (diagnostic, about) = explained(error);
    match locate(about) {
        Some(path) => diagnostic.at(path),
        None => diagnostic,
    }
}

/// The one translation of errors: text, and the argument to point at. A new variant does
/// not compile until it has both.
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
        } => (Diagnostic::timed_out(step), About::Nothing),
        E::Interrupted {
            step,
            timed_out: false,
        } => (Diagnostic::cancelled(step), About::Nothing),
        E::ChangedConcurrently { subject } => (changed_concurrently(subject), About::Nothing),
        E::OrganizationMissing { organization } => {
            (organization::missing(organization), About::Selector)
        }
        E::OrganizationRecordMissing { organization } => {
            (organization::record_missing(organization), About::Nothing)
        }
        E::DifferentPlatform { expected, found } => (
            organization::different_platform(*expected, *found),
            About::Nothing,
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
        E::AlreadyExists { name, uuid, met } => {
            (secret::already_exists(name, *uuid, met), About::Name)
        }
        E::DeclaredTwice { name, .. } => (secret::declared_twice(name), About::Name),
        E::OwnedByAnotherState { name, owner, .. } => {
            (secret::owned_by_another(name, owner), About::Nothing)
        }
        E::Displaced { name, uuid, met } => (secret::displaced(name, *uuid, met), About::Nothing),
        E::RecordMissing { name } => (secret::record_missing(name), About::Nothing),
        E::DeletionProtected { name } => (deletion_protected(name.name.as_str()), About::Nothing),
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
        E::BackendExists { backend, met } => (backend::exists(backend, met), About::Name),
        E::BackendNameReserved => (reserved_name(), About::Name),
        E::BackendDeclaredTwice { backend } => (backend::declared_twice(backend), About::Name),
        E::BackendOwnedByAnother { backend, owner } => {
            (backend::owned_by_another(backend, owner), About::Nothing)
        }
        E::BackendChangedConcurrently { backend } => {
            (backend::changed_concurrently(backend), About::Nothing)
        }
        E::BackendRecordMissing { backend } => (backend::record_missing(backend), About::Nothing),
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
        E::DefaultBackendExists { backend, met } => {
            (default_backend::exists(backend, met), About::Backend)
        }
        E::DefaultBackendDeclaredTwice => (default_backend::declared_twice(), About::Nothing),
        E::DefaultBackendOwnedByAnother { backend, owner } => (
            default_backend::owned_by_another(backend, owner),
            About::Nothing,
        ),
        E::DefaultBackendRecordMissing => (default_backend::record_missing(), About::Nothing),
        E::DefaultBackendRolledBack { seen, found } => {
            (default_backend::rolled_back(*seen, *found), About::Nothing)
        }
    }
}

/// Returns the setting that a store's failure is about; none for an outage, which has
/// nothing to do with a setting.
fn setting(error: &StoreError) -> About<'_> {
    match (error.setting(), error.kind()) {
        (None, StoreErrorKind::Unavailable | StoreErrorKind::RateLimited) => About::Nothing,
        (named, _) => About::Setting(named.unwrap_or_default()),
    }
}

fn changed_concurrently(subject: &str) -> Diagnostic {
    let summary = match subject.split_once(' ').map_or("", |(first, _)| first) {
        "backend" => "Secret Backend Changed Concurrently",
        "the" => "Default Backend Changed Concurrently",
        _ => "Secret Changed Concurrently",
    };
    Diagnostic::error(
        summary,
        format!(
            "{}{} was modified by another run since this change was planned; nothing of that run \
             was overwritten.\n\nRun terraform plan again and look at what is \
             different now.",
            subject[..1].to_uppercase(),
            &subject[1..]
        ),
    )
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
