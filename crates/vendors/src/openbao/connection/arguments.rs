//! The arguments of a connection to OpenBAO or HashiCorp Vault, each described once.
//!
//! The provider block and the backend blocks derive their schema, defaults, environment
//! variables and validation from this table. Where the blocks differ, the entry says so.

use super::argument::{Argument, ConnectionBlock, Form, LoginArguments, count, fields};
use crate::openbao::client::DEFAULT_KUBERNETES_TOKEN_FILE;
use crate::openbao::kind::VaultKind;
use crate::registration::Field;

const PLATFORM: ConnectionBlock = ConnectionBlock::Platform;
const OPENBAO: ConnectionBlock = ConnectionBlock::Backend(VaultKind::OpenBao);
const KEY: ConnectionBlock = ConnectionBlock::Key;
const VAULT: ConnectionBlock = ConnectionBlock::Backend(VaultKind::HashiCorpVault);

/// The arguments of `openbao` in the provider block.
pub static PLATFORM_FIELDS: [Field; count(&CONNECTION, PLATFORM)] = fields(&CONNECTION, PLATFORM);

/// The arguments of the backend `openbao`.
pub(crate) static OPENBAO_FIELDS: [Field; count(&CONNECTION, OPENBAO)] =
    fields(&CONNECTION, OPENBAO);

/// The arguments of the backend `hashicorp_vault`.
pub(crate) static VAULT_FIELDS: [Field; count(&CONNECTION, VAULT)] = fields(&CONNECTION, VAULT);

/// The arguments of the key type `vault_transit`.
pub(crate) static TRANSIT_KEY_FIELDS: [Field; count(&CONNECTION, KEY)] = fields(&CONNECTION, KEY);

pub(super) const CONNECTION: [Argument; 16] = [
    Argument::new(
        Form::Address,
        Field::text(
            "address",
            "URL of the server, such as `https://vault.example.com:8200`.",
        )
        .example("https://example.invalid"),
    )
    .variables(&["PLANTON_ADDR", "BAO_ADDR"])
    .required_in_backend(),
    Argument::new(
        Form::Namespace,
        Field::text(
            "namespace",
            "Namespace that contains the mounts and the auth methods, such as `team/a`. Without \
             it, the root namespace.",
        ),
    )
    .variables(&["PLANTON_NAMESPACE", "BAO_NAMESPACE"])
    .replaces_backend(),
    Argument::new(
        Form::Mount,
        Field::text(
            "kv_mount_path",
            "Mount path of the KV version 2 secrets engine.",
        ),
    )
    .variables(&["PLANTON_KV_MOUNT_PATH"])
    .defaults("planton", "secret")
    .replaces_backend()
    .not_in_key(),
    Argument::new(
        Form::Mount,
        Field::text(
            "transit_mount_path",
            "Mount path of the Transit secrets engine.",
        )
        .default("transit"),
    )
    .variables(&["PLANTON_TRANSIT_MOUNT_PATH"])
    .only_in_platform(),
    Argument::new(
        Form::Mount,
        Field::text("mount_path", "Mount path of the Transit secrets engine.").default("transit"),
    )
    .only_in_key(),
    Argument::new(
        Form::Key,
        Field::text(
            "key_name",
            "Name of the Transit key: of type `aes256-gcm96`, derived, neither convergent nor \
             exportable.",
        )
        .required(),
    )
    .only_in_key(),
    Argument::new(
        Form::Period,
        Field::text(
            "key_rotation_period",
            "Period after which the server rotates a Transit key that the provider creates, such \
             as `90d` or `2160h`. At least `1h`; `0` disables rotation. A change does not affect \
             existing keys.",
        )
        .default("90d"),
    )
    .variables(&["PLANTON_KEY_ROTATION_PERIOD"])
    .only_in_platform(),
    Argument::new(
        Form::Certificates,
        Field::text(
            "ca_cert_pem",
            "PEM-encoded CA certificates to trust instead of the system's. Conflicts with \
             `ca_cert_file`.",
        ),
    ),
    Argument::new(
        Form::Path,
        Field::text(
            "ca_cert_file",
            "Path to a PEM file of CA certificates to trust instead of the system's. Conflicts \
             with `ca_cert_pem`.",
        ),
    )
    .variables(&["PLANTON_CACERT", "BAO_CACERT"]),
    Argument::new(
        Form::Path,
        Field::text(
            "client_cert_file",
            "Path to a PEM file of the client certificate for mutual TLS. Requires \
             `client_key_file`.",
        ),
    )
    .variables(&["PLANTON_CLIENT_CERT", "BAO_CLIENT_CERT"]),
    Argument::new(
        Form::Path,
        Field::text(
            "client_key_file",
            "Path to a PEM file of the private key for mutual TLS. Requires `client_cert_file`.",
        ),
    )
    .variables(&["PLANTON_CLIENT_KEY", "BAO_CLIENT_KEY"]),
    Argument::new(
        Form::Secret,
        Field::text(
            "token",
            "Token to authenticate with. Conflicts with all other logins.",
        ),
    )
    .credential("token_wo", "token")
    .variables(&["PLANTON_TOKEN", "BAO_TOKEN"])
    .backend_variables(&["BAO_TOKEN"], &["VAULT_TOKEN"]),
    Argument::new(
        Form::Path,
        Field::text(
            "token_file",
            "Path to a file with a token, such as the sink of an agent. The provider reads it \
             again when the server denies a request. Conflicts with all other logins.",
        ),
    )
    .variables(&["PLANTON_TOKEN_FILE"])
    .only_in_platform(),
    Argument::new(
        Form::Login(&APPROLE),
        Field::text(
            "approle",
            "Login with the AppRole auth method. Conflicts with all other logins.",
        ),
    ),
    Argument::new(
        Form::Login(&JWT),
        Field::text(
            "jwt",
            "Login with the JWT auth method, such as with the identity token of a CI job. \
             Conflicts with all other logins.",
        ),
    ),
    Argument::new(
        Form::Login(&KUBERNETES),
        Field::text(
            "kubernetes",
            "Login with the Kubernetes auth method and the token of a service account. Conflicts \
             with all other logins.",
        ),
    ),
];

