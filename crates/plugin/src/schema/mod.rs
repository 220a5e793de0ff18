//! Schemas, in a builder style.

mod attribute;
mod identity;

use std::collections::BTreeMap;

use crate::AttributeType;

pub use attribute::{Attribute, AttributeKind, Nesting, Presence};
pub use identity::{IdentityAttribute, IdentitySchema};

/// The schema of a provider, a resource, an ephemeral resource or a data source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The version of the state's form; only resources have other than 0.
    pub version: i64,
    /// The attributes.
    pub attributes: Vec<Attribute>,
    /// Markdown.
    pub description: String,
    /// Why not to use this any more.
    pub deprecation: Option<String>,
}

impl Schema {
    /// A schema of these attributes, version 0.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = Attribute>) -> Self {
        Self {
            attributes: attributes.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Sets the version of the state's form.
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

    /// Marks the whole as deprecated.
    #[must_use]
    pub fn deprecated(mut self, why: impl Into<String>) -> Self {
        self.deprecation = Some(why.into());
        self
    }

    /// Returns the object type that values of this schema have.
    #[must_use]
    pub fn attribute_type(&self) -> AttributeType {
        object_of(&self.attributes)
    }

    /// Returns what a host would refuse in this schema; empty for a good one.
    /// For tests: a host checks the same, and refuses the whole provider.
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
