//! The schema of `planton_default_backend`.

use crate::session::TIMEOUTS;
use planton_plugin::{Attribute, IdentityAttribute, IdentitySchema, Schema};

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("backend").required().describe(
            "Name of the default backend; `platform` is the built-in one. A change happens in \
             place, and moves no secret.",
        ),
        Attribute::string("id")
            .computed()
            .describe("Name of the organization."),
        TIMEOUTS.attribute(),
    ])
    .describe(
        "Sets the backend of new secrets that name none. An organization has one default \
         backend: creation fails if another state has set it already. Import that one instead. A \
         destroy makes `platform` the default again.\n\nA secret that is to use a new default \
         needs `depends_on`, so that Terraform creates it after the change.",
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
