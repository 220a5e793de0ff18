//! Write-only attributes: sets them to null before a response is sent, and finds them in a
//! configuration.

use super::schema::visit_attributes;
use super::{Attribute, AttributeKind, AttributePath, Schema, Value};

/// Returns `value` with every write-only attribute set to null. The runtime does this to
/// every response.
#[must_use]
pub fn write_only_as_null(schema: &Schema, value: Value) -> Value {
    null_write_only(&schema.attributes, value)
}

/// Returns the paths of all write-only attributes that are not null; unknown ones count.
pub(crate) fn write_only_paths(schema: &Schema, value: &Value) -> Vec<AttributePath> {
    let mut found = Vec::new();
    visit_attributes(schema, value, &mut |attribute, here, path| {
        if attribute.write_only && !here.is_null() {
            found.push(path.clone());
        }
        !attribute.write_only
    });
    found
}

fn null_write_only(attributes: &[Attribute], mut value: Value) -> Value {
    if let Value::Object(all) = &mut value {
        for attribute in attributes {
            let Some(slot) = all.get_mut(&attribute.name) else {
                continue;
            };
            if attribute.write_only {
                *slot = Value::Null;
            } else if let AttributeKind::Nested(_, inner) = &attribute.kind {
                let here = std::mem::take(slot);
                *slot = null_nested(inner, here);
            }
        }
    }
    value
}

fn null_nested(inner: &[Attribute], value: Value) -> Value {
    let all = |list: Vec<Value>| {
        list.into_iter()
            .map(|o| null_write_only(inner, o))
            .collect()
    };
    match value {
        Value::List(list) => Value::List(all(list)),
        Value::Set(list) => Value::Set(all(list)),
        Value::Map(map) => Value::Map(
            map.into_iter()
                .map(|(key, object)| (key, null_write_only(inner, object)))
                .collect(),
        ),
        other => null_write_only(inner, other),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Nesting;

    pub(crate) fn schema() -> Schema {
        let inner = || {
            [
                Attribute::string("secret_wo").write_only(),
                Attribute::string("arn").computed(),
            ]
        };
        Schema::new([
            Attribute::string("name").required(),
            Attribute::string("id").computed(),
            Attribute::string("backend").optional_computed(),
            Attribute::string("value_wo").write_only(),
            Attribute::object("one", inner()),
            Attribute::nested("list", Nesting::List, inner()),
            Attribute::nested("map", Nesting::Map, inner()),
        ])
    }

    pub(crate) fn filled() -> Value {
        let inner = || Value::object([("secret_wo", Value::from("s")), ("arn", Value::Null)]);
        Value::object([
            ("name", Value::from("n")),
            ("id", Value::Null),
            ("backend", Value::Null),
            ("value_wo", Value::from("s")),
            ("one", inner()),
            ("list", Value::list([inner(), inner()])),
            ("map", Value::map([("k", inner())])),
        ])
    }

    #[test]
    fn write_only_values_are_found_at_every_depth_and_nulled() {
        let found = write_only_paths(&schema(), &filled());
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "value_wo",
                "one.secret_wo",
                "list[0].secret_wo",
                "list[1].secret_wo",
                "map[\"k\"].secret_wo"
            ]
        );
        let nulled = write_only_as_null(&schema(), filled());
        assert!(write_only_paths(&schema(), &nulled).is_empty());
        assert_eq!(nulled.attribute("name").as_str(), Some("n"));
    }
}
