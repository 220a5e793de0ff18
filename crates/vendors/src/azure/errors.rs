//! Maps errors of Azure to errors of the store, with their remedies.

use crate::azure::client::{AzureError, AzureErrorKind, AzurePlace, VaultUrl};
use planton_core::store::{StoreError, StoreErrorKind};

/// An operation on a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Set,
    Get,
    List,
    Delete,
    GetDeleted,
    Purge,
}

impl Operation {
    /// Returns the vendor's name of the operation.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Set => "SetSecret",
            Self::Get => "GetSecret",
            Self::List => "GetSecretVersions",
            Self::Delete => "DeleteSecret",
            Self::GetDeleted => "GetDeletedSecret",
            Self::Purge => "PurgeDeletedSecret",
        }
    }

    /// Returns the permission that the operation requires in an access policy.
    fn permission(self) -> &'static str {
        match self {
            Self::Set => "Set",
            Self::Get | Self::GetDeleted => "Get",
            Self::List => "List",
            Self::Delete => "Delete",
            Self::Purge => "Purge",
        }
    }
}

impl Operation {
    /// Returns the data action that the operation requires in a role, relative to the
    /// secrets of a vault:
    /// <https://learn.microsoft.com/azure/role-based-access-control/permissions/security#microsoftkeyvault>
    fn data_action(self) -> &'static str {
        match self {
            Self::Set => "setSecret/action",
            Self::Get => "getSecret/action",
            Self::List | Self::GetDeleted => "readMetadata/action",
            Self::Delete => "delete",
            Self::Purge => "purge/action",
        }
    }
}

/// Maps a failure of `operation` on the secret `name` to an error of the store.
pub(super) fn explain(
    vault: &VaultUrl,
    operation: Operation,
    name: &str,
    error: AzureError,
) -> StoreError {
    let explained = StoreError::new(kind(&error), operation.name(), name);
    let explained = match remedy(vault, operation, &error) {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    };
    let explained = match setting(&error) {
        Some(setting) => explained.with_setting(setting),
        None => explained,
    };
    explained.with_source(error)
}

/// Returns the setting that is the likely cause.
fn setting(error: &AzureError) -> Option<&'static str> {
    use AzureErrorKind as K;
    Some(match (error.kind(), error.place()) {
        (K::WrongTenant, _) => "tenant_id",
        (K::UnknownApplication, _) => "client_id",
        (K::WrongClientSecret, _) => "client_secret",
        (K::WrongFederation | K::NoManagedIdentity, _) => "client_id",
        (K::Unreachable | K::Untrusted, AzurePlace::Identity) => "authority_host",
        (K::UntrustedChallenge, _)
        | (K::Misconfigured | K::Unreachable | K::Untrusted | K::Unexpected, AzurePlace::Vault) => {
            "vault_url"
        }
        (K::Unexpected, AzurePlace::Identity) => "authority_host",
        _ => return None,
    })
}

fn kind(error: &AzureError) -> StoreErrorKind {
    use AzureErrorKind as K;
    match error.kind() {
        K::NotFound => StoreErrorKind::NotFound,
        K::DeletedButRecoverable => StoreErrorKind::AlreadyExists,
        K::BeingDeleted => StoreErrorKind::Unavailable,
        K::Conflict => StoreErrorKind::Conflict,
        K::PermissionDenied | K::Firewall | K::Disabled => StoreErrorKind::PermissionDenied,
        K::Unauthenticated
        | K::WrongTenant
        | K::UnknownApplication
        | K::WrongClientSecret
        | K::WrongFederation
        | K::NoManagedIdentity
        | K::NoCredential => StoreErrorKind::Unauthenticated,
        K::TooLarge => StoreErrorKind::TooLarge,
        K::RateLimited => StoreErrorKind::RateLimited,
        K::Unreachable | K::Unavailable | K::Ended => StoreErrorKind::Unavailable,
        K::Unexpected => StoreErrorKind::Unexpected,
        _ => StoreErrorKind::Misconfigured,
    }
}

