//! One attribute of a schema.

use super::object_of;
use crate::AttributeType;

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
