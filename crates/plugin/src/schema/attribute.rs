//! Attributes of a schema.

use super::object_of;
use crate::AttributeType;

/// Attribute of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Name: `[a-z][a-z0-9_]*`.
    pub name: String,
    /// Kind of its value.
    pub kind: AttributeKind,
    /// Whether the practitioner or the provider sets it.
    pub presence: Presence,
    /// Whether the host hides its value in the output.
    pub sensitive: bool,
    /// Whether it is passed to the provider and never stored.
    pub write_only: bool,
    /// Description in Markdown.
    pub description: String,
    /// Reason of a deprecation.
    pub deprecation: Option<String>,
}

/// Kind of an attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// A value of this type.
    Plain(AttributeType),
    /// One or more objects with attributes of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// Collection of nested objects in an attribute.
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

/// Whether the practitioner or the provider sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The practitioner must set it.
    Required,
    /// The practitioner may set it.
    Optional,
    /// The provider sets it.
    Computed,
    /// The provider sets it if the practitioner does not.
    OptionalComputed,
}

impl Attribute {
    /// Creates an optional attribute of type `ty`.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: AttributeType) -> Self {
        Self::of_kind(name, AttributeKind::Plain(ty))
    }

    /// Creates an optional string.
    #[must_use]
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::String)
    }

    /// Creates an optional boolean.
    #[must_use]
    pub fn bool(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::Bool)
    }

    /// Creates an optional number.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, AttributeType::Number)
    }

    /// Creates an optional list of `element`.
    #[must_use]
    pub fn list(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::list(element))
    }

    /// Creates an optional set of `element`.
    #[must_use]
    pub fn set(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::set(element))
    }

    /// Creates an optional map of strings to `element`.
    #[must_use]
    pub fn map(name: impl Into<String>, element: AttributeType) -> Self {
        Self::new(name, AttributeType::map(element))
    }

    /// Creates an optional object with attributes of its own.
    #[must_use]
    pub fn object(name: impl Into<String>, attributes: impl IntoIterator<Item = Self>) -> Self {
        Self::nested(name, Nesting::Single, attributes)
    }

    /// Creates an optional collection of objects with attributes of their own.
    #[must_use]
    pub fn nested(
        name: impl Into<String>,
        nesting: Nesting,
        attributes: impl IntoIterator<Item = Self>,
    ) -> Self {
        let attributes = attributes.into_iter().collect();
        Self::of_kind(name, AttributeKind::Nested(nesting, attributes))
    }

    /// Makes it required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.presence = Presence::Required;
        self
    }

    /// Makes it optional, which is the default.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.presence = Presence::Optional;
        self
    }

    /// Makes it computed.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.presence = Presence::Computed;
        self
    }

    /// Makes it optional, and computed if the practitioner omits it.
    #[must_use]
    pub fn optional_computed(mut self) -> Self {
        self.presence = Presence::OptionalComputed;
        self
    }

    /// Makes the host hide its value in the output.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Makes it write-only: it is passed to the provider and never stored. The runtime sets it
    /// to null in every response.
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

    /// Returns the type of the attribute's values.
    pub(crate) fn attribute_type(&self) -> AttributeType {
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

    /// Returns true if the provider may set it.
    pub(crate) fn is_computed(&self) -> bool {
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
