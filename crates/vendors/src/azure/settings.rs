//! The settings of a vault, parsed once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::azure::client::{AuthorityHost, InvalidAddress, VaultUrl};
use planton_core::store::{StoreError, StoreSettings};

/// The parsed settings of a vault and of its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureConfig {
    /// The vault.
    pub vault_url: VaultUrl,
    /// Who authenticates.
    pub identity: AzureIdentity,
    /// Whether a deleted secret is purged, so that it cannot be recovered.
    pub purge_on_destroy: bool,
}

/// The parsed settings of a credential, which backends and keys share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureIdentity {
    /// The token authority, if it is not that of the vault's cloud.
    pub authority_host: Option<AuthorityHost>,
    /// The application's tenant.
    pub tenant_id: Option<String>,
    /// Client ID of the application or of a user-assigned identity.
    pub client_id: Option<String>,
    /// The source of credentials that a setting selects.
    pub source: Option<AzureSource>,
}

/// A source of credentials that a setting selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureSource {
    /// `use_msi`: a managed identity of this machine.
    ManagedIdentity,
    /// `use_cli`: the account that is logged in to the Azure CLI.
    Cli,
    /// `use_oidc`: a token of a Kubernetes cluster or of GitHub.
    WorkloadIdentity,
}

impl AzureSource {
    /// Returns the setting that selects this source.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::ManagedIdentity => "use_msi",
            Self::Cli => "use_cli",
            Self::WorkloadIdentity => "use_oidc",
        }
    }
}

impl AzureConfig {
    /// Parses the settings of a record.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for an unusable setting, whose name is the path.
    pub fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let vault_url = settings
            .text("vault_url")
            .ok_or_else(|| misconfigured("vault_url", "Set vault_url."))?;
        let vault_url =
            VaultUrl::parse(vault_url).map_err(|problem| unusable("vault_url", problem))?;
        Ok(Self {
            vault_url,
            identity: AzureIdentity::read(&settings.configuration)?,
            purge_on_destroy: settings.flag("purge_on_destroy"),
        })
    }
}

impl AzureIdentity {
    /// Parses the settings of a credential.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for an unusable setting, whose name is the path.
    pub(crate) fn read(configuration: &BTreeMap<String, Value>) -> Result<Self, StoreError> {
        let authority_host = text(configuration, "authority_host")
            .map(AuthorityHost::parse)
            .transpose()
            .map_err(|problem| unusable("authority_host", problem))?;
        Ok(Self {
            authority_host,
            tenant_id: identifier(configuration, "tenant_id")?,
            client_id: identifier(configuration, "client_id")?,
            source: source(configuration)?,
        })
    }
}

fn text<'a>(configuration: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a str> {
    configuration.get(name)?.as_str()
}

pub(super) fn misconfigured(setting: &'static str, remedy: impl Into<String>) -> StoreError {
    StoreError::unusable_setting(setting, remedy)
}

fn unusable(setting: &'static str, problem: InvalidAddress) -> StoreError {
    misconfigured(
        setting,
        format!("{setting} cannot be used: {problem}. An example is {}.", {
            match setting {
                "vault_url" => "https://acme.vault.azure.net",
                _ => "https://login.microsoftonline.com",
            }
        }),
    )
}

/// Parses a tenant or an application: a UUID, or for a tenant also a domain.
fn identifier(
    configuration: &BTreeMap<String, Value>,
    name: &'static str,
) -> Result<Option<String>, StoreError> {
    let Some(text) = text(configuration, name) else {
        return Ok(None);
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if text.is_empty() || text.len() > 256 || !text.chars().all(known) {
        let remedy = format!("{name} is neither a UUID nor a domain.");
        return Err(misconfigured(name, remedy));
    }
    Ok(Some(text.to_owned()))
}

fn source(configuration: &BTreeMap<String, Value>) -> Result<Option<AzureSource>, StoreError> {
    let all = [
        AzureSource::ManagedIdentity,
        AzureSource::Cli,
        AzureSource::WorkloadIdentity,
    ];
    let mut chosen = all.into_iter().filter(|source| {
        let flag = configuration.get(source.setting());
        flag.and_then(Value::as_bool).unwrap_or(false)
    });
    let first = chosen.next();
    if let (Some(first), Some(second)) = (first, chosen.next()) {
        let (first, second) = (first.setting(), second.setting());
        let remedy = format!("Only one of {first} and {second} can be true.");
        return Err(misconfigured(second, remedy));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;
    use planton_core::store::StoreErrorKind;

    fn parse(configuration: &Value) -> Result<AzureConfig, StoreError> {
        AzureConfig::from_settings(&StoreSettings {
            kind: "azure_key_vault".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: serde_json::from_value(configuration.clone()).unwrap(),
        })
    }

    #[test]
    fn settings_are_read_by_the_practitioners_names() {
        let config = parse(&json!({
            "vault_url": "https://acme.vault.azure.net/",
            "tenant_id": "contoso.onmicrosoft.com",
            "client_id": "11111111-2222-3333-4444-555555555555",
            "authority_host": "https://login.microsoftonline.us",
            "use_oidc": true,
            "use_cli": false,
            "purge_on_destroy": true,
        }))
        .unwrap();
        assert_eq!(config.vault_url.as_str(), "https://acme.vault.azure.net");
        assert_eq!(config.identity.source, Some(AzureSource::WorkloadIdentity));
        assert!(config.purge_on_destroy);
        let least = parse(&json!({"vault_url": "https://acme.vault.azure.net"})).unwrap();
        assert_eq!(
            (
                least.identity.source,
                least.identity.authority_host,
                least.purge_on_destroy
            ),
            (None, None, false)
        );
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_named_with_its_remedy() {
        let vault = "https://acme.vault.azure.net";
        for (configuration, path, words) in [
            (json!({}), "vault_url", "Set vault_url"),
            (
                json!({"vault_url": "https://acme.vault.azure.net/secrets/db"}),
                "vault_url",
                "must not have a path",
            ),
            (
                json!({"vault_url": "http://acme.vault.azure.net"}),
                "vault_url",
                "https://",
            ),
            (
                json!({"vault_url": "https://u:hunter2@acme.vault.azure.net"}),
                "vault_url",
                "a user or a password",
            ),
            (
                json!({"vault_url": vault, "authority_host": "login.example.com"}),
                "authority_host",
                "not a URL",
            ),
            (
                json!({"vault_url": vault, "tenant_id": "a/b"}),
                "tenant_id",
                "UUID",
            ),
            (
                json!({"vault_url": vault, "client_id": ""}),
                "client_id",
                "UUID",
            ),
            (
                json!({"vault_url": vault, "use_msi": true, "use_cli": true}),
                "use_cli",
                "use_msi and use_cli",
            ),
        ] {
            let error = parse(&configuration).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert_eq!(error.path(), path);
            assert!(error.remedy().unwrap().contains(words), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
