//! The schema of `planton_default_backend`.

use crate::session::TIMEOUTS;
use planton_plugin::{Attribute, IdentityAttribute, IdentitySchema, Schema};

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("backend").required().describe(
            "The backend's name; `platform` is the built-in one. Changes in place, and moves no \
             secret.",
        ),
        Attribute::string("id")
            .computed()
            .describe("The organization."),
        TIMEOUTS.attribute(),
    ])
    .describe(
        "Chooses the backend of secrets that name none, when they are created. An organization has \
         one default: creation fails where another state has set it already, unless that is \
         imported. Destroying it makes `platform` the default again.\n\nSecrets that should go \
         to a new default need `depends_on`, so that they are created after it.",
    )
}

/// Returns what identifies an instance.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([IdentityAttribute::required("organization").describe("The organization.")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_accepts_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }
}
