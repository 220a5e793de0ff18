//! The schema of `planton_default_backend`.

use crate::session::TIMEOUTS;
use planton_plugin::{Attribute, IdentityAttribute, IdentitySchema, Schema};

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("backend").required().describe(
            "Name of the default backend; `platform` is the built-in one. A change takes effect in \
             place and moves no secret.",
        ),
        Attribute::string("id")
            .computed()
            .describe("Name of the organization."),
        TIMEOUTS.attribute(),
    ])
    .describe(
        "Sets the default backend of an organization, which stores new secrets that set no \
         `backend`. An organization has one default backend. If another state has set it, \
         creation fails: import it instead. A destroy makes `platform` the default again.\n\nA \
         secret that belongs on a new default needs `depends_on`, so that Terraform creates it \
         after the change.",
    )
}

/// Returns the schema of the identity.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([
        IdentityAttribute::required("organization").describe("Name of the organization.")
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
