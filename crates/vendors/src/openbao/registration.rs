//! The types `hashicorp_vault` and `openbao`: one protocol, two vendors.

use std::sync::Arc;

use super::client::OpenBaoAddress;
use super::settings::{VaultConfig, VaultKind};
use super::store::{ConnectOptions, OpenBaoStore};
use crate::registration::{BackendType, Field};

pub(crate) static HASHICORP_VAULT: BackendType =
    registration(VaultKind::HashiCorpVault, "HashiCorp Vault, KV version 2.");

pub(crate) static OPENBAO: BackendType =
    registration(VaultKind::OpenBao, "A self-hosted OpenBAO, KV version 2.");

const fn registration(kind: VaultKind, description: &'static str) -> BackendType {
    BackendType {
        description,
        fields: &FIELDS,
        address: "address",
        capability: OpenBaoStore::capability_of(kind),
        is_exposed: |text| OpenBaoAddress::parse(text).is_ok_and(|address| address.is_exposed()),
        check: |settings| VaultConfig::from_settings(settings).map(drop),
        open: |settings, credential, http| {
            let config = VaultConfig::from_settings(settings)?;
            let options = ConnectOptions {
                http,
                ..ConnectOptions::default()
            };
            let store = OpenBaoStore::connect(config, credential, options)?;
            Ok(Arc::new(store))
        },
    }
}

const FIELDS: [Field; 11] = [
    Field::text(
        "address",
        "The address, as `https://vault.example.com:8200`.",
    )
    .example("https://example.invalid")
    .required(),
    Field::text("namespace", "The namespace. A change replaces the backend.").replaces(),
    Field::text(
        "kv_mount_path",
        "Where KV version 2 is mounted. Default: `secret`. A change replaces the backend.",
    )
    .replaces(),
    Field::text(
        "ca_cert_pem",
        "Certificate authorities to trust instead of the system's, in PEM.",
    ),
    Field::text("ca_cert_file", "A file with them."),
    Field::text("client_cert_file", "A certificate to show, in PEM."),
    Field::text("client_key_file", "Its private key, in PEM."),
    Field::credential(
        "token_wo",
        "token",
        "A token. At most one of `token_wo`, `approle`, `jwt` and `kubernetes`; without any, the \
         token of the environment or of the command line's login serves.",
    ),
    Field::block("approle", &APPROLE, "Logs in by AppRole."),
    Field::block("jwt", &JWT, "Logs in by a signed token."),
    Field::block(
        "kubernetes",
        &KUBERNETES,
        "Logs in by a Kubernetes service account.",
    ),
];

const APPROLE: [Field; 3] = [
    Field::text(
        "mount_path",
        "Where the method is mounted. Default: `approle`.",
    ),
    Field::text("role_id", "The role's identifier.").required(),
    Field::credential("secret_id_wo", "secret_id", "Its secret."),
];

const JWT: [Field; 4] = [
    Field::text("mount_path", "Where the method is mounted. Default: `jwt`."),
    Field::text("role", "The role.").required(),
    Field::credential(
        "jwt_wo",
        "jwt",
        "The signed token. Either `jwt_wo` or `token_file`.",
    ),
    Field::text("token_file", "A file with it, read at every login."),
];

const KUBERNETES: [Field; 3] = [
    Field::text(
        "mount_path",
        "Where the method is mounted. Default: `kubernetes`.",
    ),
    Field::text("role", "The role.").required(),
    Field::text(
        "token_file",
        "The service account's token. Default: the pod's own.",
    ),
];
