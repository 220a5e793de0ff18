//! Settings of `planton_secret_backend` in a configuration, a planned state or a record.

use crate::fields::{collect, has_unknown_credential, settings_of};
use crate::setting::Setting;
use planton_core::operations::{
    BackendArguments, BackendOnDestroy, NAME_PREFIX, StoreCredential, StoreSettings,
};
use planton_plugin::Value;
use planton_vendors::{BACKEND_TYPES, BackendType, Change};

/// Values of `credential_source`.
pub(super) const STATIC: &str = "static";
pub(super) const AMBIENT: &str = "ambient";

/// Values of `on_destroy`.
pub(super) const DELETE: &str = "delete";
pub(super) const FORGET: &str = "forget";

/// Attribute whose change makes new credentials take effect.
pub(super) const TRIGGER: &str = "credentials_wo_version";

/// Returns the block that is set, or the only one that may become set. Returns `None` if
/// several may, since the type is then unknown.
pub(super) fn chosen(config: &Value) -> Option<&'static BackendType> {
    if let Some(set) = set_blocks(config).first() {
        return Some(set);
    }
    let mut possible = BACKEND_TYPES
        .iter()
        .copied()
        .filter(|block| !config.attribute(block.name()).is_null());
    match (possible.next(), possible.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Returns the blocks that are set.
pub(super) fn set_blocks(config: &Value) -> Vec<&'static BackendType> {
    let is_set = |block: &&BackendType| config.attribute(block.name()).is_set();
    BACKEND_TYPES.iter().copied().filter(is_set).collect()
}

/// Returns the name prefix with its default.
pub(super) fn name_prefix(config: &Value) -> Setting<String> {
    match Setting::string(config.attribute("name_prefix")) {
        Setting::Absent => Setting::Set(NAME_PREFIX.to_owned()),
        other => other,
    }
}

/// Returns whether to verify the connection, with its default.
pub(super) fn verify_connection(config: &Value) -> Setting<bool> {
    match Setting::bool(config.attribute("verify_connection")) {
        Setting::Absent => Setting::Set(true),
        other => other,
    }
}

/// Returns the effect of a destroy, with its default.
pub(super) fn on_destroy(config: &Value) -> Setting<String> {
    match Setting::string(config.attribute("on_destroy")) {
        Setting::Absent => Setting::Set(DELETE.to_owned()),
        other => other,
    }
}

/// Returns the keys of a block's settings that cannot change in place.
pub(super) fn fixed(planned: &Value) -> Vec<&'static str> {
    let fields = chosen(planned).map_or(&[][..], |block| block.fields);
    let fixed = fields
        .iter()
        .filter(|field| field.change == Change::Replaces);
    fixed.map(|field| field.name).collect()
}

/// Returns the arguments of a planned state that only the provider uses.
pub(super) fn arguments(planned: &Value) -> BackendArguments {
    BackendArguments {
        credentials_wo_version: planned.attribute(TRIGGER).as_str().map(str::to_owned),
        verify_connection: verify_connection(planned).set().copied().unwrap_or(true),
        on_destroy: match on_destroy(planned).set().map(String::as_str) {
            Some(FORGET) => BackendOnDestroy::Forget,
            _ => BackendOnDestroy::Delete,
        },
    }
}

/// Returns the store's settings in a configuration or a planned state. Returns `None` if part
/// of them is unknown, or no block is set.
pub(super) fn store_settings(config: &Value) -> Option<StoreSettings> {
    let block = chosen(config)?;
    let inner = config.attribute(block.name());
    let name_prefix = name_prefix(config).set()?.clone();
    Some(StoreSettings {
        kind: block.name().to_owned(),
        name_prefix,
        configuration: settings_of(block.fields, inner)?,
    })
}

/// Returns the configured static credential; empty if there is none.
pub(super) fn credential(config: &Value) -> StoreCredential {
    let mut parts = StoreCredential::new();
    if let Some(block) = chosen(config) {
        collect(block.fields, config.attribute(block.name()), &mut parts);
    }
    parts
}

