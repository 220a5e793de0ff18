//! Checks a configuration of `planton_secret_backend` without any I/O: every
//! mistake that does not depend on what is unknown yet.

use super::plan::innermost;
use super::settings::{DELETE, FORGET, collect, on_destroy, set_blocks, settings_of};
use crate::diagnostics::{explain, invalid_slug, reserved_name};
use crate::setting::Setting;
use planton_core::names::Slug;
use planton_core::operations::{
    ConnectStore, NAME_PREFIX, OperationError, PLATFORM_BACKEND, StoreCredential, StoreSettings,
};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, PathStep, Value};
use planton_vendors::{BACKEND_TYPES, BackendType, Change, Field, Holds};

/// The most mistakes that one block is searched for.
const MAX_MISTAKES: usize = 16;

/// Checks what is known; `connector` knows the settings of every type.
pub(super) fn validate(config: &Value, connector: &dyn ConnectStore) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    names(config, &mut diagnostics);
    destroy(config, &mut diagnostics);
    blocks(config, &mut diagnostics);
    for block in set_blocks(config) {
        settings(config, block, connector, &mut diagnostics);
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
                "on_destroy must be \"delete\" or \"forget\".",
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
                    "Exactly one of {all} may be set; here {} are.\n\nRemove all but one, or \
                     declare two backends.",
                    names.join(" and ")
                ),
            )
            .at(second.name()),
        );
    }
}

/// How what is unknown may turn out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Absent,
    Given,
}

/// Reports what is wrong with a block however its unknown parts turn out.
fn settings(
    config: &Value,
    block: &'static BackendType,
    connector: &dyn ConnectStore,
    diagnostics: &mut Diagnostics,
) {
    let inner = config.attribute(block.name());
    let mistakes = |outcome| mistakes(block, completed(block.fields, inner, outcome), connector);
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

/// Returns a block without unknown parts. What is required has an example's value
/// there, and what is optional has one or none.
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

/// Returns a value that is right by itself.
fn example(field: &Field) -> Value {
    match field.holds {
        Holds::Flag => false.into(),
        Holds::Number | Holds::Texts => Value::Null,
        Holds::Block(inner) => completed(inner, &Value::Null, Outcome::Absent),
        Holds::Text => field.example.into(),
    }
}

/// Returns all mistakes of a block that is wholly known: each that is found is
/// mended, and the block looked at again.
fn mistakes(
    block: &'static BackendType,
    mut inner: Value,
    connector: &dyn ConnectStore,
) -> Vec<(AttributePath, OperationError)> {
    let mut found: Vec<(AttributePath, OperationError)> = Vec::new();
    for _ in 0..MAX_MISTAKES {
        let Some(configuration) = settings_of(block.fields, &inner) else {
            break;
        };
        let settings = StoreSettings {
            kind: block.name().to_owned(),
            name_prefix: NAME_PREFIX.to_owned(),
            configuration,
        };
        let mut credential = StoreCredential::new();
        collect(block.fields, &inner, &mut credential);
        // One that is absent may be kept from an earlier apply.
        let credential = Some(&credential).filter(|credential| !credential.is_empty());
        let Err(error) = connector.check(&settings, credential) else {
            break;
        };
        let path = innermost(block, error.setting().unwrap_or_else(|| error.path()));
        let steps = &path.steps()[1..];
        let is_new = found.iter().all(|(at, _)| *at != path);
        if is_new && !waits(block, &inner, steps, connector) {
            found.push((path.clone(), error.into()));
        }
        if !is_new || !mend(block.fields, &mut inner, steps) {
            break;
        }
    }
    found
}

/// Returns true where a credential is wrong by itself. It is looked at in the plan
/// that takes it, and not while it waits for its trigger.
fn waits(
    block: &BackendType,
    inner: &Value,
    steps: &[PathStep],
    connector: &dyn ConnectStore,
) -> bool {
    let alone = alone(block.fields, inner, steps);
    let mut credential = StoreCredential::new();
    collect(block.fields, &alone, &mut credential);
    let Some(configuration) = settings_of(block.fields, &alone) else {
        return false;
    };
    let settings = StoreSettings {
        kind: block.name().to_owned(),
        name_prefix: NAME_PREFIX.to_owned(),
        configuration,
    };
    !credential.is_empty() && connector.check(&settings, Some(&credential)).is_err()
}

/// Returns a block with nothing but what is required and the credential at `steps`,
/// if that is one.
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

/// Takes what is wrong out of a block, or puts in what is missing. Returns false
/// where the mistake is the block's own.
fn mend(fields: &[Field], block: &mut Value, steps: &[PathStep]) -> bool {
    let [PathStep::Attribute(name), rest @ ..] = steps else {
        return false;
    };
    let Some(field) = fields.iter().find(|field| field.name == name) else {
        return false;
    };
    let mut value = block.take(name);
    let mended = match field.holds {
        Holds::Block(inner) if !rest.is_empty() && value.is_set() => mend(inner, &mut value, rest),
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
    mended
}

fn exposed(config: &Value, diagnostics: &mut Diagnostics) {
    for block in BACKEND_TYPES {
        let address = config.attribute(block.name()).attribute(block.address);
        if address.as_str().is_some_and(block.is_exposed) {
            diagnostics.push(
                Diagnostic::warning(
                    "Backend Connection Not Encrypted",
                    "The backend is reached without TLS: whoever sees the traffic can take the \
                     token. What is stored is sealed all the same.\n\nUse an https address.",
                )
                .at(AttributePath::attribute(block.name()).then(block.address)),
            );
        }
    }
}

#[cfg(test)]
mod tests;
