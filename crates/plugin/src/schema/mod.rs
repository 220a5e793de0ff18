//! Schemas, with builder methods.

mod attribute;
mod identity;
mod visit;

use std::collections::BTreeMap;

use crate::AttributeType;

pub use attribute::{Attribute, AttributeKind, Nesting, Presence};
pub use identity::{IdentityAttribute, IdentitySchema};
pub(crate) use visit::visit_attributes;

/// Schema of a provider, a resource, an ephemeral resource or a data source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Version of the state's schema; 0 except for resources.
    pub version: i64,
    /// Attributes.
    pub attributes: Vec<Attribute>,
    /// Description in Markdown.
    pub description: String,
    /// Reason of a deprecation.
    pub deprecation: Option<String>,
}

impl Schema {
    /// Creates a schema of these attributes, with version 0.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = Attribute>) -> Self {
        Self {
            attributes: attributes.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Sets the version of the state's schema.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// Marks the schema as deprecated.
    #[must_use]
    pub fn deprecated(mut self, why: impl Into<String>) -> Self {
        self.deprecation = Some(why.into());
        self
    }

    /// Returns the object type of values of this schema.
    pub(crate) fn attribute_type(&self) -> AttributeType {
        object_of(&self.attributes)
    }

    /// Returns the mistakes for which a host would reject this schema and the whole provider;
    /// empty for a valid schema. For tests.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        check_all(&self.attributes, "", false, &mut problems);
        problems
    }
}

fn object_of(attributes: &[Attribute]) -> AttributeType {
    AttributeType::object(
        attributes
            .iter()
            .map(|a| (a.name.clone(), a.attribute_type())),
    )
}

fn check_all(all: &[Attribute], prefix: &str, in_set: bool, problems: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for attribute in all {
        let path = format!("{prefix}{}", attribute.name);
        if seen.insert(&attribute.name, ()).is_some() {
            problems.push(format!("{path}: declared twice"));
        }
        let mut characters = attribute.name.bytes();
        if !characters.next().is_some_and(|b| b.is_ascii_lowercase())
            || !characters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            problems.push(format!("{path}: not a name"));
        }
        if attribute.write_only && attribute.is_computed() {
            problems.push(format!("{path}: write-only and computed"));
        }
        if attribute.write_only && in_set {
            problems.push(format!("{path}: write-only inside a set"));
        }
        if let AttributeKind::Nested(nesting, inner) = &attribute.kind {
            let in_set = in_set || *nesting == Nesting::Set;
            check_all(inner, &format!("{path}."), in_set, problems);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_attributes_have_the_type_of_their_objects() {
        let attribute = Attribute::nested(
            "keys",
            Nesting::List,
            [Attribute::string("id").required(), Attribute::bool("on")],
        );
        assert_eq!(
            attribute.attribute_type(),
            AttributeType::list(AttributeType::object([
                ("id", AttributeType::String),
                ("on", AttributeType::Bool),
            ]))
        );
    }

    #[test]
    fn what_a_host_would_refuse_is_a_problem() {
        let schema = Schema::new([
            Attribute::string("a").computed().write_only(),
            Attribute::string("A"),
            Attribute::string("b"),
            Attribute::string("b"),
            Attribute::nested("s", Nesting::Set, [Attribute::string("w").write_only()]),
        ]);
        assert_eq!(
            schema.problems(),
            [
                "a: write-only and computed",
                "A: not a name",
                "b: declared twice",
                "s.w: write-only inside a set"
            ]
        );
        assert!(
            Schema::new([Attribute::string("a_1").write_only()])
                .problems()
                .is_empty()
        );
    }
}
