//! The vendors' rules for names, once for all tests that go through them.

use crate::store::NameRules;

/// The rules of each type of backend of a practitioner's own; the test of
/// `backends::connector` compares them with what the adapters say.
pub const NAME_RULES: [(&str, NameRules); 5] = [
    ("aws_secrets_manager", rules("/", 512)),
    ("hashicorp_vault", rules("/", 512)),
    ("openbao", rules("/", 512)),
    ("gcp_secret_manager", rules("_", 255)),
    ("azure_key_vault", rules("--", 127)),
];

const fn rules(separator: &'static str, max_bytes: usize) -> NameRules {
    NameRules {
        separator,
        max_bytes,
    }
}
