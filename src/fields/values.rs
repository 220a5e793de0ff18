//! Reads the values of a vendor's fields from a block, and writes them into a state.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use planton_core::operations::StoreCredential;
use planton_plugin::{AttributePath, Value};
use planton_vendors::{Change, Field, Holds};

/// Returns the settings of a block; `None` if part of them is unknown. The check of the
/// settings rejects values of another form.
pub(crate) fn settings_of(fields: &[Field], block: &Value) -> Option<BTreeMap<String, Json>> {
    let mut settings = BTreeMap::new();
    for field in fields {
        let value = block.attribute(field.name);
        //= docs/format.md#8-configuration-of-a-credential
        //# A writer MUST omit arguments that are not set from the configuration.
        //= docs/format.md#8-configuration-of-a-credential
        //# A writer MUST omit every secret from the configuration.
        if value.is_null() || matches!(field.change, Change::Credential(_)) {
            continue;
        }
        // An unknown part makes the whole unknown, never absent.
        let json = match field.holds {
            Holds::Text => value.as_str()?.into(),
            Holds::Flag => value.as_bool()?.into(),
            Holds::Number => match value.as_i64() {
                Some(whole) => whole.into(),
                None => value.as_number()?.as_f64().into(),
            },
            Holds::Texts => {
                if !value.is_wholly_known() {
                    return None;
                }
                //= docs/format.md#8-configuration-of-a-credential
                //# A writer MUST write a set in the configuration as an array of strings in
                //# ascending order of their UTF-8 bytes.
                // A null element stays, and sorts first.
                let texts = value.elements().iter().map(Value::as_str);
                let mut texts: Vec<Option<&str>> = texts.collect();
                texts.sort_unstable();
                texts.into()
            }
            Holds::Block(inner) => {
                let inner = settings_of(inner, value)?;
                Json::Object(inner.into_iter().collect())
            }
        };
        settings.insert(field.name.to_owned(), json);
    }
    Some(settings)
}

/// Collects the parts of the credential in a block.
//= docs/format.md#8-configuration-of-a-credential
//# A writer MUST encode the plaintext of such a credential as a key-value document ([section
//# 22](#22-values)) whose keys are the names of the write-only arguments without `_wo`.
pub(crate) fn collect(fields: &[Field], block: &Value, parts: &mut StoreCredential) {
    for field in fields {
        let value = block.attribute(field.name);
        match (field.change, field.holds) {
            (Change::Credential(part), _) => {
                if let Some(secret) = value.as_secret() {
                    parts.insert(part.to_owned(), secret.clone());
                }
            }
            (_, Holds::Block(inner)) => collect(inner, value, parts),
            _ => {}
        }
    }
}

/// Returns whether part of the credential in a block is unknown.
pub(crate) fn has_unknown_credential(fields: &[Field], block: &Value) -> bool {
    block.is_unknown()
        || fields.iter().any(|field| {
            let value = block.attribute(field.name);
            match (field.change, field.holds) {
                (Change::Credential(_), _) => value.is_unknown(),
                (_, Holds::Block(inner)) => has_unknown_credential(inner, value),
                _ => false,
            }
        })
}

/// Returns the state of a block, from the settings of a record.
pub(crate) fn block_state(fields: &[Field], settings: &BTreeMap<String, Json>) -> Value {
    Value::object(fields.iter().map(|field| {
        let value = settings
            .get(field.name)
            .map_or(Value::Null, |json| match field.holds {
                Holds::Text => json.as_str().into(),
                Holds::Flag => json.as_bool().map_or(Value::Null, Value::from),
                Holds::Number => json.as_i64().map_or(Value::Null, Value::from),
                Holds::Texts => {
                    let texts = json.as_array().into_iter().flatten();
                    Value::set_of(texts.filter_map(Json::as_str).map(Value::from))
                }
                Holds::Block(inner) => {
                    let entries = json.as_object().into_iter().flatten();
                    let entries = entries.map(|(key, value)| (key.clone(), value.clone()));
                    block_state(inner, &entries.collect())
                }
            });
        (field.name, value)
    }))
}

/// Returns the path of a setting as a vendor's code names it, below the `path` of its block:
/// `region`, `secret_access_key` (a part of the credential), `openbao.approle.secret_id_wo`.
pub(crate) fn innermost(
    mut path: AttributePath,
    block: &str,
    mut fields: &'static [Field],
    named: &str,
) -> AttributePath {
    for segment in named.split('.').filter(|segment| *segment != block) {
        let of_this_name = |field: &&Field| {
            field.name == segment
                || matches!(field.change, Change::Credential(part) if part == segment)
        };
        let Some(field) = fields.iter().find(of_this_name) else {
            break;
        };
        path = path.then(field.name);
        match field.holds {
            Holds::Block(inner) => fields = inner,
            _ => break,
        }
    }
    path
}
