//! A key on the command line.

use super::operator::Failure;
use crate::key_argument::{FORM, settings};
use planton_core::operations::{DeclaredKek, StoreCredential};
use planton_plugin::Diagnostic;

/// Parses a key, with the vendor's ambient credential chain.
pub(super) fn parse(text: &str) -> Result<DeclaredKek, Failure> {
    let settings = settings(text).map_err(|reason| {
        Failure::not_confirmed(Diagnostic::error(
            "Invalid Key Argument",
            format!("{reason}\n\nA key is {FORM}"),
        ))
    })?;
    Ok(DeclaredKek {
        settings,
        credential: Some(StoreCredential::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_key_changes_nothing_and_is_not_quoted() {
        let failure = parse("s3cret:hunter2").expect_err("no key");
        assert_eq!(failure.status, 2);
        let told = format!("{:?}", failure.diagnostic);
        assert!(told.contains("begins with its type"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
