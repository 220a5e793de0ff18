//! The schema of `planton_secret_backend`.

use super::blocks::block;
use crate::surface::timeouts_attribute;
use planton_core::operations::NAME_PREFIX;
use planton_plugin::{Attribute, IdentityAttribute, IdentitySchema, Schema};
use planton_vendors::BACKEND_TYPES;

/// Returns the schema.
pub(super) fn schema() -> Schema {
    let computed = |name: &str, text: &str| Attribute::string(name).computed().describe(text);
    let mut attributes = vec![
        Attribute::string("name").required().describe(
            "The backend's name: 1 to 63 characters of a-z, 0-9 and hyphen. A change replaces the \
             backend.",
        ),
        Attribute::string("description")
            .optional()
            .describe("A text for people."),
        Attribute::string("name_prefix")
            .optional_computed()
            .describe(format!(
                "What the names of its objects begin with. Default: `{NAME_PREFIX}`. A change \
                 replaces the backend."
            )),
        Attribute::string("credentials_wo_version").optional().describe(
            "Trigger of new credentials: any text. A change makes the configured credentials take \
             effect, or the vendor's own chain where none are configured. While it is unchanged, \
             the sealed credential stays, whether it is given again or not.",
        ),
        Attribute::bool("verify_connection").optional_computed().describe(
            "Whether to write, read and delete an object with a throw-away name before the backend \
             is saved, and to leave a marker by which its place is known again at another \
             address. Default: true.",
        ),
    ];
    attributes.push(
        Attribute::string("on_destroy")
            .optional_computed()
            .describe(
                "What a destroy does: `delete` deletes the backend's marker object and its record; \
         `forget` deletes its record alone, without any request to a place that is gone for good, \
         and names what may be left there. Both are refused while secrets are on the backend. \
         Default: `delete`. Must be applied before the destroy.",
            ),
    );
    attributes.extend(BACKEND_TYPES.iter().copied().map(block));
    attributes.push(timeouts_attribute());
    attributes.extend([
        computed("id", "The backend's uuid."),
        computed("type", "The type: the name of its block."),
        computed(
            "credential_source",
            "`static` where credentials are given, `ambient` where the vendor's own chain serves.",
        ),
        computed("created_at", "When it was created (RFC 3339)."),
        computed("updated_at", "When it last changed (RFC 3339)."),
    ]);
    Schema::new(attributes).describe(
        "Declares a secret backend of your own: where sealed secret versions are stored. Its \
         credentials are sealed like any secret and kept in the catalog, never in the state.\n\n\
         Credentials, description and the address of the same place change in place. Another \
         place is another backend: while this one holds secrets, or is the default, such a change \
         is refused.",
    )
}

/// Returns what identifies an instance.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([
        IdentityAttribute::optional("organization")
            .describe("The organization; the provider's own unless given."),
        IdentityAttribute::required("name").describe("The backend's name."),
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
