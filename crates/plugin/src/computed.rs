//! Computed attributes: unknown in the plan of a creation.

use super::{Attribute, AttributeKind, Nesting, Schema, Value};

/// Returns `proposed` with every computed attribute unknown that is neither
/// configured nor known from before. For a creation that is all of them; for
/// an update none: there, mark what the update changes by
/// [`Value::mark_unknown`].
#[must_use]
pub fn proposed_with_computed_unknown(schema: &Schema, config: &Value, proposed: Value) -> Value {
    mark(&schema.attributes, config, proposed)
}

fn mark(attributes: &[Attribute], config: &Value, mut proposed: Value) -> Value {
    if !matches!(proposed, Value::Object(_)) {
        return proposed;
    }
    for attribute in attributes {
        let configured = config.attribute(&attribute.name);
        let here = proposed.take(&attribute.name);
        let marked = if attribute.is_computed() && configured.is_null() && here.is_null() {
            Value::Unknown
        } else {
            match &attribute.kind {
                AttributeKind::Nested(nesting, inner) => {
                    mark_nested(*nesting, inner, configured, here)
                }
                AttributeKind::Plain(_) => here,
            }
        };
        proposed.set(attribute.name.as_str(), marked);
    }
    proposed
}

fn mark_nested(nesting: Nesting, inner: &[Attribute], config: &Value, here: Value) -> Value {
    match (nesting, here) {
        (Nesting::Single, object) => mark(inner, config, object),
        (Nesting::List, Value::List(all)) => Value::List(
            all.into_iter()
                .enumerate()
                .map(|(index, object)| {
                    let configured = config.elements().get(index).unwrap_or(&Value::Null);
                    mark(inner, configured, object)
                })
                .collect(),
        ),
        (Nesting::Map, Value::Map(all)) => Value::Map(
            all.into_iter()
                .map(|(key, object)| {
                    let marked = mark(inner, config.attribute(&key), object);
                    (key, marked)
                })
                .collect(),
        ),
        // An element of a set has no counterpart to be compared with.
        (_, other) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_only::tests::{filled, schema};

    #[test]
    fn a_creation_makes_unset_computed_attributes_unknown() {
        let marked = proposed_with_computed_unknown(&schema(), &filled(), filled());
        for path in ["id", "backend"] {
            assert!(marked.attribute(path).is_unknown(), "{path}");
        }
        assert!(marked.attribute("one").attribute("arn").is_unknown());
        assert!(
            marked.attribute("list").elements()[1]
                .attribute("arn")
                .is_unknown()
        );
        assert!(
            marked
                .attribute("map")
                .attribute("k")
                .attribute("arn")
                .is_unknown()
        );

        let configured = filled().with("backend", "b");
        let marked = proposed_with_computed_unknown(&schema(), &configured, configured.clone());
        assert_eq!(marked.attribute("backend").as_str(), Some("b"));
    }

    #[test]
    fn an_update_keeps_what_is_known_from_before() {
        let proposed = filled().with("id", "1");
        let marked = proposed_with_computed_unknown(&schema(), &filled(), proposed);
        assert_eq!(marked.attribute("id").as_str(), Some("1"));
    }
}