/// Returns the static credential if every part of it is known.
pub(super) fn known_credential(config: &Value) -> Option<StoreCredential> {
    let block = chosen(config)?;
    let unknown = has_unknown_credential(block.fields, config.attribute(block.name()));
    (!unknown).then(|| credential(config))
}

/// Returns the source of the credentials; unknown if an unknown part may become null.
pub(super) fn credential_source(config: &Value) -> Setting<String> {
    let Some(block) = chosen(config) else {
        return Setting::Unknown;
    };
    let inner = config.attribute(block.name());
    if !credential(config).is_empty() {
        return Setting::Set(STATIC.to_owned());
    }
    if has_unknown_credential(block.fields, inner) {
        return Setting::Unknown;
    }
    Setting::Set(AMBIENT.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_vendors::{Field, Holds};

    fn configured(kind: &str, block: Value) -> Value {
        Value::object([(kind, block)])
    }

    //= docs/format.md#8-configuration-of-a-credential
    //= type=test
    //# A writer MUST omit arguments that are not set from the configuration.
    //= docs/format.md#8-configuration-of-a-credential
    //= type=test
    //# A writer MUST omit every secret from the configuration.
    #[test]
    fn settings_contain_what_is_set_and_no_secret() {
        let approle = Value::object([
            ("role_id", Value::string("r")),
            ("secret_id_wo", Value::string("hunter2")),
            ("mount_path", Value::Null),
        ]);
        let block = Value::object([
            ("token_wo", Value::string("hunter3")),
            ("address", Value::string("https://bao.example")),
            ("namespace", Value::Null),
            ("approle", approle),
        ]);
        let config = configured("openbao", block);
        let settings = store_settings(&config).expect("known");
        assert_eq!(
            serde_json::to_string(&settings).expect("json"),
            r#"{"kind":"openbao","name_prefix":"planton","configuration":{"address":"https://bao.example","approle":{"role_id":"r"}}}"#
        );
        let credential = credential(&config);
        let parts: Vec<_> = credential.keys().map(String::as_str).collect();
        assert_eq!(parts, ["secret_id", "token"]);
    }

    //= docs/format.md#8-configuration-of-a-credential
    //= type=test
    //# A writer MUST write a set in the configuration as an array of strings in ascending
    //# order of their UTF-8 bytes.
    #[test]
    fn a_set_is_an_array_in_ascending_order() {
        let locations = ["europe-west4", "\u{10000}", "\u{e000}", "europe-west1"];
        let block = Value::object([
            ("project_id", Value::string("p")),
            (
                "replica_locations",
                Value::set_of(locations.map(Value::from)),
            ),
        ]);
        let settings = store_settings(&configured("gcp_secret_manager", block)).expect("known");
        assert_eq!(
            settings.configuration["replica_locations"],
            serde_json::json!(["europe-west1", "europe-west4", "\u{e000}", "\u{10000}"])
        );
    }

    //= docs/format.md#8-configuration-of-a-credential
    //= type=test
    //# A writer MUST encode the plaintext of such a credential as a key-value document
    //# ([section 22](#22-values)) whose keys are the names of the write-only arguments without
    //# `_wo`.
    #[test]
    fn the_parts_of_a_credential_are_named_as_its_arguments() {
        fn check(fields: &[Field]) -> usize {
            let checked = fields
                .iter()
                .map(|field| match (field.change, field.holds) {
                    (Change::Credential(part), _) => {
                        assert_eq!(field.name.strip_suffix("_wo"), Some(part));
                        1
                    }
                    (_, Holds::Block(inner)) => check(inner),
                    _ => 0,
                });
            checked.sum()
        }
        for block in BACKEND_TYPES {
            assert!(check(block.fields) > 0, "{}", block.name());
        }
    }
}
