//! Turns failures of the library into what a practitioner reads: what failed,
//! the likely cause, the remedy, the original error.

mod meaning;
mod operation;

use super::{Named, backend_diagnostics, unclear};
use planton_core::names::SecretName;
use planton_core::operations::OperationError;
use planton_plugin::Diagnostic;

use meaning::{catalog, kek, store};
use operation::operation;

pub(super) use meaning::store_within;

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
