//! Blocks of `planton_secret_backend`, one for each registered type of backend or key.

use crate::field_attribute::{CredentialFields, field_attribute};
use planton_plugin::{Attribute, AttributePath};
use planton_vendors::{BackendType, Change, Field, Holds};

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

/// Returns the path of a setting as a vendor's code names it, below the `path` of its block:
/// `region`, `secret_access_key` (a part of the credential), `openbao.approle.secret_id_wo`.
pub(super) fn innermost(
    mut path: AttributePath,
    block: &str,
    mut fields: &'static [Field],
    named: &str,
) -> AttributePath {
    for segment in named.split('.').filter(|segment| *segment != block) {
        let of_this_name = |field: &&Field| {
            field.name == segment
                || matches!(field.change, Change::Credential(part) if part == segment)
        };
        let Some(field) = fields.iter().find(of_this_name) else {
            break;
        };
        path = path.then(field.name);
        match field.holds {
            Holds::Block(inner) => fields = inner,
            _ => break,
        }
    }
    path
}
