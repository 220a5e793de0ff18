//! The blocks of `planton_secret_backend`, one for each type, as a table: the
//! schema, the settings and the plan all follow it.

use planton_plugin::{Attribute, AttributeType};

/// What a change of an attribute does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It happens in place.
    InPlace,
    /// Another place of storage: a new backend.
    Replaces,
    /// Nothing by itself: new credentials wait for their trigger.
    Credential(&'static str),
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    Text,
    Flag,
    Number,
    Texts,
    Block(&'static [Field]),
}

/// An attribute of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) holds: Holds,
    pub(super) change: Change,
    pub(super) required: bool,
    description: &'static str,
}

/// A type of backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The block's name, and the type's.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    description: &'static str,
}

const fn text(name: &'static str, description: &'static str) -> Field {
    Field {
        name,
        holds: Holds::Text,
        change: Change::InPlace,
        required: false,
        description,
    }
}

const fn flag(name: &'static str, description: &'static str) -> Field {
    Field {
        holds: Holds::Flag,
        ..text(name, description)
    }
}

const fn block(name: &'static str, fields: &'static [Field], description: &'static str) -> Field {
    Field {
        holds: Holds::Block(fields),
        ..text(name, description)
    }
}

/// A write-only attribute, and the credential's part that it gives.
const fn credential(name: &'static str, part: &'static str, description: &'static str) -> Field {
    Field {
        change: Change::Credential(part),
        ..text(name, description)
    }
}

impl Field {
    const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    const fn replaces(self) -> Self {
        Self {
            change: Change::Replaces,
            ..self
        }
    }

    fn attribute(&self) -> Attribute {
        let attribute = match self.holds {
            Holds::Text => Attribute::string(self.name),
            Holds::Flag => Attribute::bool(self.name),
            Holds::Number => Attribute::number(self.name),
            Holds::Texts => Attribute::set(self.name, AttributeType::String),
            Holds::Block(fields) => {
                Attribute::object(self.name, fields.iter().map(Self::attribute))
            }
        };
        let attribute = if self.required {
            attribute.required()
        } else {
            attribute.optional()
        };
        let attribute = attribute.describe(self.description);
        match self.change {
            Change::Credential(_) => attribute.write_only(),
            Change::InPlace | Change::Replaces => attribute,
        }
    }
}

impl Block {
    /// Returns the block as an attribute of the resource.
    pub(super) fn attribute(&self) -> Attribute {
        Attribute::object(self.name, self.fields.iter().map(Field::attribute))
            .optional()
            .describe(self.description)
    }

    /// Returns the attribute that says where the same place is reached.
    pub(super) fn location(&self) -> &'static str {
        let names = ["address", "endpoint", "vault_url"];
        let found = self.fields.iter().map(|field| field.name);
        let mut found = found.filter(|name| names.contains(name));
        found.next().unwrap_or_default()
    }

    /// Returns the block of a type.
    pub(super) fn of(kind: &str) -> Option<&'static Self> {
        BLOCKS.iter().find(|block| block.name == kind)
    }
}

/// All types.
pub(super) const BLOCKS: [Block; 5] = [
    Block {
        name: "aws_secrets_manager",
        fields: &AWS,
        description: "AWS Secrets Manager. Exactly one of these blocks.",
    },
    Block {
        name: "gcp_secret_manager",
        fields: &GCP,
        description: "GCP Secret Manager.",
    },
    Block {
        name: "azure_key_vault",
        fields: &AZURE,
        description: "Azure Key Vault.",
    },
    Block {
        name: "hashicorp_vault",
        fields: &VAULT,
        description: "HashiCorp Vault, KV version 2.",
    },
    Block {
        name: "openbao",
        fields: &VAULT,
        description: "A self-hosted OpenBAO, KV version 2.",
    },
];