fn remedy(vault: &VaultUrl, operation: Operation, error: &AzureError) -> Option<String> {
    use AzureErrorKind as K;
    Some(match (error.kind(), error.place()) {
        (K::PermissionDenied, _) => {
            let permission = operation.permission();
            let action = operation.data_action();
            format!(
                "Grant to the identity in use the secret permission {permission} in an access \
                 policy of {vault}, or the data action \
                 Microsoft.KeyVault/vaults/secrets/{action} where the vault uses Azure RBAC. A \
                 grant takes up to ten minutes to apply."
            )
        }
        (K::Disabled, _) => "The version was disabled. Enable it in the vault, or write a new \
                             version."
            .to_owned(),
        (K::DeletedButRecoverable, _) => format!(
            "A deleted secret of this name is still in {vault}. Recover or purge it: that takes \
             the secret permission Recover or Purge."
        ),
        (K::BeingDeleted, _) => format!(
            "{vault} is still deleting a secret of this name, which takes seconds to minutes. \
             Apply again, or raise the resource's timeouts."
        ),
        // https://learn.microsoft.com/azure/key-vault/general/service-limits
        (K::RateLimited, AzurePlace::Vault) => format!(
            "Key Vault allows {vault} 4,000 transactions in 10 seconds, and its subscription five \
             times as many in a region. Raise the resource's timeouts, or lower -parallelism."
        ),
        (K::Conflict, _) => "Something else is under way on this secret; try again.".to_owned(),
        _ => return connection_remedy(vault, "vault_url", error),
    })
}

/// Returns the remedy of a failure that is not about a secret or a key. `setting` holds the
/// vault's address.
pub(super) fn connection_remedy(
    vault: &VaultUrl,
    setting: &str,
    error: &AzureError,
) -> Option<String> {
    use AzureErrorKind as K;
    Some(match (error.kind(), error.place()) {
        (K::Firewall, _) => format!(
            "The network rules of {vault} keep this machine out. Add its address to the vault's \
             firewall, or run where the vault's private endpoint can be reached."
        ),
        (K::WrongTenant, AzurePlace::Identity) => {
            "There is no such tenant, or it has no Key Vault. Check tenant_id.".to_owned()
        }
        (K::UnknownApplication, _) => "The tenant does not know the application. Check client_id, \
             and that tenant_id is the application's tenant."
            .to_owned(),
        (K::WrongTenant, AzurePlace::Vault) => format!(
            "{vault} belongs to another tenant than the token. Set tenant_id to the vault's tenant."
        ),
        (K::WrongClientSecret, _) => "The client secret is wrong, or has run out. Set \
             client_secret_wo (or AZURE_CLIENT_SECRET) to a valid secret's value, not its ID."
            .to_owned(),
        (K::WrongFederation, _) => "No federated credential of the application fits the token. \
             Check its issuer, subject and audience in Entra ID, and client_id."
            .to_owned(),
        (K::NoManagedIdentity, _) => "This machine has no such managed identity. Assign one, \
             check client_id, or do without use_msi."
            .to_owned(),
        (K::NoCredential, _) => "Set client_secret_wo with tenant_id and client_id, or provide \
             ambient credentials: AZURE_CLIENT_SECRET, a workload identity, a managed identity, \
             or `az login`."
            .to_owned(),
        (K::Unauthenticated, _) => {
            "Check tenant_id, client_id and the credentials in use.".to_owned()
        }
        (K::UntrustedChallenge, _) => format!(
            "{vault} asks for a token that is not for Key Vault, and got none. Check {setting}."
        ),
        (K::Misconfigured | K::Unreachable, AzurePlace::Vault) => {
            format!("Check {setting}: no vault answers at {vault}.")
        }
        (K::Unreachable, AzurePlace::Identity) => {
            "Check authority_host, and that it can be reached from here.".to_owned()
        }
        (K::Untrusted, AzurePlace::Vault) => format!(
            "The certificate of {vault} is not trusted. Check {setting}, and the proxy in between."
        ),
        (K::Untrusted, AzurePlace::Identity) => "The certificate of who gives out tokens is not \
             trusted. Check authority_host, and the proxy in between."
            .to_owned(),
        _ => return None,
    })
}
