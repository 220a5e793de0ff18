//! Blocks of `planton_secret_backend`, one for each registered type of backend or key.

use crate::fields::{CredentialFields, field_attribute};
use planton_plugin::Attribute;
use planton_vendors::{BackendType, Field};

/// Returns the block of a backend type as an attribute of the resource.
pub(super) fn block(of: &BackendType) -> Attribute {
    object(of.name(), of.fields).describe(format!(
        "{} Exactly one backend block is required.",
        of.description
    ))
}

/// Returns an optional block with these fields.
pub(super) fn object(name: &str, fields: &[Field]) -> Attribute {
    Attribute::object(name, fields.iter().map(attribute)).optional()
}

fn attribute(field: &Field) -> Attribute {
    field_attribute(field, CredentialFields::WriteOnly)
}
