//! Required attributes that a configuration sets to null.
//!
//! A host checks that the configuration has the argument, and passes a null on.

use super::schema::visit_attributes;
use super::{Diagnostic, Diagnostics, Presence, Schema, Value};

/// Checks that no required attribute is null, at any depth. Unknown ones count as set.
///
/// # Errors
///
/// `Missing Required Argument` for each one.
pub(crate) fn expect_required(schema: &Schema, config: &Value) -> Result<(), Diagnostics> {
    let mut missing = Diagnostics::new();
    visit_attributes(schema, config, &mut |attribute, here, path| {
        if attribute.presence == Presence::Required && here.is_null() {
            let text = format!(
                "The argument {path} is required, and its value is null.\n\nSet it. If it depends \
                 on a condition, give a value in both cases."
            );
            let problem = Diagnostic::error("Missing Required Argument", text);
            missing.push(problem.at(path.clone()));
        }
        true
    });
    if missing.has_errors() {
        return Err(missing);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attribute, Nesting};

    fn schema() -> Schema {
        let inner = || [Attribute::string("key").required()];
        Schema::new([
            Attribute::string("name").required(),
            Attribute::string("note").optional(),
            Attribute::object("one", inner()).optional(),
            Attribute::nested("list", Nesting::List, inner()).optional(),
        ])
    }

    fn config(name: Value, key: &Value) -> Value {
        let inner = || Value::object([("key", key.clone())]);
        Value::object([
            ("name", name),
            ("note", Value::Null),
            ("one", inner()),
            ("list", Value::list([inner()])),
        ])
    }

    #[test]
    fn each_null_is_reported_at_its_place() {
        let missing = expect_required(&schema(), &config(Value::Null, &Value::Null));
        let missing = missing.expect_err("two nulls");
        let found = missing.iter().map(|it| it.path.to_string());
        assert_eq!(
            found.collect::<Vec<_>>(),
            ["name", "one.key", "list[0].key"]
        );
    }

    #[test]
    fn unknown_values_and_absent_objects_are_fine() {
        let known = Value::from("n");
        assert_eq!(
            expect_required(&schema(), &config(known.clone(), &Value::Unknown)),
            Ok(())
        );
        let absent = [("one", Value::Null), ("list", Value::Null)];
        let absent = absent
            .into_iter()
            .fold(config(known, &Value::Null), |all, (name, value)| {
                all.with(name, value)
            });
        assert_eq!(expect_required(&schema(), &absent), Ok(()));
    }
}
