//! AWS's rules for the name of a secret.

use planton_core::store::{RemoteName, StoreError, StoreErrorKind};

/// AWS's limit for the name of a secret.
pub(super) const MAX_NAME_BYTES: usize = 512;

/// Checks a name against AWS's rules.
///
/// AWS advises against names that end in a hyphen and six characters, like its ARNs.
/// This affects only requests by partial ARN, and this store sends none:
/// <https://docs.aws.amazon.com/sdk-for-kotlin/api/latest/secretsmanager/aws.sdk.kotlin.services.secretsmanager.model/-create-secret-request/name.html>
pub(super) fn check(name: &RemoteName, operation: &'static str) -> Result<(), StoreError> {
    let text = name.as_str();
    let known = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
    if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(known) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::InvalidName,
        operation,
        text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_aws_takes() {
        let name = |text: &str| check(&RemoteName::new(text.to_owned()), "put").is_ok();
        assert!(name("planton/acme/env/prod/db-0badcafe"));
        assert!(name("a+b=c.d@e_f"));
        assert!(name(&"a".repeat(512)));
        for bad in ["", "a b", "a:b", "a%2fb", "é", "a*", "a\n"] {
            assert!(!name(bad), "{bad}");
        }
        assert!(!name(&"a".repeat(513)));
    }
}
