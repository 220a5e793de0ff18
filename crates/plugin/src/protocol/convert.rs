//! Conversions of schemas, paths and diagnostics into wire messages.

use std::time::{SystemTime, UNIX_EPOCH};

use super::wire;
use super::wire::attribute_path::{Step, step::Selector};
use crate::{
    Attribute, AttributeKind, AttributePath, Diagnostic, Diagnostics, IdentitySchema, Nesting,
    Parameter, PathStep, Presence, Schema, Severity, Signature,
};

pub(super) fn diagnostics(all: Diagnostics) -> Vec<wire::Diagnostic> {
    all.into_iter().map(diagnostic).collect()
}

fn diagnostic(diagnostic: Diagnostic) -> wire::Diagnostic {
    let severity = match diagnostic.severity {
        Severity::Error => wire::diagnostic::Severity::Error,
        Severity::Warning => wire::diagnostic::Severity::Warning,
    };
    wire::Diagnostic {
        severity: severity.into(),
        summary: diagnostic.summary,
        detail: diagnostic.detail,
        attribute: location(&diagnostic.path),
    }
}

/// Returns where a host looks for the expression of a diagnostic; `None` for the whole value.
///
/// Terraform before 1.15 finds a nested attribute only in a nested block, and falls back to the
/// first line of the resource otherwise. Every host finds an entry of an attribute's own
/// expression, so an attribute of an object at the top is sent as one:
/// <https://github.com/hashicorp/terraform/blob/v1.11.4/internal/tfdiags/contextual.go>
///
/// A deeper path is sent as it is. Cut short, it would lead to the object around the attribute,
/// and the host would quote that with all that is in it, literal credentials included.
fn location(path: &AttributePath) -> Option<wire::AttributePath> {
    if let [top, PathStep::Attribute(name)] = path.steps() {
        let entry = Selector::ElementKeyString(name.clone());
        let steps = [selector(top), entry].map(step).into();
        return Some(wire::AttributePath { steps });
    }
    (!path.is_root()).then(|| self::path(path))
}

pub(super) fn path(path: &AttributePath) -> wire::AttributePath {
    let steps = path.steps().iter().map(selector);
    wire::AttributePath {
        steps: steps.map(step).collect(),
    }
}

fn selector(step: &PathStep) -> Selector {
    match step {
        PathStep::Attribute(name) => Selector::AttributeName(name.clone()),
        PathStep::Key(key) => Selector::ElementKeyString(key.clone()),
        PathStep::Index(index) => {
            Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX))
        }
    }
}

fn step(selector: Selector) -> Step {
    Step {
        selector: Some(selector),
    }
}

pub(super) fn schema(schema: &Schema) -> wire::Schema {
    wire::Schema {
        version: schema.version,
        block: Some(wire::schema::Block {
            version: schema.version,
            attributes: schema.attributes.iter().map(attribute).collect(),
            description: schema.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
            deprecated: schema.deprecation.is_some(),
            deprecation_message: schema.deprecation.clone().unwrap_or_default(),
        }),
    }
}

fn attribute(attribute: &Attribute) -> wire::schema::Attribute {
    let (ty, nested_type) = match &attribute.kind {
        AttributeKind::Plain(ty) => (ty.to_json(), None),
        AttributeKind::Nested(nesting, inner) => (Vec::new(), Some(object(*nesting, inner))),
    };
    wire::schema::Attribute {
        name: attribute.name.clone(),
        r#type: ty,
        nested_type,
        description: attribute.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        required: attribute.presence == Presence::Required,
        optional: matches!(
            attribute.presence,
            Presence::Optional | Presence::OptionalComputed
        ),
        computed: attribute.is_computed(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecation.is_some(),
        deprecation_message: attribute.deprecation.clone().unwrap_or_default(),
    }
}

fn object(nesting: Nesting, attributes: &[Attribute]) -> wire::schema::Object {
    use wire::schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    wire::schema::Object {
        attributes: attributes.iter().map(attribute).collect(),
        nesting: nesting.into(),
    }
}

pub(super) fn identity_schema(schema: &IdentitySchema) -> wire::ResourceIdentitySchema {
    let attributes = schema.attributes.iter().map(|attribute| {
        wire::resource_identity_schema::IdentityAttribute {
            name: attribute.name.clone(),
            r#type: attribute.ty.to_json(),
            required_for_import: attribute.required_for_import,
            optional_for_import: !attribute.required_for_import,
            description: attribute.description.clone(),
        }
    });
    wire::ResourceIdentitySchema {
        version: schema.version,
        identity_attributes: attributes.collect(),
    }
}

pub(super) fn function(signature: &Signature) -> wire::Function {
    wire::Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter),
        r#return: Some(wire::function::Return {
            r#type: signature.return_type.to_json(),
        }),
        summary: signature.summary.clone(),
        description: signature.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecation_message: signature.deprecation.clone().unwrap_or_default(),
    }
}

fn parameter(parameter: &Parameter) -> wire::function::Parameter {
    wire::function::Parameter {
        name: parameter.name.clone(),
        r#type: parameter.ty.to_json(),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
    }
}

pub(super) fn timestamp(time: SystemTime) -> wire::Timestamp {
    // A time before 1970 means an immediate renewal.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    wire::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).expect("below a billion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the location that a host gets for a diagnostic at `path`.
    fn sent(path: AttributePath) -> Option<Vec<Selector>> {
        let diagnostic = Diagnostic::error("Invalid", "It is invalid.").at(path);
        let [sent] = <[_; 1]>::try_from(diagnostics(diagnostic.into())).expect("one diagnostic");
        let steps = sent.attribute?.steps.into_iter();
        Some(steps.filter_map(|step| step.selector).collect())
    }

    #[test]
    fn a_diagnostic_of_a_nested_attribute_is_sent_as_one_of_an_entry() {
        let top = |name: &str| Selector::AttributeName(name.to_owned());
        let entry = |name: &str| Selector::ElementKeyString(name.to_owned());
        let timeout = AttributePath::attribute("timeouts").then("create");
        assert_eq!(sent(timeout), Some(vec![top("timeouts"), entry("create")]));
        let role = AttributePath::attribute("openbao").then("jwt").then("role");
        let whole = vec![top("openbao"), top("jwt"), top("role")];
        assert_eq!(sent(role), Some(whole));
        let age = AttributePath::attribute("escrow").index(1).then("age");
        let whole = vec![top("escrow"), Selector::ElementKeyInt(1), top("age")];
        assert_eq!(sent(age), Some(whole));
        let label = AttributePath::attribute("labels").key("team");
        assert_eq!(sent(label), Some(vec![top("labels"), entry("team")]));
        assert_eq!(sent("name".into()), Some(vec![top("name")]));
        assert_eq!(sent(AttributePath::root()), None);
    }

    #[test]
    fn a_path_that_forces_a_replacement_is_sent_whole() {
        let whole = path(&AttributePath::attribute("openbao").then("jwt").then("role"));
        let steps = whole.steps.into_iter().filter_map(|step| step.selector);
        let names = ["openbao", "jwt", "role"].map(|name| Selector::AttributeName(name.into()));
        assert_eq!(steps.collect::<Vec<_>>(), names);
    }
}
