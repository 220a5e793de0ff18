//! Visits the attributes of a value, at every depth.

use super::{Attribute, AttributeKind, Nesting, Schema};
use crate::{AttributePath, PathStep, Value};

/// Calls `visit` with each attribute of `schema` that `value` has, its value and its path.
/// Those of nested objects follow if it returns true. A null or unknown object has none.
pub(crate) fn visit_attributes(
    schema: &Schema,
    value: &Value,
    visit: &mut dyn FnMut(&Attribute, &Value, &AttributePath) -> bool,
) {
    visit_object(&schema.attributes, value, &AttributePath::root(), visit);
}

fn visit_object(
    attributes: &[Attribute],
    value: &Value,
    path: &AttributePath,
    visit: &mut dyn FnMut(&Attribute, &Value, &AttributePath) -> bool,
) {
    for attribute in attributes {
        let Some(here) = value.entries().and_then(|all| all.get(&attribute.name)) else {
            continue;
        };
        let path = path.clone().then(&attribute.name);
        if !visit(attribute, here, &path) {
            continue;
        }
        let AttributeKind::Nested(nesting, inner) = &attribute.kind else {
            continue;
        };
        match nesting {
            Nesting::Single => visit_object(inner, here, &path, visit),
            Nesting::List | Nesting::Set => {
                for (index, object) in here.elements().iter().enumerate() {
                    let path = match nesting {
                        Nesting::List => path.clone().index(index),
                        _ => path.clone(),
                    };
                    visit_object(inner, object, &path, visit);
                }
            }
            Nesting::Map => {
                for (key, object) in here.entries().into_iter().flatten() {
                    let path = path.clone().step(PathStep::Key(key.clone()));
                    visit_object(inner, object, &path, visit);
                }
            }
        }
    }
}
