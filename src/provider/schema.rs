//! The schema of the provider block.

use super::bucket;
use crate::fields::{CredentialFields, field_attribute};
use crate::metadata::{MAX_LABEL_BYTES, MAX_LABELS};
use planton_plugin::{Attribute, AttributeType, Schema};
use planton_vendors::Field;
use planton_vendors::openbao::connection::PLATFORM_FIELDS;

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("organization").optional().describe(
            "Name of the organization that owns the secrets. Can also be set with \
                       `PLANTON_ORG`.",
        ),
        Attribute::object("openbao", PLATFORM_FIELDS.iter().map(connection_attribute)).optional().describe(
            "OpenBAO server that serves as the organization's platform. At most one of `openbao`, \
             `embedded` and `bucket`.",
        ),
        Attribute::object(
            "embedded",
            [Attribute::string("path").optional().describe(
                "Path of the directory. Can also be set with `PLANTON_DATA_DIR`. Default: \
                 `planton` in the user's data folder.",
            )],
        )
        .optional()
        .describe(
            "Embedded platform: a directory on this machine with the catalog, the key and the \
             sealed secrets. For evaluation, development and tests. The default if no platform \
             is configured.",
        ),
        bucket::attribute(),
        Attribute::string("organization_fingerprint").optional().describe(
            "Fingerprint of the organization: 32 lower-case hexadecimal digits, as \
             `terraform-provider-planton platform status` prints it. The provider rejects a platform \
             on which the organization has another one. Can also be set with \
             `PLANTON_ORGANIZATION_FINGERPRINT`.",
        ),
        Attribute::set("allowed_key_ids", AttributeType::String).optional().describe(
            "Identifiers of the keys that may encrypt data keys, each `<type>:<id>`, as `key_ids` of \
             `planton_secret_backend` lists them. The provider encrypts with no other key, whatever \
             the catalog says. Can also be set with `PLANTON_ALLOWED_KEY_IDS`, separated by commas. \
             Default: any key of the catalog.",
        ),
        Attribute::string("default_environment")
            .optional()
            .describe("Environment of secrets that set no `environment`."),
        Attribute::map("default_labels", AttributeType::String)
            .optional()
            .describe(format!(
                "Labels added to every secret: at most {MAX_LABELS}, each with a key and a value of at \
                 most {MAX_LABEL_BYTES} bytes. A secret's own labels take precedence. Stored in plain \
                 text in the state and the catalog, also if a value is sensitive or ephemeral."
            )),
    ])
    .describe(
        "Manages secrets. The provider seals every version on the machine that runs Terraform \
         and stores the ciphertext in a secret backend. The state never contains a value.",
    )
}

/// Turns an argument of a connection into an attribute.
fn connection_attribute(field: &Field) -> Attribute {
    field_attribute(field, CredentialFields::Sensitive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_openbao_block_has_every_described_argument() {
        let schema = format!("{:?}", schema());
        for field in &PLATFORM_FIELDS {
            assert!(schema.contains(&format!("{:?}", field.documentation())));
        }
    }

    #[test]
    fn a_host_accepts_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }
}