const AWS: [Field; 10] = [
    text(
        "region",
        "The region. Without it, the one that the environment or the profile names. A change \
         replaces the backend.",
    )
    .replaces(),
    text(
        "access_key_id",
        "The access key; goes with `secret_access_key_wo`.",
    ),
    credential(
        "secret_access_key_wo",
        "secret_access_key",
        "The secret access key. Without it, AWS's default credential chain serves.",
    ),
    credential(
        "session_token_wo",
        "session_token",
        "The session token of temporary credentials.",
    ),
    text(
        "assume_role_arn",
        "A role to assume, from whichever credentials.",
    ),
    text("external_id", "The external id to assume it with."),
    text("profile", "A profile of the shared files."),
    text(
        "endpoint",
        "Another endpoint: a private one, or an emulator's.",
    ),
    text(
        "at_rest_kms_key_id",
        "The KMS key under which AWS stores what it is given, which is sealed already.",
    ),
    Field {
        holds: Holds::Number,
        ..text(
            "recovery_window_days",
            "How long AWS keeps a deleted secret: 7 to 30 days, or 0 for not at all. Default: \
             AWS's own, 30.",
        )
    },
];

const GCP: [Field; 5] = [
    text("project_id", "The project. A change replaces the backend.")
        .required()
        .replaces(),
    credential(
        "service_account_key_json_wo",
        "service_account_key_json",
        "A service account's key, as JSON. Without it, Application Default Credentials serve.",
    ),
    text(
        "impersonate_service_account",
        "A service account to impersonate, by its e-mail address.",
    ),
    text(
        "endpoint",
        "Another endpoint: a private one, or an emulator's.",
    ),
    Field {
        holds: Holds::Texts,
        ..text(
            "replica_locations",
            "Where GCP replicates. Default: automatic. A change replaces the backend.",
        )
        .replaces()
    },
];

const AZURE: [Field; 9] = [
    text(
        "vault_url",
        "The vault, as `https://example.vault.azure.net`.",
    )
    .required(),
    text("tenant_id", "The tenant."),
    text("client_id", "The application, or the managed identity."),
    credential(
        "client_secret_wo",
        "client_secret",
        "The application's secret. Without it, the ambient chain serves, or what one of the \
         `use_…` arguments names.",
    ),
    flag(
        "use_msi",
        "Whether to use a managed identity, and nothing else.",
    ),
    flag(
        "use_cli",
        "Whether to use the Azure CLI's login, and nothing else.",
    ),
    flag(
        "use_oidc",
        "Whether to use workload identity federation, and nothing else.",
    ),
    text(
        "authority_host",
        "Another authority, for sovereign and private clouds.",
    ),
    flag(
        "purge_on_destroy",
        "Whether to purge what was deleted. Needs the Purge permission. Default: false.",
    ),
];

const VAULT: [Field; 11] = [
    text(
        "address",
        "The address, as `https://vault.example.com:8200`.",
    )
    .required(),
    text("namespace", "The namespace. A change replaces the backend.").replaces(),
    text(
        "kv_mount_path",
        "Where KV version 2 is mounted. Default: `secret`. A change replaces the backend.",
    )
    .replaces(),
    text(
        "ca_cert_pem",
        "Certificate authorities to trust instead of the system's, in PEM.",
    ),
    text("ca_cert_file", "A file with them."),
    text("client_cert_file", "A certificate to show, in PEM."),
    text("client_key_file", "Its private key, in PEM."),
    credential(
        "token_wo",
        "token",
        "A token. At most one of `token_wo`, `approle`, `jwt` and `kubernetes`; without any, the \
         token of the environment or of the command line's login serves.",
    ),
    block("approle", &APPROLE, "Logs in by AppRole."),
    block("jwt", &JWT, "Logs in by a signed token."),
    block(
        "kubernetes",
        &KUBERNETES,
        "Logs in by a Kubernetes service account.",
    ),
];

const APPROLE: [Field; 3] = [
    text(
        "mount_path",
        "Where the method is mounted. Default: `approle`.",
    ),
    text("role_id", "The role's identifier.").required(),
    credential("secret_id_wo", "secret_id", "Its secret."),
];

const JWT: [Field; 4] = [
    text("mount_path", "Where the method is mounted. Default: `jwt`."),
    text("role", "The role.").required(),
    credential(
        "jwt_wo",
        "jwt",
        "The signed token. Either `jwt_wo` or `token_file`.",
    ),
    text("token_file", "A file with it, read at every login."),
];

const KUBERNETES: [Field; 3] = [
    text(
        "mount_path",
        "Where the method is mounted. Default: `kubernetes`.",
    ),
    text("role", "The role.").required(),
    text(
        "token_file",
        "The service account's token. Default: the pod's own.",
    ),
];
