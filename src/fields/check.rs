//! Checks the settings of a block without any I/O. Reports every mistake that does not depend
//! on an unknown value.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::values::{collect, innermost, settings_of};
use crate::diagnostics::explain;
use planton_core::operations::{ConnectKek, KekSettings, StoreCredential};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, PathStep, Value};
use planton_vendors::{Change, Field, Holds, KeyType};

/// Maximum number of mistakes that are reported for one block.
const MAX_MISTAKES: usize = 16;

/// Assumption about an unknown value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Absent,
    Given,
}

/// A block whose settings are checked.
pub(crate) struct Checked<'a> {
    /// Path of the block.
    pub(crate) path: AttributePath,
    /// Name of the block in paths of the vendor's code.
    pub(crate) name: &'static str,
    /// Its fields.
    pub(crate) fields: &'static [Field],
    /// Returns the first mistake, with the name of its setting.
    pub(crate) check: &'a Check<'a>,
}

/// Checks settings and a credential.
pub(crate) type Check<'a> =
    dyn Fn(BTreeMap<String, Json>, Option<&StoreCredential>) -> Option<Mistake> + 'a;

/// The name of a setting, and what is wrong with it.
pub(crate) type Mistake = (String, Diagnostic);

/// Checks the settings of a key by its type.
pub(crate) fn check_key(
    of: &KeyType,
    connector: &dyn ConnectKek,
    configuration: BTreeMap<String, Json>,
    credential: Option<&StoreCredential>,
) -> Option<Mistake> {
    let settings = KekSettings {
        kind: of.name.to_owned(),
        configuration,
    };
    let error = connector.check(&settings, credential).err()?;
    Some((error.path().to_owned(), explain(&error.into())))
}

/// Reports the mistakes of a block that remain whatever its unknown parts become.
pub(crate) fn report_mistakes(inner: &Value, checked: &Checked<'_>, diagnostics: &mut Diagnostics) {
    let mistakes = |outcome| mistakes(checked, completed(checked.fields, inner, outcome));
    let mut found = mistakes(Outcome::Absent);
    if !inner.is_wholly_known() {
        let other = mistakes(Outcome::Given);
        found.retain(|(path, error)| {
            let same = |(at, other): &(_, Diagnostic)| at == path && other == error;
            other.iter().any(same)
        });
    }
    let located = |(path, error): (AttributePath, Diagnostic)| error.at(path);
    diagnostics.extend(found.into_iter().map(located));
}

/// Returns a block whose unknown parts are replaced: a required one by an example, and an
/// optional one as `outcome` says.
fn completed(fields: &[Field], block: &Value, outcome: Outcome) -> Value {
    Value::object(fields.iter().map(|field| {
        let value = block.attribute(field.name);
        let completed = match field.holds {
            Holds::Texts if !value.elements().is_empty() => {
                let known = value.elements().iter().filter(|text| !text.is_unknown());
                Value::set_of(known.cloned())
            }
            Holds::Block(inner) if value.is_set() => completed(inner, value, outcome),
            _ if !value.is_unknown() => value.clone(),
            _ if field.required || outcome == Outcome::Given => example(field),
            _ => Value::Null,
        };
        (field.name, completed)
    }))
}

/// Returns a value that passes the check of its field.
fn example(field: &Field) -> Value {
    match field.holds {
        Holds::Flag => false.into(),
        Holds::Number | Holds::Texts => Value::Null,
        Holds::Block(inner) => completed(inner, &Value::Null, Outcome::Absent),
        Holds::Text => field.example.into(),
    }
}

/// Returns all mistakes of a known block: corrects each mistake that the check reports, and
/// checks again.
fn mistakes(checked: &Checked<'_>, mut inner: Value) -> Vec<(AttributePath, Diagnostic)> {
    let mut found: Vec<(AttributePath, Diagnostic)> = Vec::new();
    for _ in 0..MAX_MISTAKES {
        let Some(configuration) = settings_of(checked.fields, &inner) else {
            break;
        };
        let mut credential = StoreCredential::new();
        collect(checked.fields, &inner, &mut credential);
        // Without a configured credential, a sealed one may stay in use.
        let credential = Some(&credential).filter(|credential| !credential.is_empty());
        let Some((setting, error)) = (checked.check)(configuration, credential) else {
            break;
        };
        let path = innermost(checked.path.clone(), checked.name, checked.fields, &setting);
        let steps = &path.steps()[checked.path.steps().len()..];
        let is_new = found.iter().all(|(at, _)| *at != path);
        if is_new && !waits(checked, &inner, steps) {
            found.push((path.clone(), error));
        }
        if !is_new || !correct(checked.fields, &mut inner, steps) {
            break;
        }
    }
    found
}

/// Returns true if a credential is invalid on its own. The plan that uses it reports that,
/// since a credential may wait for its trigger.
fn waits(checked: &Checked<'_>, inner: &Value, steps: &[PathStep]) -> bool {
    let alone = alone(checked.fields, inner, steps);
    let mut credential = StoreCredential::new();
    collect(checked.fields, &alone, &mut credential);
    let Some(configuration) = settings_of(checked.fields, &alone) else {
        return false;
    };
    !credential.is_empty() && (checked.check)(configuration, Some(&credential)).is_some()
}

/// Returns a block of the required fields and the credential at `steps` alone.
fn alone(fields: &[Field], block: &Value, steps: &[PathStep]) -> Value {
    Value::object(fields.iter().map(|field| {
        let value = block.attribute(field.name);
        let rest = match steps {
            [PathStep::Attribute(name), rest @ ..] if name == field.name => Some(rest),
            _ => None,
        };
        let kept = match (rest, field.holds, field.change) {
            (Some(rest), Holds::Block(inner), _) => alone(inner, value, rest),
            (Some([]), _, Change::Credential(_)) => value.clone(),
            _ if field.required => example(field),
            _ => Value::Null,
        };
        (field.name, kept)
    }))
}

/// Removes the invalid field at `steps` from a block, or adds the missing one. Returns false
/// if the mistake belongs to no field.
fn correct(fields: &[Field], block: &mut Value, steps: &[PathStep]) -> bool {
    let [PathStep::Attribute(name), rest @ ..] = steps else {
        return false;
    };
    let Some(field) = fields.iter().find(|field| field.name == name) else {
        return false;
    };
    let mut value = block.take(name);
    let corrected = match field.holds {
        Holds::Block(inner) if !rest.is_empty() && value.is_set() => {
            correct(inner, &mut value, rest)
        }
        _ => {
            let is_needed = value.is_null() || field.required;
            value = if is_needed {
                example(field)
            } else {
                Value::Null
            };
            true
        }
    };
    block.set(name.clone(), value);
    corrected
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use planton_vendors::BACKEND_TYPES;

    #[test]
    fn examples_pass_the_check_of_their_fields() {
        for block in BACKEND_TYPES {
            let unknown = completed(block.fields, &Value::Unknown, Outcome::Given);
            assert!(unknown.is_wholly_known(), "{}", block.name());
            assert!(
                settings_of(block.fields, &unknown).is_some(),
                "{}",
                block.name()
            );
        }
        let partly = Value::set_of([Value::from("a"), Value::Unknown]);
        let gcp = BACKEND_TYPES
            .iter()
            .find(|block| block.name() == "gcp_secret_manager");
        let block = Value::object([("replica_locations", partly)]);
        let completed = completed(gcp.unwrap().fields, &block, Outcome::Absent);
        assert_eq!(completed.attribute("replica_locations").elements().len(), 1);
    }
}
