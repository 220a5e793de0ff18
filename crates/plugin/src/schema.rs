//! Schemas, in a builder style.

use std::collections::BTreeMap;

use super::AttributeType;

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

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `[a-z][a-z0-9_]*`
    pub name: String,
    /// What it holds.
    pub kind: AttributeKind,
    /// Who sets it.
    pub presence: Presence,
    /// Whether hosts hide it in their output.
    pub sensitive: bool,
    /// Whether it is given to the provider and kept nowhere.
    pub write_only: bool,
    /// Markdown.
    pub description: String,
    /// Why not to use this any more.
    pub deprecation: Option<String>,
}

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// A value of this type.
    Plain(AttributeType),
    /// One or several objects that have attributes of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// How nested objects stand in an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// A list of objects.
    List,
    /// A set of objects; write-only attributes are not allowed inside.
    Set,
    /// A map to objects.
    Map,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The practitioner must.
    Required,
    /// The practitioner may.
    Optional,
    /// The provider does.
    Computed,
    /// The provider does where the practitioner doesn't.
    OptionalComputed,
}

/// What identifies a resource to Terraform from 1.12 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySchema {
    /// The version of the identity's form.
    pub version: i64,
    /// The attributes.
    pub attributes: Vec<IdentityAttribute>,
}

/// One attribute of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityAttribute {
    /// Its name.
    pub name: String,
    /// Its type: a primitive, or a list of one.
    pub ty: AttributeType,
    /// Whether an import must give it; otherwise it may.
    pub required_for_import: bool,
    /// Plain text.
    pub description: String,
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

impl Attribute {
    /// An attribute of type `ty`; optional until said otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: AttributeType) -> Self {
        Self::of_kind(name, AttributeKind::Plain(ty))
    }

    /// A string.
    #[must_use]
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::String)
    }

    /// A boolean.
    #[must_use]
    pub fn bool(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::Bool)
    }

    /// A number.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::Number)
    }

    /// A list of `element`.
    #[must_use]
    pub fn list(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::list(element))
    }

    /// A set of `element`.
    #[must_use]
    pub fn set(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::set(element))
    }

    /// A map to `element`.
    #[must_use]
    pub fn map(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::map(element))
    }

    /// One object with attributes of its own.
    #[must_use]
    pub fn object(name: impl Into<String>, attributes: impl IntoIterator<Item = Self>) -> Self {
        Self::nested(name, Nesting::Single, attributes)
    }

    /// Objects with attributes of their own.
    #[must_use]
    pub fn nested(
        name: impl Into<String>,
        nesting: Nesting,
        attributes: impl IntoIterator<Item = Self>,
    ) -> Self {
        let attributes = attributes.into_iter().collect();
        Self::of_kind(name, AttributeKind::Nested(nesting, attributes))
    }

    /// The practitioner must set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.presence = Presence::Required;
        self
    }

    /// The practitioner may set it: the default.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.presence = Presence::Optional;
        self
    }

    /// The provider sets it.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.presence = Presence::Computed;
        self
    }

    /// The provider sets it where the practitioner doesn't.
    #[must_use]
    pub fn optional_computed(mut self) -> Self {
        self.presence = Presence::OptionalComputed;
        self
    }

    /// Hosts hide it in their output.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// It is given to the provider and kept nowhere: the runtime nulls it in
    /// every response.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// Marks it as deprecated.
    #[must_use]
    pub fn deprecated(mut self, why: impl Into<String>) -> Self {
        self.deprecation = Some(why.into());
        self
    }

    /// Returns the type that values of this attribute have.
    #[must_use]
    pub fn attribute_type(&self) -> AttributeType {
        match &self.kind {
            AttributeKind::Plain(ty) => ty.clone(),
            AttributeKind::Nested(nesting, attributes) => {
                let object = object_of(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => AttributeType::list(object),
                    Nesting::Set => AttributeType::set(object),
                    Nesting::Map => AttributeType::map(object),
                }
            }
        }
    }

    /// Returns true where the provider may set it.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        matches!(
            self.presence,
            Presence::Computed | Presence::OptionalComputed
        )
    }

    fn of_kind(name: impl Into<String>, kind: AttributeKind) -> Self {
        Self {
            name: name.into(),
            kind,
            presence: Presence::Optional,
            sensitive: false,
            write_only: false,
            description: String::new(),
            deprecation: None,
        }
    }
}

impl IdentitySchema {
    /// An identity of these attributes, version 0.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = IdentityAttribute>) -> Self {
        Self {
            version: 0,
            attributes: attributes.into_iter().collect(),
        }
    }

    /// Returns the object type that identities of this schema have.
    #[must_use]
    pub fn attribute_type(&self) -> AttributeType {
        AttributeType::object(
            self.attributes
                .iter()
                .map(|a| (a.name.clone(), a.ty.clone())),
        )
    }
}

impl IdentityAttribute {
    /// A string that an import must give.
    #[must_use]
    pub fn required(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: AttributeType::String,
            required_for_import: true,
            description: String::new(),
        }
    }

    /// A string that an import may give.
    #[must_use]
    pub fn optional(name: impl Into<String>) -> Self {
        Self {
            required_for_import: false,
            ..Self::required(name)
        }
    }

    /// Sets the description.
    #[must_use]
    pub fn describe(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
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
