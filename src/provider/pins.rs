//! Pins of the provider block: `organization_fingerprint` and `allowed_key_ids`.

use std::collections::BTreeSet;

use super::settings::Environment;
use planton_core::kek::{InvalidFingerprint, KekPins, OrganizationFingerprint, pins_version};
use planton_plugin::{Diagnostic, Diagnostics, Value};

pub(super) const FINGERPRINT: &str = "organization_fingerprint";
pub(super) const ALLOWED: &str = "allowed_key_ids";
const FINGERPRINT_VARIABLE: &str = "PLANTON_ORGANIZATION_FINGERPRINT";
const ALLOWED_VARIABLE: &str = "PLANTON_ALLOWED_KEY_IDS";

/// Reads the pins. The block takes precedence over the environment variables.
pub(super) fn read(config: &Value, environment: &Environment) -> Result<KekPins, Diagnostic> {
    let text = config.attribute(FINGERPRINT).as_str();
    let organization = match (text, environment.first(&[FINGERPRINT_VARIABLE])) {
        (Some(text), _) => Some(fingerprint(text, FINGERPRINT)?),
        (None, Some(text)) => Some(fingerprint(&text, FINGERPRINT_VARIABLE)?),
        (None, None) => None,
    };
    let allowed = config.attribute(ALLOWED);
    let allowed_key_ids = if allowed.is_set() {
        let texts = allowed.elements().iter().filter_map(Value::as_str);
        Some(key_ids(texts, ALLOWED)?)
    } else {
        let variable = environment.first(&[ALLOWED_VARIABLE]);
        variable
            .map(|text| key_ids(text.split(',').map(str::trim), ALLOWED_VARIABLE))
            .transpose()?
    };
    Ok(KekPins {
        organization,
        allowed_key_ids,
    })
}

/// Checks the known part of the block.
pub(super) fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    let text = config.attribute(FINGERPRINT).as_str();
    let checked = text.map(|text| fingerprint(text, FINGERPRINT));
    diagnostics.extend(checked.and_then(Result::err));
    let allowed = config.attribute(ALLOWED);
    if allowed.is_set() {
        // An unknown element is checked once it is known.
        let texts = allowed.elements().iter().filter(|text| !text.is_unknown());
        let texts = texts.map(|text| text.as_str().unwrap_or_default());
        diagnostics.extend(key_ids(texts, ALLOWED).err());
    }
}

fn fingerprint(text: &str, source: &str) -> Result<OrganizationFingerprint, Diagnostic> {
    text.parse().map_err(|InvalidFingerprint| {
        Diagnostic::error(
            "Invalid Organization Fingerprint",
            format!(
                "{source} is not a fingerprint: 32 lower-case hexadecimal digits.\n\nCopy it from \
                 terraform-provider-planton platform status."
            ),
        )
        .at(FINGERPRINT)
    })
}

fn key_ids<'a>(
    texts: impl Iterator<Item = &'a str>,
    source: &str,
) -> Result<BTreeSet<String>, Diagnostic> {
    let mut ids = BTreeSet::new();
    for text in texts {
        let parts = text.split_once(':');
        if parts.is_none_or(|(provider, id)| provider.is_empty() || id.is_empty()) {
            return Err(Diagnostic::error(
                "Invalid Key Identifier",
                format!(
                    "{source} contains an empty or incomplete identifier. Each has the form \
                     <type>:<id>.\n\nCopy it from the attribute key_ids of a \
                     planton_secret_backend, or from terraform-provider-planton platform status."
                ),
            )
            .at(ALLOWED));
        }
        if pins_version(text) {
            return Err(Diagnostic::error(
                "Invalid Key Identifier",
                format!(
                    "{source} contains an Azure key with a version, which allows no key: a pin is \
                     for all versions.\n\nRemove the version: \
                     azure_key_vault_key:https://<vault>/keys/<name>."
                ),
            )
            .at(ALLOWED));
        }
        ids.insert(text.to_owned());
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_plugin::AttributePath;

    fn block(fingerprint: Value, allowed: Value) -> Value {
        Value::object([(FINGERPRINT, fingerprint), (ALLOWED, allowed)])
    }

    #[test]
    fn the_block_takes_precedence_over_the_variables() {
        let environment = Environment::of([
            (FINGERPRINT_VARIABLE, "ab".repeat(16)),
            (
                ALLOWED_VARIABLE,
                "local:a/acme, aws_kms:arn:aws:kms".to_owned(),
            ),
        ]);
        let pins = read(&block(Value::Null, Value::Null), &environment).expect("valid");
        assert_eq!(pins.organization, "ab".repeat(16).parse().ok());
        let ids = ["aws_kms:arn:aws:kms", "local:a/acme"].map(str::to_owned);
        assert_eq!(pins.allowed_key_ids, Some(ids.into()));
        let config = block("cd".repeat(16).into(), Value::set_of([]));
        let pins = read(&config, &environment).expect("valid");
        assert_eq!(pins.organization, "cd".repeat(16).parse().ok());
        // An empty set allows no key, and is not the same as no set.
        assert_eq!(pins.allowed_key_ids, Some(BTreeSet::new()));
        let none = Environment::of::<&str, &str>([]);
        let pins = read(&block(Value::Null, Value::Null), &none).expect("valid");
        assert_eq!(pins, KekPins::default());
    }

    #[test]
    fn pins_of_another_form_are_rejected_at_their_attribute() {
        for (config, at) in [
            (block("AB".repeat(16).into(), Value::Null), FINGERPRINT),
            (block(Value::Null, Value::set_of(["arn".into()])), ALLOWED),
            (block(Value::Null, Value::set_of([":x".into()])), ALLOWED),
        ] {
            let mut diagnostics = Diagnostics::new();
            validate(&config, &mut diagnostics);
            let found: Vec<_> = diagnostics.iter().map(|found| found.path.clone()).collect();
            assert_eq!(found, [AttributePath::attribute(at)]);
            let none = Environment::of::<&str, &str>([]);
            assert!(read(&config, &none).is_err());
        }
        let mut diagnostics = Diagnostics::new();
        validate(&block(Value::Unknown, Value::Unknown), &mut diagnostics);
        assert!(!diagnostics.has_errors());
    }

    #[test]
    fn a_version_of_an_azure_key_is_rejected_and_the_guides_pin_none() {
        let with = "azure_key_vault_key:https://v.vault.azure.net/keys/k/0123";
        let refused = key_ids([with].into_iter(), ALLOWED).expect_err("a version");
        assert!(refused.detail.contains("Remove the version"));
        let guides = [
            include_str!("../../docs/guides/bucket.md"),
            include_str!("../../docs/guides/keys.md"),
        ];
        let quoted = guides.iter().flat_map(|guide| guide.split('"'));
        let ids: Vec<_> = quoted
            .filter(|text| text.starts_with("azure_key_vault_key:http"))
            .collect();
        assert!(!ids.is_empty());
        key_ids(ids.into_iter(), ALLOWED).expect("valid");
    }
}
