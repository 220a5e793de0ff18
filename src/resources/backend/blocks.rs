//! Blocks of `planton_secret_backend`, one for each registered backend type.

use crate::field_attribute::{CredentialFields, field_attribute};
use planton_plugin::Attribute;
use planton_vendors::{BackendType, Field};

/// Returns the block of a backend type as an attribute of the resource.
pub(super) fn block(of: &BackendType) -> Attribute {
    Attribute::object(of.name(), of.fields.iter().map(attribute))
        .optional()
        .describe(format!(
            "{} Exactly one backend block is required.",
            of.description
        ))
}

fn attribute(field: &Field) -> Attribute {
    field_attribute(field, CredentialFields::WriteOnly)
}
