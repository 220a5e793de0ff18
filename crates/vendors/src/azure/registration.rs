//! The type `azure_key_vault`.

use std::sync::Arc;

use super::settings::AzureConfig;
use super::store::AzureKeyVaultStore;
use crate::registration::{BackendType, Field, never_exposed};

pub(crate) static REGISTRATION: BackendType = BackendType {
    description: "Azure Key Vault.",
    fields: &FIELDS,
    address: "vault_url",
    capability: AzureKeyVaultStore::capability_of(),
    is_exposed: never_exposed,
    check: |settings| AzureConfig::from_settings(settings).map(drop),
    open: |settings, credential, http| {
        let config = AzureConfig::from_settings(settings)?;
        let store = AzureKeyVaultStore::new(config, credential, http)?;
        Ok(Arc::new(store))
    },
};

const FIELDS: [Field; 9] = [
    Field::text(
        "vault_url",
        "The vault, as `https://example.vault.azure.net`.",
    )
    .example("https://example.vault.azure.net")
    .required(),
    Field::text("tenant_id", "The tenant."),
    Field::text("client_id", "The application, or the managed identity."),
    Field::credential(
        "client_secret_wo",
        "client_secret",
        "The application's secret. Without it, the ambient chain serves, or what one of the \
         `use_…` arguments names.",
    ),
    Field::flag(
        "use_msi",
        "Whether to use a managed identity, and nothing else.",
    ),
    Field::flag(
        "use_cli",
        "Whether to use the Azure CLI's login, and nothing else.",
    ),
    Field::flag(
        "use_oidc",
        "Whether to use workload identity federation, and nothing else.",
    ),
    Field::text(
        "authority_host",
        "Another authority, for sovereign and private clouds.",
    )
    .example("https://login.microsoftonline.com"),
    Field::flag(
        "purge_on_destroy",
        "Whether to purge what was deleted. Needs the Purge permission. Default: false.",
    ),
];
