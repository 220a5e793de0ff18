//! Records that a command names and that do not exist.

use std::fmt::Write as _;

use uuid::Uuid;

use super::operator::Failure;
use planton_core::names::{SecretName, Slug};
use planton_core::operations::OperationError;
use planton_plugin::Diagnostic;

const CHECK_PLATFORM: &str =
    "Check that PLANTON_ORG and the platform's variables match the provider block.";

/// Returns the failure of a command that names a record which does not exist; `None` for any
/// other error.
pub(super) fn of(error: &OperationError) -> Option<Failure> {
    match error {
        OperationError::UnknownBackend { backend } => Some(backend_of(backend)),
        OperationError::SecretNotFound { secret } => Some(secret_of(secret)),
        OperationError::VersionNotFound { secret, version } => Some(version_of(secret, *version)),
        _ => None,
    }
}

fn secret_of(secret: &str) -> Failure {
    no_secret(secret, "Check its name and --environment.", &[])
}

/// Returns the failure of `forget`.
pub(super) fn secret_to_forget(name: &SecretName, displaced: &[Uuid]) -> Failure {
    let check = "Check its name, --environment and --uuid.";
    no_secret(&name.to_string(), check, displaced)
}

fn no_secret(name: &str, check: &str, displaced: &[Uuid]) -> Failure {
    let mut text = format!(
        "The catalog has no secret {name:?}, so nothing was changed.\n\n{check} {CHECK_PLATFORM}"
    );
    if !displaced.is_empty() {
        let displaced: Vec<_> = displaced.iter().map(ToString::to_string).collect();
        let _ = write!(
            text,
            "\n\nReplacements have displaced secrets of that name. To forget one of them, pass its \
             --uuid: {}.",
            displaced.join(", ")
        );
    }
    Failure::no_such_record(Diagnostic::error("Secret Not Found", text))
}

fn version_of(secret: &str, version: u64) -> Failure {
    Failure::no_such_record(Diagnostic::error(
        "Secret Version Not Found",
        format!(
            "Secret {secret:?} has no version {version}: it was never written, or keep_versions no \
             longer covers it. Nothing was changed.\n\nPass another --secret-version, or omit it \
             for the current version."
        ),
    ))
}

/// Returns the failure of a command that names a backend.
pub(super) fn backend_of(name: &Slug) -> Failure {
    Failure::no_such_record(Diagnostic::error(
        "Secret Backend Not Found",
        format!(
            "The catalog has no backend \"{name}\", so nothing was changed.\n\nCheck its name. \
             {CHECK_PLATFORM}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_exist_has_its_own_status_and_hints_for_a_command_line() {
        let (backend, secret) = ("nonsuch".parse().expect("a slug"), "prod/db".to_owned());
        let version = 99;
        for (error, hint) in [
            (OperationError::UnknownBackend { backend }, "PLANTON_ORG"),
            (
                OperationError::SecretNotFound {
                    secret: secret.clone(),
                },
                "--environment",
            ),
            (
                OperationError::VersionNotFound { secret, version },
                "--secret-version",
            ),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.status, 3);
            let detail = failure.diagnostic.detail;
            assert!(detail.contains(hint), "{detail}");
            assert!(!detail.contains("planton_secret"), "{detail}");
        }
    }

    #[test]
    fn another_error_is_a_failure() {
        let organization = "acme".parse().expect("a slug");
        let failure = Failure::from(OperationError::OrganizationMissing { organization });
        assert_eq!(failure.status, 1);
    }
}
