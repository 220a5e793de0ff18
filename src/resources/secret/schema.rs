//! The schema of `planton_secret`.

use crate::metadata::{MAX_DESCRIPTION_BYTES, MAX_LABEL_BYTES, MAX_LABELS};
use crate::session::TIMEOUTS;
use planton_core::operations::MAX_GENERATED_LENGTH;
use planton_plugin::{Attribute, AttributeType, IdentityAttribute, IdentitySchema, Schema};

/// Default number of versions to keep.
pub(super) const DEFAULT_KEEP_VERSIONS: u32 = 10;

/// Returns the schema.
pub(super) fn schema() -> Schema {
    let mut attributes = identity_attributes();
    attributes.extend(value_attributes());
    attributes.extend(lifecycle_attributes());
    attributes.extend(computed_attributes());
    Schema::new(attributes).describe(
        "Manages a secret. The provider seals its value on the machine that runs Terraform and \
         stores the ciphertext in a secret backend. Neither the state nor the backend ever \
         contains the plaintext.\n\n\
         Give the value with `value_wo` (text), `data_wo` (several values) or `generate`, and \
         change `value_wo_version` to write a new version. Without `value_wo_version`, each plan \
         compares the value with a keyed fingerprint of the current version, and plans a new \
         version if they differ.\n\n\
         The data source of the same name has more about a secret: its kind, the identifiers of \
         its current version and key, and the times of its creation and last change. The \
         function `secret_ref` returns its reference for other tools.",
    )
}

/// Returns the schema of the identity.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([
        IdentityAttribute::optional("organization")
            .describe("Name of the organization. Default: the provider's."),
        IdentityAttribute::optional("environment")
            .describe("Name of the environment; null for a secret of organization scope."),
        IdentityAttribute::required("name").describe("Name of the secret."),
    ])
}

fn identity_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("name").required().describe(
            "Name of the secret: 1 to 63 characters of a-z, 0-9 and hyphen. A change replaces \
             the secret.",
        ),
        Attribute::string("environment")
            .optional_computed()
            .describe(
                "Environment of the secret. Default: the provider's `default_environment`; \
                 without one, the secret has organization scope. A change replaces the secret.",
            ),
        Attribute::string("description")
            .optional()
            .describe(format!(
                "Human-readable description, at most {MAX_DESCRIPTION_BYTES} bytes."
            )),
        Attribute::map("labels", AttributeType::String)
            .optional()
            .describe(format!(
                "Human-readable labels: at most {MAX_LABELS}, each with a key and a value of at most \
                 {MAX_LABEL_BYTES} bytes. Stored in plain text in the state and the catalog."
            )),
        Attribute::string("backend").optional_computed().describe(
            "Name of the secret backend; `platform` is the built-in one. Default: the default \
             backend at the time of creation. A change replaces the secret.",
        ),
    ]
}

fn value_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("value_wo")
            .optional()
            .write_only()
            .describe(
                "Value of the secret, as text. Take it from an ephemeral variable or an \
                 ephemeral resource: Terraform writes literals into its plan file. At most one \
                 of `value_wo`, `data_wo`, `generate` and `copy_from`.",
            ),
        Attribute::map("data_wo", AttributeType::String)
            .optional()
            .write_only()
            .describe("Values of a key-value secret, by key. Take them from an ephemeral source, as for `value_wo`."),
        Attribute::object("generate", generate_attributes())
            .optional()
            .describe(
                "Parameters of a random text value that the provider generates. A change takes \
                 effect when `value_wo_version` changes.",
            ),
        Attribute::object(
            "copy_from",
            [
                Attribute::string("backend")
                    .required()
                    .describe("Name of the secret backend to copy from; not `platform`."),
                Attribute::string("remote_name")
                    .required()
                    .describe("Name of the object in that backend."),
                Attribute::bool("delete_source")
                    .optional_computed()
                    .describe("Whether to delete the object after it is copied. Default: false."),
            ],
        )
        .optional()
        .describe(
            "Plaintext object of a backend to copy the value from, such as one that the vendor's \
             own tools wrote. The provider seals the copy. An object of AWS, GCP or Azure \
             becomes a text secret, one of KV version 2 a key-value secret. The provider reads \
             it when the secret is created, and again when `value_wo_version` changes.",
        ),
        Attribute::string("value_wo_version").optional().describe(
            "Trigger of a new version: any text. A change writes a version, whichever argument \
             the value comes from. If it is set, a plan needs no access to the encryption key.",
        ),
    ]
}

