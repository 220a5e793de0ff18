//! The schema of the provider block.

use planton_plugin::{Attribute, AttributeType, Schema};

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("organization").optional().describe(
            "Name of the organization that owns the secrets. Can also be set with \
                       `PLANTON_ORG`.",
        ),
        Attribute::object("openbao", openbao()).optional().describe(
            "OpenBAO server that serves as the organization's platform. At most one of `openbao` \
             and `embedded`.",
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
        Attribute::string("default_environment")
            .optional()
            .describe("Environment of secrets that set no `environment`."),
        Attribute::map("default_labels", AttributeType::String)
            .optional()
            .describe("Labels added to every secret. A secret's own labels take precedence."),
    ])
    .describe(
        "Manages secrets. The provider seals every version on the machine that runs Terraform \
         and stores the ciphertext in a secret backend. The state never contains a value.",
    )
}

fn openbao() -> Vec<Attribute> {
    let text =
        |name: &str, description: &str| Attribute::string(name).optional().describe(description);
    let mount = |default: &str| {
        text(
            "mount_path",
            &format!("Mount path of the auth method. Default: `{default}`."),
        )
    };
    vec![
        text(
            "address",
            "Address of the server, such as `https://openbao.example.com:8200`. Can \
              also be set with `PLANTON_ADDR` or `BAO_ADDR`.",
        ),
        text(
            "namespace",
            "Namespace. Can also be set with `PLANTON_NAMESPACE` or \
              `BAO_NAMESPACE`.",
        ),
        text(
            "kv_mount_path",
            "Mount path of KV version 2. Can also be set with \
              `PLANTON_KV_MOUNT_PATH`. Default: `planton`.",
        ),
        text(
            "transit_mount_path",
            "Mount path of Transit. Can also be set with \
              `PLANTON_TRANSIT_MOUNT_PATH`. Default: `transit`.",
        ),
        text(
            "ca_cert_pem",
            "CA certificates to trust instead of the system's, in PEM.",
        ),
        text(
            "ca_cert_file",
            "Path to a PEM file of CA certificates to trust instead of the \
              system's. Can also be set with `PLANTON_CACERT` or `BAO_CACERT`.",
        ),
        text(
            "client_cert_file",
            "Path to a PEM file of the client certificate. Can also be set \
              with `PLANTON_CLIENT_CERT` or `BAO_CLIENT_CERT`.",
        ),
        text(
            "client_key_file",
            "Path to a PEM file of the client certificate's private key. Can \
              also be set with `PLANTON_CLIENT_KEY` or `BAO_CLIENT_KEY`.",
        ),
        text(
            "token",
            "Token. Can also be set with `PLANTON_TOKEN` or `BAO_TOKEN`. At most one \
              of `token`, `token_file`, `approle`, `jwt` and `kubernetes`.",
        )
        .sensitive(),
        text(
            "token_file",
            "Path to a file with a token, such as an agent's sink. The provider \
              reads it again when the server denies a request.",
        ),
        Attribute::object(
            "approle",
            [
                mount("approle"),
                text("role_id", "Identifier of the role.").required(),
                text("secret_id", "Secret id of the role.")
                    .required()
                    .sensitive(),
            ],
        )
        .optional()
        .describe("Login with AppRole."),
        Attribute::object(
            "jwt",
            [
                mount("jwt"),
                text("role", "Name of the role.").required(),
                text(
                    "token",
                    "Signed token. Exactly one of `token` and `token_file`.",
                )
                .sensitive(),
                text(
                    "token_file",
                    "Path to a file with the signed token; the provider reads it \
                      at every login.",
                ),
            ],
        )
        .optional()
        .describe("Login with a signed token (JWT), such as that of a CI job."),
        Attribute::object(
            "kubernetes",
            [
                mount("kubernetes"),
                text("role", "The role.").required(),
                text(
                    "token_file",
                    "Path to a file with the service account's token. Default: \
                      that of the pod.",
                ),
            ],
        )
        .optional()
        .describe("Login with a Kubernetes service account."),
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
