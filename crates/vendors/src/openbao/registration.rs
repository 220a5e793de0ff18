//! The backend types `hashicorp_vault` and `openbao`: one API, two vendors.

use std::sync::Arc;

use super::client::OpenBaoAddress;
use super::connection::{OPENBAO_FIELDS, VAULT_FIELDS};
use super::kind::VaultKind;
use super::settings::VaultConfig;
use super::store::{ConnectOptions, OpenBaoStore};
use crate::registration::{BackendType, Field};

pub(crate) static HASHICORP_VAULT: BackendType = registration(
    VaultKind::HashiCorpVault,
    &VAULT_FIELDS,
    "HashiCorp Vault with KV version 2. Without a login, the token comes from the environment \
     variable `VAULT_TOKEN`, else from the file `~/.vault-token` of `vault login`.",
);

pub(crate) static OPENBAO: BackendType = registration(
    VaultKind::OpenBao,
    &OPENBAO_FIELDS,
    "OpenBAO with KV version 2. Without a login, the token comes from the environment variable \
     `BAO_TOKEN`, else from the file of `bao login`: `BAO_TOKEN_PATH`, else `~/.vault-token`.",
);

const fn registration(
    kind: VaultKind,
    fields: &'static [Field],
    description: &'static str,
) -> BackendType {
    BackendType {
        description,
        fields,
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
