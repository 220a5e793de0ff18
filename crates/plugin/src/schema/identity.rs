//! The schema of an identity.

use crate::AttributeType;

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
