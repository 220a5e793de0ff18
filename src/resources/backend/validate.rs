//! Checks a configuration of `planton_secret_backend` without any I/O. Reports every mistake
//! that does not depend on an unknown value.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::blocks::innermost;
use super::keys;
use super::settings::{DELETE, FORGET, collect, on_destroy, set_blocks, settings_of};
use crate::diagnostics::{explain, invalid_slug, reserved_name};
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{
    ConnectKek, ConnectStore, KekSettings, NAME_PREFIX, OperationError, PLATFORM_BACKEND,
    StoreCredential, StoreSettings,
};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, PathStep, Value};
use planton_vendors::{BACKEND_TYPES, BackendType, Change, Field, Holds, KeyType};

/// Maximum number of mistakes that are reported for one block.
const MAX_MISTAKES: usize = 16;

/// Checks the known part. The connectors check the settings of every type of backend and of
/// key.
pub(super) fn validate(
    config: &Value,
    connector: &dyn ConnectStore,
    kek_connector: &dyn ConnectKek,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    names(config, &mut diagnostics);
    destroy(config, &mut diagnostics);
    blocks(config, &mut diagnostics);
    for block in set_blocks(config) {
        let checked = Checked {
            path: AttributePath::attribute(block.name()),
            name: block.name(),
            fields: block.fields,
            check: &|configuration, credential| {
                check_store(block, connector, configuration, credential)
            },
        };
        settings(config.attribute(block.name()), &checked, &mut diagnostics);
    }
    keys::validate(config, &mut diagnostics);
    for (path, of, inner) in keys::checkable(config) {
        let checked = Checked {
            path,
            name: of.name,
            fields: of.fields,
            check: &|configuration, credential| {
                check_kek(of, kek_connector, configuration, credential)
            },
        };
        settings(inner, &checked, &mut diagnostics);
    }
    exposed(config, &mut diagnostics);
    diagnostics
}

fn names(config: &Value, diagnostics: &mut Diagnostics) {
    for (what, name) in [("The name", "name"), ("The name prefix", "name_prefix")] {
        let Some(text) = config.attribute(name).as_str() else {
            continue;
        };
        if Slug::parse(text).is_err() {
            diagnostics.push(invalid_slug(what, text, name));
        } else if name == "name" && text == PLATFORM_BACKEND {
            diagnostics.push(reserved_name());
        }
    }
}

fn destroy(config: &Value, diagnostics: &mut Diagnostics) {
    if let Setting::Set(text) = on_destroy(config)
        && text != DELETE
        && text != FORGET
    {
        diagnostics.push(
            Diagnostic::error(
                "Invalid Destroy Behaviour",
                "on_destroy must be \"delete\" or \"forget\".\n\nSet it to one of them, or omit it.",
            )
            .at("on_destroy"),
        );
    }
}

fn blocks(config: &Value, diagnostics: &mut Diagnostics) {
    let all: Vec<_> = BACKEND_TYPES.iter().map(|block| block.name()).collect();
    let all = all.join(", ");
    let is_null = |block: &&BackendType| config.attribute(block.name()).is_null();
    let set = set_blocks(config);
    if BACKEND_TYPES.iter().all(is_null) {
        diagnostics.push(Diagnostic::error(
            "Secret Backend Missing",
            format!("No backend is configured.\n\nSet exactly one of {all}."),
        ));
    }
    if let [_, second, ..] = set.as_slice() {
        let names: Vec<_> = set.iter().map(|block| block.name()).collect();
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Secret Backends",
                format!(
                    "Exactly one of {all} may be set, but {} are.\n\nRemove all but one, or declare \
                     one backend for each.",
                    names.join(" and ")
                ),
            )
            .at(second.name()),
        );
    }
}

/// Assumption about an unknown value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Absent,
    Given,
}

/// A block whose settings are checked.
struct Checked<'a> {
    path: AttributePath,
    name: &'static str,
    fields: &'static [Field],
    /// Returns the first mistake, with the name of its setting.
    check: &'a Check<'a>,
}

/// Checks settings and a credential.
type Check<'a> = dyn Fn(BTreeMap<String, Json>, Option<&StoreCredential>) -> Option<Mistake> + 'a;

/// The name of a setting, and what is wrong with it.
type Mistake = (String, OperationError);

fn check_store(
    block: &BackendType,
    connector: &dyn ConnectStore,
    configuration: BTreeMap<String, Json>,
    credential: Option<&StoreCredential>,
) -> Option<Mistake> {
    let settings = StoreSettings {
        kind: block.name().to_owned(),
        name_prefix: NAME_PREFIX.to_owned(),
        configuration,
    };
    let error = connector.check(&settings, credential).err()?;
    let setting = error.setting().unwrap_or_else(|| error.path());
    Some((setting.to_owned(), error.into()))
}

fn check_kek(
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
    Some((error.path().to_owned(), error.into()))
}

/// Reports the mistakes of a block that remain whatever its unknown parts become.
fn settings(inner: &Value, checked: &Checked<'_>, diagnostics: &mut Diagnostics) {
    let mistakes = |outcome| mistakes(checked, completed(checked.fields, inner, outcome));
    let mut found = mistakes(Outcome::Absent);
    if !inner.is_wholly_known() {
        let other = mistakes(Outcome::Given);
        found.retain(|(path, error)| {
            let same = |(at, other): &(_, OperationError)| {
                at == path && other.to_string() == error.to_string()
            };
            other.iter().any(same)
        });
    }
    let located = |(path, error): (AttributePath, OperationError)| explain(&error).at(path);
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
fn mistakes(checked: &Checked<'_>, mut inner: Value) -> Vec<(AttributePath, OperationError)> {
    let mut found: Vec<(AttributePath, OperationError)> = Vec::new();
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

fn exposed(config: &Value, diagnostics: &mut Diagnostics) {
    for block in BACKEND_TYPES {
        let address = config.attribute(block.name()).attribute(block.address);
        if address.as_str().is_some_and(block.is_exposed) {
            diagnostics.push(
                Diagnostic::warning(
                    "Backend Connection Not Encrypted",
                    "The connection to the backend has no TLS. Anybody who can read the traffic gets \
                     the token. Stored secrets stay sealed.\n\nUse an https address.",
                )
                .at(AttributePath::attribute(block.name()).then(block.address)),
            );
        }
    }
}

#[cfg(test)]
mod tests;
