//! Blocks of `planton_secret_backend`, one for each registered backend type.

use planton_plugin::{Attribute, AttributeType};
use planton_vendors::{BackendType, Change, Field, Holds};

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
    let attribute = match field.holds {
        Holds::Text => Attribute::string(field.name),
        Holds::Flag => Attribute::bool(field.name),
        Holds::Number => Attribute::number(field.name),
        Holds::Texts => Attribute::set(field.name, AttributeType::String),
        Holds::Block(fields) => Attribute::object(field.name, fields.iter().map(attribute)),
    };
    let attribute = if field.required {
        attribute.required()
    } else {
        attribute.optional()
    };
    let attribute = attribute.describe(field.documentation());
    match field.change {
        Change::Credential(_) => attribute.write_only(),
        Change::InPlace | Change::Replaces => attribute,
    }
}
