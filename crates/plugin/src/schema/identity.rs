//! Schema of a resource's identity.

use crate::AttributeType;

/// Schema of the identity of a resource, which Terraform uses from version 1.12 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySchema {
    /// Version of the identity's schema.
    pub version: i64,
    /// Attributes.
    pub attributes: Vec<IdentityAttribute>,
}

/// Attribute of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityAttribute {
    /// Name.
    pub name: String,
    /// Type: a primitive, or a list of one.
    pub ty: AttributeType,
    /// Whether an import requires it.
    pub required_for_import: bool,
    /// Description in plain text.
    pub description: String,
}

impl IdentitySchema {
    /// Creates a schema of these attributes, with version 0.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = IdentityAttribute>) -> Self {
        Self {
            version: 0,
            attributes: attributes.into_iter().collect(),
        }
    }

    /// Returns the object type of identities of this schema.
    pub(crate) fn attribute_type(&self) -> AttributeType {
        AttributeType::object(
            self.attributes
                .iter()
                .map(|a| (a.name.clone(), a.ty.clone())),
        )
    }
}

impl IdentityAttribute {
    /// Creates a string that an import requires.
    #[must_use]
    pub fn required(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: AttributeType::String,
            required_for_import: true,
            description: String::new(),
        }
    }

    /// Creates a string that an import may omit.
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
