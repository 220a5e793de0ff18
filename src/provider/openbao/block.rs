//! The openbao block and the environment as the source of a connection.

use super::super::settings::Environment;
use super::at;
use planton_plugin::{AttributePath, Diagnostic, Value};
use planton_vendors::openbao::connection::{
    ConnectionProblem, ConnectionProblemKind, ConnectionSource, Given, PLATFORM_FIELDS,
};

/// The openbao block, whose absent arguments the environment may set.
pub(in crate::provider) struct Block<'a> {
    pub(super) value: &'a Value,
    pub(super) environment: Option<&'a Environment>,
}

impl<'a> Block<'a> {
    /// Takes the block alone, as validation does: its arguments may be unknown.
    pub(in crate::provider) fn alone(value: &'a Value) -> Self {
        Self {
            value,
            environment: None,
        }
    }

    /// Returns the value at `path` inside the block.
    pub(super) fn at(&self, path: &[&str]) -> &'a Value {
        path.iter()
            .fold(self.value, |value, name| value.attribute(name))
    }
}

impl ConnectionSource for Block<'_> {
    fn given(&self, path: &[&str]) -> Given<'_> {
        let value = self.at(path);
        match value.as_str() {
            Some(text) => Given::Text(text),
            None if value.is_null() => Given::Absent,
            None if value.is_unknown() => Given::Unknown,
            None => Given::Block,
        }
    }

    fn variable(&self, variables: &[&str]) -> Option<String> {
        self.environment?.first(variables)
    }
}

/// Turns a problem of an argument into a diagnostic at that argument.
pub(in crate::provider) fn unusable_argument(problem: &ConnectionProblem) -> Diagnostic {
    use ConnectionProblemKind as Kind;
    let summary = match problem.kind {
        Kind::Missing => "Platform Address Missing",
        Kind::Address => "Invalid Platform Address",
        Kind::Namespace => "Invalid Namespace",
        Kind::Mount => "Invalid Mount Path",
        Kind::KeyName => "Invalid Key Name",
        Kind::Period => "Invalid Key Rotation Period",
        Kind::Certificates => "Invalid CA Certificate",
        Kind::Path => "Invalid Path",
        Kind::Empty => "Empty Platform Credential",
        Kind::Conflict => "Conflicting Platform Settings",
        Kind::Incomplete => "Incomplete Client Certificate",
        Kind::Login => "Invalid Login Configuration",
    };
    let message = &problem.message;
    let detail = match problem.kind {
        Kind::Missing => missing(&problem.setting),
        Kind::Empty => format!(
            "{message}\n\nSet it to a value, or to null to leave it out. Often the variable that \
             it refers to is not set."
        ),
        _ => message.clone(),
    };
    let original = problem.source.as_ref();
    let original = original.map_or_else(String::new, |source| {
        format!("\n\nOriginal error: {source}")
    });
    let path = problem.setting.split('.');
    let path = path.fold(AttributePath::attribute("openbao"), AttributePath::then);
    Diagnostic::error(summary, format!("{detail}{original}")).at(path)
}

fn missing(setting: &str) -> String {
    let field = PLATFORM_FIELDS.iter().find(|field| field.name == setting);
    let variables = field.map_or(&[][..], |field| field.variables);
    format!(
        "The openbao block has no {setting}.\n\nSet {setting}, or the environment variable {}.",
        variables.join(" or ")
    )
}

/// Returns the environment variables of an argument.
pub(super) fn variables_of(name: &str) -> &'static [&'static str] {
    let field = PLATFORM_FIELDS.iter().find(|field| field.name == name);
    field.map_or(&[], |field| field.variables)
}

/// Describes a path in an environment variable that cannot be used.
pub(super) fn unusable_variable(
    variable: &str,
    error: planton_vendors::openbao::client::InvalidPath,
    name: &str,
) -> Diagnostic {
    super::super::settings::invalid_path(variable, &error, at(name))
}