const fn auth_mount(default: &'static str) -> Argument {
    Argument::new(
        Form::Mount,
        Field::text("mount_path", "Mount path of the auth method.").default(default),
    )
}

const ROLE: Argument = Argument::new(
    Form::Text,
    Field::text("role", "Name of the role to log in as.").required(),
);

/// <https://openbao.org/api-docs/auth/approle/>
const APPROLE_ARGUMENTS: [Argument; 3] = [
    auth_mount("approle"),
    Argument::new(
        Form::Text,
        Field::text("role_id", "Role ID of the AppRole.").required(),
    ),
    Argument::new(
        Form::Secret,
        Field::text("secret_id", "Secret ID of the AppRole.").required(),
    )
    .credential("secret_id_wo", "secret_id"),
];

/// <https://openbao.org/api-docs/auth/jwt/>
const JWT_ARGUMENTS: [Argument; 4] = [
    auth_mount("jwt"),
    ROLE,
    Argument::new(
        Form::Secret,
        Field::text(
            "token",
            "JSON Web Token to log in with. Conflicts with `token_file`.",
        ),
    )
    .credential("jwt_wo", "jwt"),
    Argument::new(
        Form::Path,
        Field::text(
            "token_file",
            "Path to a file with the JSON Web Token, which the provider reads at every login.",
        ),
    ),
];

/// <https://openbao.org/api-docs/auth/kubernetes/>
const KUBERNETES_ARGUMENTS: [Argument; 3] = [
    auth_mount("kubernetes"),
    ROLE,
    Argument::new(
        Form::Path,
        Field::text(
            "token_file",
            "Path to a file with the service account's token, which the provider reads at every \
             login.",
        )
        .default(DEFAULT_KUBERNETES_TOKEN_FILE),
    ),
];

const APPROLE: LoginArguments = LoginArguments {
    arguments: &APPROLE_ARGUMENTS,
    in_platform: &fields::<{ count(&APPROLE_ARGUMENTS, PLATFORM) }>(&APPROLE_ARGUMENTS, PLATFORM),
    in_backend: &fields::<{ count(&APPROLE_ARGUMENTS, OPENBAO) }>(&APPROLE_ARGUMENTS, OPENBAO),
};

const JWT: LoginArguments = LoginArguments {
    arguments: &JWT_ARGUMENTS,
    in_platform: &fields::<{ count(&JWT_ARGUMENTS, PLATFORM) }>(&JWT_ARGUMENTS, PLATFORM),
    in_backend: &fields::<{ count(&JWT_ARGUMENTS, OPENBAO) }>(&JWT_ARGUMENTS, OPENBAO),
};

const KUBERNETES: LoginArguments = LoginArguments {
    arguments: &KUBERNETES_ARGUMENTS,
    in_platform: &fields::<{ count(&KUBERNETES_ARGUMENTS, PLATFORM) }>(
        &KUBERNETES_ARGUMENTS,
        PLATFORM,
    ),
    in_backend: &fields::<{ count(&KUBERNETES_ARGUMENTS, OPENBAO) }>(
        &KUBERNETES_ARGUMENTS,
        OPENBAO,
    ),
};
