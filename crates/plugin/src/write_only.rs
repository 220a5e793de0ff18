//! Write-only attributes: nulled before a response leaves, and found where a host
//! would store them.

use super::{Attribute, AttributeKind, AttributePath, Nesting, PathStep, Schema, Value};

/// Returns `value` with every write-only attribute null. The runtime does this
/// to every answer.
#[must_use]
pub fn write_only_as_null(schema: &Schema, value: Value) -> Value {
    null_write_only(&schema.attributes, value)
}

/// Returns where write-only attributes are not null (unknown included).
#[must_use]
pub fn write_only_paths(schema: &Schema, value: &Value) -> Vec<AttributePath> {
    let mut found = Vec::new();
    find_write_only(
        &schema.attributes,
        value,
        &AttributePath::root(),
        &mut found,
    );
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

fn find_write_only(
    attributes: &[Attribute],
    value: &Value,
    path: &AttributePath,
    found: &mut Vec<AttributePath>,
) {
    for attribute in attributes {
        let Some(here) = value.entries().and_then(|all| all.get(&attribute.name)) else {
            continue;
        };
        let path = path.clone().then(&attribute.name);
        if attribute.write_only {
            if !here.is_null() {
                found.push(path);
            }
            continue;
        }
        let AttributeKind::Nested(nesting, inner) = &attribute.kind else {
            continue;
        };
        match nesting {
            Nesting::Single => find_write_only(inner, here, &path, found),
            Nesting::List | Nesting::Set => {
                for (index, object) in here.elements().iter().enumerate() {
                    let path = match nesting {
                        Nesting::List => path.clone().index(index),
                        _ => path.clone(),
                    };
                    find_write_only(inner, object, &path, found);
                }
            }
            Nesting::Map => {
                for (key, object) in here.entries().into_iter().flatten() {
                    let path = path.clone().step(PathStep::Key(key.clone()));
                    find_write_only(inner, object, &path, found);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
