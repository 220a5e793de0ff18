//! Turns a field of a vendor's registration into an attribute of a schema.

use planton_plugin::{Attribute, AttributeType};
use planton_vendors::{Change, Field, Holds};

/// How a schema protects the fields that are part of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialFields {
    /// Sensitive: a plan hides the value. For the provider block, which no state contains.
    Sensitive,
    /// Write-only: neither a plan nor a state contains the value.
    WriteOnly,
}

/// End of the names of write-only attributes.
const WRITE_ONLY: &str = "_wo";

/// Returns the attribute of `field`, with the attributes of its own fields.
pub(crate) fn field_attribute(field: &Field, credentials: CredentialFields) -> Attribute {
    let name = attribute_name(field.name, credentials);
    let attribute = match field.holds {
        Holds::Text => Attribute::string(name),
        Holds::Flag => Attribute::bool(name),
        Holds::Number => Attribute::number(name),
        Holds::Texts => Attribute::set(name, AttributeType::String),
        Holds::Block(fields) => {
            let nested = fields.iter();
            Attribute::object(
                name,
                nested.map(|field| field_attribute(field, credentials)),
            )
        }
    };
    let attribute = if field.required {
        attribute.required()
    } else {
        attribute.optional()
    };
    let documentation = field.documentation();
    let attribute = attribute.describe(match credentials {
        CredentialFields::Sensitive => documentation.replace("_wo`", "`"),
        CredentialFields::WriteOnly => documentation,
    });
    match (field.change, credentials) {
        (Change::Credential(_), CredentialFields::Sensitive) => attribute.sensitive(),
        (Change::Credential(_), CredentialFields::WriteOnly) => attribute.write_only(),
        (Change::InPlace | Change::Replaces, _) => attribute,
    }
}

/// Returns the name of a field's attribute: what is not write-only does not end as if it were.
pub(crate) fn attribute_name(field: &str, credentials: CredentialFields) -> &str {
    match credentials {
        CredentialFields::Sensitive => field.strip_suffix(WRITE_ONLY).unwrap_or(field),
        CredentialFields::WriteOnly => field,
    }
}