fn generate_attributes() -> Vec<Attribute> {
    let class = |name: &str, which: &str| {
        Attribute::bool(name)
            .optional_computed()
            .describe(format!("Whether {which} may occur. Default: true."))
    };
    let minimum = |name: &str, which: &str| {
        Attribute::number(name)
            .optional_computed()
            .describe(format!("Minimum number of {which}. Default: 0."))
    };
    vec![
        Attribute::number("length")
            .optional_computed()
            .describe(format!(
                "Length in characters, 1 to {MAX_GENERATED_LENGTH}. Default: 32."
            )),
        class("lower", "lower-case letters"),
        class("upper", "upper-case letters"),
        class("numeric", "digits"),
        class("special", "special characters"),
        Attribute::string("override_special")
            .optional()
            .describe("Special characters to choose from, instead of `!@#$%&*()-_=+[]{}<>:?`."),
        minimum("min_lower", "lower-case letters"),
        minimum("min_upper", "upper-case letters"),
        minimum("min_numeric", "digits"),
        minimum("min_special", "special characters"),
    ]
}

fn lifecycle_attributes() -> Vec<Attribute> {
    vec![
        Attribute::bool("deletion_protection").optional_computed().describe(
            "Whether every destroy and replacement of the secret fails. To destroy it, set this to \
             false and apply that first. `-replace` and `replace_triggered_by` fail in the plan. The \
             replacement of a tainted secret fails in the apply; `terraform untaint` keeps the \
             secret. Default: false.",
        ),
        Attribute::string("on_destroy").optional_computed().describe(
            "Effect of a destroy. `delete` deletes the secret with all its versions. `retain` \
             removes the secret from the state only: it stays readable and importable under its \
             name, and cannot be replaced. `forget` deletes its record without a request to its \
             backend, for a backend that is gone for good; sealed objects may remain there. \
             Default: `delete`.",
        ),
        Attribute::number("keep_versions").optional_computed().describe(format!(
            "Number of versions to keep, from 1 to 1000. Default: {DEFAULT_KEEP_VERSIONS}. A lower \
             number removes the oldest ones in the same apply. Backends that cannot delete a \
             single version keep their sealed data until the secret is deleted."
        )),
        Attribute::string("takes_over").optional().describe(
            "`id` of the secret of the same name that this one replaces. Required for a replacement \
             that keeps the name under `create_before_destroy`, before Terraform 1.16 and for a \
             tainted secret: there, Terraform does not pass the `id` of the replaced secret to the \
             creation. The replaced secret stays readable by its `id` until it is destroyed. \
             Afterwards, the argument has no effect.",
        ),
        TIMEOUTS.attribute(),
    ]
}

fn computed_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("id")
            .computed()
            .describe("UUID of the secret."),
        Attribute::map("labels_all", AttributeType::String)
            .computed()
            .describe("`labels` merged over the provider's `default_labels`. Shown in plain text, \
                 also if a label is sensitive."),
        Attribute::number("version").computed().describe(
            "Number of the current version, counted from 1 for each secret. A replacement starts \
             at 1 again, so set a consumer's `…_wo_version` to `revision` instead.",
        ),
        Attribute::number("revision").computed().describe(
            "Number that increases with every new version and every replacement of the secret, even \
             under another name: the time of the write in milliseconds since 1970. Set a \
             consumer's `…_wo_version` to it. As a timestamp: \
             `timeadd(\"1970-01-01T00:00:00Z\", \"${planton_secret.db.revision}ms\")`.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_accepts_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }
}
