//! The schema of `planton_secret`.

use crate::surface::timeouts_attribute;
use planton_core::operations::MAX_GENERATED_LENGTH;
use planton_plugin::{Attribute, AttributeType, IdentityAttribute, IdentitySchema, Schema};

/// How many versions stay unless configured otherwise.
pub(super) const DEFAULT_KEEP_VERSIONS: u32 = 10;

/// Returns the schema.
pub(super) fn schema() -> Schema {
    let mut attributes = identity_attributes();
    attributes.extend(value_attributes());
    attributes.extend(lifecycle_attributes());
    attributes.extend(computed_attributes());
    Schema::new(attributes).describe(
        "Keeps a secret. Its value is sealed on the machine that runs Terraform and stored in a \
         secret backend; neither the state nor the backend ever holds the plaintext.\n\n\
         Give the value with `value_wo` (text), `data_wo` (several values) or `generate`, and \
         change `value_wo_version` to write a new version. Without `value_wo_version` a plan \
         compares the value with a keyed fingerprint, and a new version is written when it \
         differs.",
    )
}

/// Returns what identifies an instance.
pub(super) fn identity_schema() -> IdentitySchema {
    IdentitySchema::new([
        IdentityAttribute::optional("organization")
            .describe("The organization; the provider's own unless given."),
        IdentityAttribute::optional("environment")
            .describe("The environment; none for a secret of organization scope."),
        IdentityAttribute::required("name").describe("The secret's name."),
    ])
}

fn identity_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("name").required().describe(
            "The secret's name: 1 to 63 characters of a-z, 0-9 and hyphen. A change replaces the \
             secret.",
        ),
        Attribute::string("environment")
            .optional_computed()
            .describe(
                "The environment that the secret belongs to; without it, the provider's \
             `default_environment`, or else organization scope. A change replaces the secret.",
            ),
        Attribute::string("description")
            .optional()
            .describe("A text for people."),
        Attribute::map("labels", AttributeType::String)
            .optional()
            .describe("Labels for people."),
        Attribute::string("backend").optional_computed().describe(
            "The secret backend's name; without it, the default backend in force when the secret \
             is created. `platform` is the built-in one. A secret never moves: a change replaces \
             it.",
        ),
    ]
}

fn value_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("value_wo")
            .optional()
            .write_only()
            .describe(
                "The value, as text. Give it from an ephemeral variable or an ephemeral resource: \
             Terraform itself writes literals into its plan file. At most one of `value_wo`, \
             `data_wo`, `generate` and `copy_from`.",
            ),
        Attribute::map("data_wo", AttributeType::String)
            .optional()
            .write_only()
            .describe("Several values under one name."),
        Attribute::object("generate", generate_attributes())
            .optional()
            .describe(
                "Generates a text value that nobody has to know. A change of its parameters takes \
             effect when `value_wo_version` changes.",
            ),
        Attribute::object(
            "copy_from",
            [
                Attribute::string("backend")
                    .required()
                    .describe("The secret backend's name: one of your own."),
                Attribute::string("remote_name")
                    .required()
                    .describe("The object's name there."),
                Attribute::bool("delete_source")
                    .optional_computed()
                    .describe("Whether to delete the object once it is copied. Default: false."),
            ],
        )
        .optional()
        .describe(
            "Copies what somebody else keeps in a backend, in plaintext, as the vendor's own tools \
             write it; sealed from then on. From AWS, GCP and Azure it is text; from KV version 2 \
             key-value. It is read when the secret is created, and again when `value_wo_version` \
             changes.",
        ),
        Attribute::string("value_wo_version").optional().describe(
            "Change it to write a new version, whichever source the value comes from. Any text \
             will do. With it set, a plan needs no access to the encryption key.",
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
            .describe(format!("The least number of {which}. Default: 0."))
    };
    vec![
        Attribute::number("length")
            .optional_computed()
            .describe(format!(
                "The length in characters, 1 to {MAX_GENERATED_LENGTH}. Default: 32."
            )),
        class("lower", "lower-case letters"),
        class("upper", "upper-case letters"),
        class("numeric", "digits"),
        class("special", "special characters"),
        Attribute::string("override_special")
            .optional()
            .describe("The special characters to choose from, instead of `!@#$%&*()-_=+[]{}<>:?`."),
        minimum("min_lower", "lower-case letters"),
        minimum("min_upper", "upper-case letters"),
        minimum("min_numeric", "digits"),
        minimum("min_special", "special characters"),
    ]
}

fn lifecycle_attributes() -> Vec<Attribute> {
    vec![
        Attribute::bool("deletion_protection").optional_computed().describe(
            "Whether to refuse to destroy or replace the secret, until an apply of its own switches \
             this off. A plan refuses `-replace` and `replace_triggered_by` as well; a tainted secret \
             is refused in the apply, and `terraform untaint` keeps it. Default: false.",
        ),
        Attribute::string("on_destroy").optional_computed().describe(
            "What destroying the resource does. `delete` removes the secret with all its versions. \
             `retain` only removes it from the state: it stays readable and importable, and keeps \
             its name, so it is not replaced. `forget` removes its record without asking its \
             backend, for a backend that is gone for good; sealed objects may be left there. \
             Default: `delete`.",
        ),
        Attribute::number("keep_versions").optional_computed().describe(format!(
            "How many versions stay, 1 or more. Default: {DEFAULT_KEEP_VERSIONS}."
        )),
        Attribute::string("takes_over").optional().describe(
            "The `id` of a secret of the same name that this one takes the place of. Needed before \
             Terraform 1.16 where a replacement under `create_before_destroy` keeps the name, and \
             in every version where the replaced secret is tainted: Terraform does not tell that \
             creation what it replaces. That secret stays readable by its `id` until it is \
             destroyed. Remove the argument afterwards, or leave it: it has no further effect.",
        ),
        timeouts_attribute(),
    ]
}

fn computed_attributes() -> Vec<Attribute> {
    vec![
        Attribute::string("id")
            .computed()
            .describe("The secret's uuid."),
        Attribute::map("labels_all", AttributeType::String)
            .computed()
            .describe("The labels together with the provider's `default_labels`."),
        Attribute::string("kind")
            .computed()
            .describe("`text` or `key_value`."),
        Attribute::number("version").computed().describe(
            "Number of the current version, counted from 1 for each secret. A replacement starts \
             at 1 again: wire a consumer's `…_wo_version` to `revision` instead.",
        ),
        Attribute::number("revision").computed().describe(
            "Number that grows with every version written and with every replacement of the \
             secret, even under another name: the time of the write in milliseconds since 1970. \
             Wire a consumer's own `…_wo_version` to it.",
        ),
        Attribute::string("backend_version_id")
            .computed()
            .describe("The current version's identifier in the backend."),
        Attribute::string("kek_id")
            .computed()
            .describe("The key encryption key that the current version is sealed under."),
        Attribute::string("reference").computed().describe(
            "How others refer to the secret: `$secret/<name>` or `$secret/@<environment>/<name>`.",
        ),
        Attribute::string("created_at")
            .computed()
            .describe("When it was created (RFC 3339)."),
        Attribute::string("updated_at")
            .computed()
            .describe("When its value or metadata last changed (RFC 3339)."),
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
