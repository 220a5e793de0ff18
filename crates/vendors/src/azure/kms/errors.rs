//! Maps errors of Key Vault to errors of a key, with their remedies.

use super::key_url::KeyUrl;
use crate::azure::client::{AzureError, AzureErrorKind, AzurePlace};
use crate::azure::errors::connection_remedy;
use planton_core::kek::{KekError, KekErrorKind};

/// An operation on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyOperation {
    Get,
    Wrap,
    Unwrap,
}

impl KeyOperation {
    /// Returns the vendor's name of the operation.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GetKey",
            Self::Wrap => "WrapKey",
            Self::Unwrap => "UnwrapKey",
        }
    }

    /// Returns the last part of the operation's address.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Get => "",
            Self::Wrap => "wrapkey",
            Self::Unwrap => "unwrapkey",
        }
    }

    /// Returns the permission in an access policy, and the data action in a role:
    /// <https://learn.microsoft.com/azure/role-based-access-control/permissions/security#microsoftkeyvault>.
    fn grant(self) -> (&'static str, &'static str) {
        match self {
            Self::Get => ("Get", "read"),
            Self::Wrap => ("Wrap Key", "wrap/action"),
            Self::Unwrap => ("Unwrap Key", "unwrap/action"),
        }
    }
}

/// Maps a failure of `operation` on `key` to an error of the key. The path is the identifier
/// of the key, with its version if one is known.
pub(super) fn explain(
    key: &KeyUrl,
    path: &str,
    operation: KeyOperation,
    error: AzureError,
) -> KekError {
    let explained = KekError::new(kind(&error, operation), operation.name(), path);
    let explained = match remedy(key, operation, &error) {
        Some(remedy) => explained.with_remedy(remedy),
        None => explained,
    };
    explained.with_source(error)
}

fn kind(error: &AzureError, operation: KeyOperation) -> KekErrorKind {
    use AzureErrorKind as A;
    use KekErrorKind as K;
    match (error.kind(), error.place()) {
        (A::NotFound | A::DeletedButRecoverable | A::BeingDeleted, _) => K::NotFound,
        (A::Disabled, _) => K::Disabled,
        (A::PermissionDenied | A::Firewall, _) => K::PermissionDenied,
        (
            A::Unauthenticated
            | A::WrongTenant
            | A::UnknownApplication
            | A::WrongClientSecret
            | A::WrongFederation
            | A::NoManagedIdentity
            | A::NoCredential,
            _,
        ) => K::Unauthenticated,
        // The vault decrypts or finds another padding.
        (A::Invalid | A::TooLarge, AzurePlace::Vault) if operation == KeyOperation::Unwrap => {
            K::Refused
        }
        (A::RateLimited, _) => K::RateLimited,
        (A::Unreachable | A::Unavailable | A::Ended | A::Conflict, _) => K::Unavailable,
        (A::Unexpected, _) => K::Unexpected,
        (
            A::OperationForbidden
            | A::UntrustedChallenge
            | A::TooLarge
            | A::Invalid
            | A::Untrusted
            | A::Misconfigured,
            _,
        ) => K::Misconfigured,
    }
}

fn remedy(key: &KeyUrl, operation: KeyOperation, error: &AzureError) -> Option<String> {
    use AzureErrorKind as A;
    Some(match (error.kind(), error.place()) {
        (A::NotFound | A::DeletedButRecoverable | A::BeingDeleted, _) => missing(key),
        (A::Disabled, _) => disabled(key),
        (A::PermissionDenied, _) => grant(key, operation),
        (A::OperationForbidden, _) => operations(key),
        // https://learn.microsoft.com/azure/key-vault/general/service-limits
        (A::RateLimited, AzurePlace::Vault) => format!(
            "Key Vault limits the operations on the keys of {vault} in 10 seconds: 4,000 with RSA \
             keys of 2,048 bits, 2,000 if they are in an HSM; 500 and 250 with 4,096 bits. Raise \
             the resource's timeouts, or lower -parallelism.",
            vault = key.vault
        ),
        _ => return connection_remedy(&key.vault, "key_url", error),
    })
}

/// Returns the role to grant, and the permission of an access policy, with the commands that grant
/// them. `set-policy` replaces the permissions that the identity has, so it gets all of them:
/// <https://learn.microsoft.com/cli/azure/keyvault#az-keyvault-set-policy>.
fn grant(key: &KeyUrl, operation: KeyOperation) -> String {
    let (permission, action) = operation.grant();
    let (vault, name) = (&key.vault, vault_name(key));
    format!(
        "Grant the role Key Vault Crypto User on {vault} to the identity in use, with its object \
         ID in place of PRINCIPAL; the role contains the data action \
         Microsoft.KeyVault/vaults/keys/{action}:\n  az role assignment create --role \"Key Vault \
         Crypto User\" --assignee PRINCIPAL --scope \"$(az keyvault show --name {name} --query id \
         --output tsv)\"\nWhere the vault uses access policies, grant the key permission \
         {permission}. The command sets all key permissions of the identity: add those that it has \
         besides.\n  az keyvault set-policy --name {name} --object-id PRINCIPAL --key-permissions \
         get wrapKey unwrapKey\nA grant takes up to ten minutes to apply."
    )
}

fn missing(key: &KeyUrl) -> String {
    format!(
        "There is no key {key}, or not this version of it. Check key_url. If the key was deleted \
         and the vault still retains it, recover it:\n  az keyvault key recover {options}\nNo key \
         is created in its place.",
        options = az_options(key)
    )
}

/// Returns how a disabled version is made usable again.
pub(super) fn disabled(key: &KeyUrl) -> String {
    format!(
        "This version of {key} is disabled. It wraps nothing, and what it has wrapped does not open. \
         To enable it:\n  az keyvault key set-attributes {options} --version <version> --enabled \
         true",
        options = az_options(key)
    )
}

pub(super) fn operations(key: &KeyUrl) -> String {
    format!(
        "The key {key} does not permit the operations wrapKey and unwrapKey. To permit them:\n  az \
         keyvault key set-attributes {options} --ops wrapKey unwrapKey",
        options = az_options(key)
    )
}

/// Returns the options that name a key to the Azure CLI.
fn az_options(key: &KeyUrl) -> String {
    format!("--vault-name {} --name {}", vault_name(key), key.name)
}

fn vault_name(key: &KeyUrl) -> &str {
    key.vault.host().split('.').next().unwrap_or_default()
}
