//! Diagnostics of an embedded platform whose files cannot be opened or created.

use std::error::Error as _;

use planton_core::error::ErrorKind;
use planton_core::kek::KekError;
use planton_plugin::{AttributePath, Diagnostic};
use planton_vendors::embedded::sqlite::DatabaseError;

/// Reports that the files of an embedded platform could not be opened or created.
pub(crate) fn embedded_not_usable<K: ErrorKind>(
    directory: &str,
    error: &planton_core::error::Error<K>,
) -> Diagnostic {
    // As in "found a damaged database". Any other meaning adds nothing to the original error.
    let what = match error.kind().meaning().starts_with("found") {
        true => error.to_string(),
        false => format!("Failed to {}: {}", error.operation(), error.path()),
    };
    let remedy = error.remedy();
    let remedy = remedy.unwrap_or("Check that the directory can be read and written.");
    let mut chain = String::new();
    let mut source = error.source();
    while let Some(next) = source {
        chain.push_str(if chain.is_empty() {
            "\n\nOriginal error: "
        } else {
            ": "
        });
        chain.push_str(&next.to_string());
        source = next.source();
    }
    Diagnostic::error(
        "Embedded Platform Not Usable",
        format!(
            "The embedded platform in {directory} could not be opened. {what}.\n\n{remedy}{chain}"
        ),
    )
    .at(AttributePath::attribute("embedded").then("path"))
}

/// Returns the diagnostic of a key file whose embedded platform could not be created; `None` for
/// any other failure of a key.
pub(super) fn not_created(error: &KekError) -> Option<Diagnostic> {
    let database = error.source()?.downcast_ref::<DatabaseError>()?;
    Some(embedded_not_usable(error.path(), database))
}
