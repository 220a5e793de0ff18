//! Turns a field of a vendor's registration into an attribute of a schema.

use planton_plugin::{Attribute, AttributeType};
use planton_vendors::{Change, Field, Holds};

/// How a schema protects the fields that are part of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialFields {
    /// Sensitive: a plan hides the value.
    Sensitive,
    /// Write-only: neither a plan nor a state contains the value.
    WriteOnly,
}

/// Returns the attribute of `field`, with the attributes of its own fields.
pub(crate) fn field_attribute(field: &Field, credentials: CredentialFields) -> Attribute {
    let attribute = match field.holds {
        Holds::Text => Attribute::string(field.name),
        Holds::Flag => Attribute::bool(field.name),
        Holds::Number => Attribute::number(field.name),
        Holds::Texts => Attribute::set(field.name, AttributeType::String),
        Holds::Block(fields) => {
            let nested = fields.iter();
            Attribute::object(
                field.name,
                nested.map(|field| field_attribute(field, credentials)),
            )
        }
    };
    let attribute = if field.required {
        attribute.required()
    } else {
        attribute.optional()
    };
    let attribute = attribute.describe(field.documentation());
    match (field.change, credentials) {
        (Change::Credential(_), CredentialFields::Sensitive) => attribute.sensitive(),
        (Change::Credential(_), CredentialFields::WriteOnly) => attribute.write_only(),
        (Change::InPlace | Change::Replaces, _) => attribute,
    }
}
