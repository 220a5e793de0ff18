//! Diagnostics of a failure of the catalog, a store or a key, by its kind.

use std::error::Error;
use std::fmt::Write as _;

use planton_core::catalog::{CatalogError, CatalogErrorKind};
use planton_core::kek::{KekError, KekErrorKind};
use planton_core::store::{StoreError, StoreErrorKind};
use planton_plugin::Diagnostic;

/// What a kind of failure means to a practitioner: the summary, the failure with its cause,
/// and the remedy for an error that has none of its own.
type Meaning = (&'static str, &'static str, &'static str);

/// Text for a response that cannot be parsed. The original error names the server.
const UNEXPECTED: &str = "The response does not have the form of the vendor's API, so it proves \
                          nothing about the stored data";

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
            "The provider's credentials do not permit this operation on the platform's catalog",
            "Grant this operation to the role in use.",
        ),
        K::Unauthenticated => (
            "Platform Login Failed",
            "The platform rejected the provider's login: its credentials are missing, wrong or \
             expired",
            "Check the credential or the login of the platform in the provider block.",
        ),
        K::RateLimited => (
            "Platform Rate Limited",
            "The platform is rate limiting requests; the provider retried until the operation's \
             deadline expired",
            "Raise the resource's timeouts, or lower -parallelism.",
        ),
        K::Unavailable => (
            "Platform Unavailable",
            "The platform could not be reached or returned errors; retries were exhausted",
            "Check the platform's address in the provider block, the network, and whether OpenBAO is unsealed.",
        ),
        K::Removed => (
            "Catalog Record Deleted",
            "This record was deleted from the platform's storage, so the provider cannot tell \
             whether the object that it named is still needed",
            "Restore the record from a backup.",
        ),
        K::Moved => return super::organization::elsewhere(error),
        K::Altered => (
            "Catalog Record Altered",
            "The record was changed without the organization's key: its authentication code is \
             invalid, or it is the record of another name. The provider writes and opens nothing \
             that depends on it",
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
            "Check the platform's address in the provider block, and any proxy or gateway on the \
             way.",
        ),
        K::Misconfigured => (
            "Platform Misconfigured",
            "The platform or the connection to it is misconfigured",
            "Check the platform's block in the provider block.",
        ),
    };
    let tried = (error.operation(), error.path());
    diagnostic(meaning, tried, error.remedy(), error)
}

pub(super) fn store(error: &StoreError) -> Diagnostic {
    store_within("", error, "")
}

/// Returns the diagnostic of a store's failure. Its text begins with `failed`, and its remedy
/// ends with `more`.
pub(super) fn store_within(failed: &str, error: &StoreError, more: &str) -> Diagnostic {
    let (summary, what, general) = store_meaning(error.kind());
    // Only a secret's value can be written again, a test object has none.
    let is_intruder = error.kind() == StoreErrorKind::Corrupt && failed.is_empty();
    let remedy = error.remedy().filter(|_| !is_intruder);
    let remedy = format!("{}{more}", remedy.unwrap_or(general).trim_end());
    // The check of a setting sends no request, so there is no operation to name.
    let (what, tried) = match error.is_of_setting() {
        true => (
            "The secret backend's settings are invalid",
            ("setting", error.path()),
        ),
        false => (what, (error.operation(), error.path())),
    };
    let mut told = diagnostic((summary, what, general), tried, Some(&remedy), error);
    if !failed.is_empty() {
        told.detail = format!("{failed}\n\n{}", told.detail);
    }
    told
}

