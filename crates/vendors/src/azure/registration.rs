//! The backend type `azure_key_vault`.

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
        "URL of the key vault, such as `https://example.vault.azure.net`.",
    )
    .example("https://example.vault.azure.net")
    .required(),
    TENANT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    USE_MSI,
    USE_CLI,
    USE_OIDC,
    AUTHORITY_HOST,
    Field::flag(
        "purge_on_destroy",
        "Whether to purge deleted secrets instead of retaining them for the vault's retention \
         period. Requires the purge permission.",
    )
    .default("false"),
];

// The fields of a credential, which keys have as well.

pub(crate) const TENANT_ID: Field = Field::text("tenant_id", "ID of the Microsoft Entra tenant.");

pub(crate) const CLIENT_ID: Field = Field::text(
    "client_id",
    "Client ID of the application or of the user-assigned managed identity.",
);

pub(crate) const CLIENT_SECRET: Field = Field::credential(
    "client_secret_wo",
    "client_secret",
    "Client secret of the application. Without it, the provider uses the ambient credential \
     chain, or the credential that one of the `use_…` arguments selects.",
);

pub(crate) const USE_MSI: Field = Field::flag(
    "use_msi",
    "Whether to use a managed identity and no other ambient credential.",
)
.default("false");

pub(crate) const USE_CLI: Field = Field::flag(
    "use_cli",
    "Whether to use the login of the Azure CLI and no other ambient credential.",
)
.default("false");

pub(crate) const USE_OIDC: Field = Field::flag(
    "use_oidc",
    "Whether to use workload identity federation and no other ambient credential.",
)
.default("false");

pub(crate) const AUTHORITY_HOST: Field = Field::text(
    "authority_host",
    "URL of the Microsoft Entra authority, for sovereign and private clouds.",
)
.example("https://login.microsoftonline.com");
