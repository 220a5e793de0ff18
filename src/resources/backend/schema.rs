//! The schema of `planton_secret_backend`.

use super::blocks::block;
use crate::metadata::MAX_DESCRIPTION_BYTES;
use crate::session::TIMEOUTS;
use planton_core::operations::NAME_PREFIX;
use planton_plugin::{Attribute, IdentityAttribute, IdentitySchema, Schema};
use planton_vendors::BACKEND_TYPES;

/// Returns the schema.
pub(super) fn schema() -> Schema {
    let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
    let mut attributes = vec![
        Attribute::string("name").required().describe(
            "Name of the backend: 1 to 63 characters of a-z, 0-9 and hyphen. A change replaces the \
             backend.",
        ),
        Attribute::string("description")
            .optional()
            .describe(format!(
                "Human-readable description, at most {MAX_DESCRIPTION_BYTES} bytes."
            )),
        Attribute::string("name_prefix")
            .optional_computed()
            .describe(format!(
                "Prefix of the names of the backend's objects. Default: `{NAME_PREFIX}`. A change replaces \
                 the backend."
            )),
        Attribute::string("credentials_wo_version").optional().describe(
            "Trigger of new credentials: any text. A change makes the configured credentials \
             take effect, or the vendor's default credential chain if none are configured. Until \
             it changes, the sealed credentials stay in use, whether or not they are configured \
             again.",
        ),
        Attribute::bool("verify_connection").optional_computed().describe(
            "Whether to write, read and delete a test object before the backend is saved, and to \
             store a marker object. The marker proves after a change of settings that they lead to \
             the same place. A change to true verifies the backend and stores the marker. Default: \
             true.",
        ),
    ];
    attributes.push(
        Attribute::string("on_destroy")
            .optional_computed()
            .describe(
                "Effect of a destroy. `delete` deletes the backend's marker object and its \
                 record. `forget` deletes the record only, without a request to the backend, for a \
                 place that is gone for good; it lists the objects that may remain. Both fail while \
                 the backend contains secrets. Apply a change before the destroy. Default: \
                 `delete`.",
            ),
    );
    attributes.extend(BACKEND_TYPES.iter().copied().map(block));
    attributes.extend(super::keys::attributes());
    attributes.push(TIMEOUTS.attribute());
    attributes.extend([
        computed("id", "UUID of the backend."),
        computed("type", "Type of the backend: the name of its block."),
        computed(
            "credential_source",
            "Source of the credentials: `static` for configured ones, `ambient` for the vendor's \
             default credential chain.",
        ),
        computed("created_at", "Time of creation (RFC 3339)."),
        computed("updated_at", "Time of the last change (RFC 3339)."),
    ]);
    Schema::new(attributes).describe(
        "Manages a secret backend of your own, which stores sealed secret versions. The provider \
         seals its credentials like any secret and stores them in the catalog, never in the \
         state.\n\n\
         Credentials, description and the address of the same place change in place. A change \
         to another place replaces the backend, and fails while the backend contains secrets or \
         is the default.",
    )
}

/// Returns the schema of the identity.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([
        IdentityAttribute::optional("organization")
            .describe("Name of the organization. Default: the provider's."),
        IdentityAttribute::required("name").describe("Name of the backend."),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_accepts_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }
}