/// Returns the meaning of a store's failure.
fn store_meaning(kind: StoreErrorKind) -> Meaning {
    use StoreErrorKind as K;
    const INTRUDER: &str = "Write the value again by changing value_wo_version, and find out who \
                            can write to the backend.";
    match kind {
        K::NotFound => (
            "Stored Secret Missing",
            "The backend does not contain the object that the catalog names",
            "Run terraform apply where the secret is managed: it writes the value again.",
        ),
        K::AlreadyExists => (
            "Backend Object Already Exists",
            "An object that this provider did not create has the secret's name; it was not \
             changed",
            "Delete that object, or choose another name for the secret.",
        ),
        K::Conflict => (
            "Secret Changed Concurrently",
            "Another run wrote at the same time; its change was not overwritten",
            "Run terraform plan again.",
        ),
        K::PermissionDenied => (
            "Secret Backend Access Denied",
            "The credentials in use do not permit this operation on the secret backend",
            "Grant this operation to the role in use.",
        ),
        K::Unauthenticated => (
            "Secret Backend Login Failed",
            "The secret backend rejected the credentials: they are missing, wrong or expired",
            "Check the backend's credentials.",
        ),
        K::TooLarge => (
            "Secret Value Too Large",
            "The value exceeds the size limit of the secret backend",
            "Split the value; or store it elsewhere, and only its encryption key here.",
        ),
        K::InvalidName => (
            "Invalid Backend Name",
            "The secret backend does not allow this name",
            "Choose another name for the secret.",
        ),
        K::RateLimited => (
            "Secret Backend Rate Limited",
            "The secret backend is rate limiting requests; the provider retried until the \
             operation's deadline expired",
            "Raise the resource's timeouts, or lower -parallelism.",
        ),
        K::Unavailable => (
            "Secret Backend Unavailable",
            "The secret backend could not be reached or returned errors; retries were exhausted",
            "Check its address, the network, and the vendor's status page.",
        ),
        K::Corrupt => (
            "Stored Secret Corrupt",
            "The object under the secret's name was not written by this provider",
            INTRUDER,
        ),
        K::Unexpected => (
            "Unexpected Response",
            UNEXPECTED,
            "Check the backend's address, and any proxy or gateway on the way.",
        ),
        K::Misconfigured => (
            "Secret Backend Misconfigured",
            "The secret backend or the connection to it is misconfigured",
            "Check the backend's configuration.",
        ),
    }
}

pub(super) fn kek(error: &KekError) -> Diagnostic {
    use KekErrorKind as K;
    if let Some(told) = super::embedded::not_created(error) {
        return told;
    }
    let meaning = match error.kind() {
        K::NotFound => (
            "Encryption Key Missing",
            "The key encryption key does not exist. Beside it, only an escrow key opens the versions \
             that were sealed under it",
            RESTORE_KEY,
        ),
        K::Disabled => (
            "Encryption Key Disabled",
            "The key encryption key exists, and is disabled",
            "Enable it.",
        ),
        K::PendingDeletion => (
            "Encryption Key Pending Deletion",
            "The key encryption key is scheduled for deletion, and cannot be used until it is \
             restored",
            "Cancel the deletion, and enable the key.",
        ),
        K::Destroyed => (
            "Encryption Key Destroyed",
            "The version of the key encryption key was destroyed, and no other version opens what \
             was sealed under it",
            "Open it with an escrow key.",
        ),
        K::PermissionDenied => (
            "Encryption Key Access Denied",
            "The provider's credentials do not permit this operation on the key encryption key",
            "Grant this operation to the role in use.",
        ),
        K::Unauthenticated => (
            "Encryption Key Login Failed",
            "The key's service rejected the credentials: they are missing, wrong or expired",
            "Check the credentials.",
        ),
        K::Refused => (
            "Encryption Key Rejected",
            "The key does not unwrap the data key: it is another key, or the wrapped key was \
             altered",
            "Configure the platform that has the key, or restore the record.",
        ),
        K::RateLimited => (
            "Encryption Key Rate Limited",
            "The service that holds the key is rate limiting requests; the provider retried \
             until the operation's deadline expired",
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
            "Check the address, and any proxy or gateway on the way.",
        ),
        K::Misconfigured => (
            "Encryption Key Misconfigured",
            "The key or its secrets engine is not configured as this provider requires",
            "Check the key's type and the configured mount path.",
        ),
    };
    let tried = (error.operation(), error.path());
    let remedy = error.remedy();
    // The remedy of a missing key file names the command for it already.
    let names_escrow = remedy.is_some_and(|remedy| remedy.contains("rewrap --with"));
    if error.kind() == K::NotFound && !names_escrow {
        let remedy = format!("{} {LOST_KEY}", remedy.unwrap_or(RESTORE_KEY));
        return diagnostic(meaning, tried, Some(&remedy), error);
    }
    diagnostic(meaning, tried, remedy, error)
}

const RESTORE_KEY: &str = "Restore it from a backup, or configure the platform that has it.";

/// What helps if a key cannot be restored.
const LOST_KEY: &str = "If it is lost and there is an escrow key, install another key with that \
                        one's identity (rewrap --with): guide \"Operator commands\", section \
                        \"After a main key was lost\".";

fn diagnostic(
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

/// Joins the messages of all sources of `error`.
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
