//! What a failure of the catalog, of a store or of a key means, by its kind.

use std::error::Error;
use std::fmt::Write as _;

use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::kek::{KekError, KekErrorKind};
use planton_core::store::{StoreError, StoreErrorKind};
use planton_plugin::Diagnostic;

/// What a kind of failure means to a practitioner: the summary, what failed and
/// why, and the remedy where the error brings none of its own.
type Meaning = (&'static str, &'static str, &'static str);

/// Of an answer that cannot be read; the original error names who returned it.
const UNEXPECTED: &str = "The response does not match the vendor's API, so it does not show what \
                          is stored";

pub(super) fn catalog(error: &CatalogError) -> Diagnostic {
    use CatalogErrorKind as K;
    let meaning = match error.kind() {
        K::Conflict => (
            "Catalog Changed Concurrently",
            "Another run modified the record at the same time; its change was not overwritten",
            "Run terraform plan again.",
        ),
        K::PermissionDenied => (
            "Catalog Access Denied",
            "The provider's credentials do not permit this on the platform's catalog",
            "Grant it to the role in use.",
        ),
        K::Unauthenticated => (
            "Platform Login Failed",
            "The platform rejected the provider's login: its credentials are missing, wrong or \
             expired",
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
            "The platform could not be reached or returned errors; retries were exhausted",
            "Check the provider's address, the network, and whether the platform is unsealed.",
        ),
        K::Removed => (
            "Catalog Record Deleted",
            "Somebody deleted this record from the platform's storage, so nothing tells whether \
             the object that it names is still needed",
            "Restore the record from a backup.",
        ),
        K::Altered => (
            "Catalog Record Altered",
            "The record's authentication code is invalid: it was changed without the \
             organization's key, so nothing is written or opened that depends on it",
            "Find out who can write to the platform's storage, and restore the record.",
        ),
        K::Corrupt => (
            "Catalog Record Corrupt",
            "The stored document is not a record that this release of the provider supports",
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
            "The platform or the connection to it is misconfigured",
            "Check the provider's openbao or embedded block.",
        ),
    };
    let tried = (error.operation(), error.path());
    told(meaning, tried, error.remedy(), error)
}

pub(super) fn store(error: &StoreError) -> Diagnostic {
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
            "The backend does not have the object that the catalog names",
            "Run terraform apply where the secret is managed: it writes the value again.",
        ),
        K::AlreadyExists => (
            "Backend Object Already Exists",
            "An object that this provider did not create has the secret's name; it was not \
             changed",
            "Remove it, or choose another name for the secret.",
        ),
        K::Conflict => (
            "Secret Changed Concurrently",
            "Another run wrote at the same time; its change was not overwritten",
            "Run terraform plan again.",
        ),
        K::PermissionDenied => (
            "Secret Backend Access Denied",
            "The credentials in use do not permit this on the secret backend",
            "Grant it to the role in use.",
        ),
        K::Unauthenticated => (
            "Secret Backend Login Failed",
            "The secret backend rejected the credentials: they are missing, wrong or expired",
            "Check the backend's credentials.",
        ),
        K::TooLarge => (
            "Secret Value Too Large",
            "The value exceeds the size limit of the secret backend",
            "Split the value, or keep it elsewhere and its key here.",
        ),
        K::InvalidName => (
            "Invalid Backend Name",
            "The secret backend does not allow this name",
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
            "The secret backend could not be reached or returned errors; retries were exhausted",
            "Check its address, the network, and whether it is in service.",
        ),
        K::Corrupt => (
            "Stored Secret Corrupt",
            "The object under the secret's name was not written by this provider",
            INTRUDER,
        ),
        K::Unexpected => (
            "Unexpected Response",
            UNEXPECTED,
            "Check the backend's address, and the proxy or gateway between here and there.",
        ),
        K::Misconfigured => (
            "Secret Backend Misconfigured",
            "The secret backend or the connection to it is misconfigured",
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
            "The secret backend's settings are invalid",
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

pub(super) fn kek(error: &KekError) -> Diagnostic {
    use KekErrorKind as K;
    let meaning = match error.kind() {
        K::NotFound => (
            "Encryption Key Missing",
            "The key encryption key does not exist, and no other key opens what was sealed under \
             it",
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
            "The key's service rejected the credentials: they are missing, wrong or expired",
            "Check the credentials.",
        ),
        K::Refused => (
            "Encryption Key Refused",
            "The key does not unwrap the data key: it is another key, or the wrapped key was \
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
            "The key's service could not be reached or returned errors; retries were exhausted",
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
