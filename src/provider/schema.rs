//! The schema of the provider block.

use planton_plugin::{Attribute, AttributeType, Schema};

/// Returns the schema.
pub(super) fn schema() -> Schema {
    Schema::new([
        Attribute::string("organization")
            .optional()
            .describe("The organization that owns the secrets. Or the variable `PLANTON_ORG`."),
        Attribute::object("openbao", openbao()).optional().describe(
            "The organization's platform: an OpenBAO. At most one of `openbao` and `embedded`.",
        ),
        Attribute::object(
            "embedded",
            [Attribute::string("path").optional().describe(
                "The directory. Or the variable `PLANTON_DATA_DIR`; otherwise `planton` in the \
                 user's data folder.",
            )],
        )
        .optional()
        .describe(
            "The embedded platform: a directory on this machine that holds catalog, key and \
             sealed secrets. For trying out, for development and for tests. It serves as well \
             where nothing is configured.",
        ),
        Attribute::string("default_environment")
            .optional()
            .describe("The environment of secrets that name none."),
        Attribute::map("default_labels", AttributeType::String)
            .optional()
            .describe("Labels that every secret gets; its own win."),
    ])
    .describe(
        "Keeps secrets: seals every version on the machine that runs Terraform, and stores it in \
         a secret backend. No value is ever in the state.",
    )
}

fn openbao() -> Vec<Attribute> {
    let text =
        |name: &str, description: &str| Attribute::string(name).optional().describe(description);
    let mount = |default: &str| {
        text(
            "mount_path",
            &format!("Where the method is mounted. Default: `{default}`."),
        )
    };
    vec![
        text("address", "The address, as `https://openbao.example.com:8200`. Or `PLANTON_ADDR`, or `BAO_ADDR`."),
        text("namespace", "The namespace. Or `PLANTON_NAMESPACE`, or `BAO_NAMESPACE`."),
        text("kv_mount_path", "Mount path of KV version 2. Or `PLANTON_KV_MOUNT_PATH`. Default: `planton`."),
        text("transit_mount_path", "Mount path of Transit. Or `PLANTON_TRANSIT_MOUNT_PATH`. Default: `transit`."),
        text("ca_cert_pem", "Certificate authorities to trust instead of the system's, in PEM."),
        text("ca_cert_file", "A file with them. Or `PLANTON_CACERT`, or `BAO_CACERT`."),
        text("client_cert_file", "A certificate to show, in PEM. Or `BAO_CLIENT_CERT`."),
        text("client_key_file", "Its private key, in PEM. Or `BAO_CLIENT_KEY`."),
        text("token", "A token. Or `PLANTON_TOKEN`, or `BAO_TOKEN`. One of `token`, `token_file`, `approle`, `jwt` and `kubernetes`.").sensitive(),
        text("token_file", "A file with a token, as an agent keeps it; read again when a request is denied."),
        Attribute::object(
            "approle",
            [
                mount("approle"),
                text("role_id", "The role's identifier.").required(),
                text("secret_id", "Its secret.").required().sensitive(),
            ],
        )
        .optional()
        .describe("Logs in by AppRole."),
        Attribute::object(
            "jwt",
            [
                mount("jwt"),
                text("role", "The role.").required(),
                text("token", "The signed token. Either `token` or `token_file`.").sensitive(),
                text("token_file", "A file with it, read at every login."),
            ],
        )
        .optional()
        .describe("Logs in by a signed token, as pipelines have one."),
        Attribute::object(
            "kubernetes",
            [
                mount("kubernetes"),
                text("role", "The role.").required(),
                text("token_file", "The service account's token. Default: the pod's own."),
            ],
        )
        .optional()
        .describe("Logs in by a Kubernetes service account."),
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
