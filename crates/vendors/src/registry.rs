//! The one place that knows all types of backends.

use std::sync::Arc;

use async_trait::async_trait;

use crate::aws::{AwsConfig, AwsCredential, AwsSecretsManagerStore};
use crate::azure::{AzureConfig, AzureKeyVaultStore};
use crate::gcp::{GcpConfig, GcpSecretManagerStore, read_credential};
use crate::http::HttpSettings;
use crate::openbao::{ConnectOptions, OpenBaoStore, VaultConfig};
use planton_core::store::{
    ConnectStore, SecretStore, StoreCapability, StoreCredential, StoreError, StoreErrorKind,
    StoreSettings,
};

/// Opens backends of every type.
#[derive(Debug, Default)]
pub struct Connector {
    http: HttpSettings,
}

#[async_trait]
impl ConnectStore for Connector {
    fn capability(&self, kind: &str) -> Option<StoreCapability> {
        match kind {
            "aws_secrets_manager" => Some(AwsSecretsManagerStore::capability_of()),
            "gcp_secret_manager" => Some(GcpSecretManagerStore::capability_of()),
            "azure_key_vault" => Some(AzureKeyVaultStore::capability_of()),
            _ => OpenBaoStore::capability_of(kind),
        }
    }

    fn check(
        &self,
        settings: &StoreSettings,
        credential: Option<&StoreCredential>,
    ) -> Result<(), StoreError> {
        // Nothing of what is built does any I/O before its first verb.
        if let Some(credential) = credential {
            return self.open(settings, credential).map(drop);
        }
        match settings.kind.as_str() {
            "aws_secrets_manager" => AwsConfig::from_settings(settings).map(drop),
            "gcp_secret_manager" => GcpConfig::from_settings(settings).map(drop),
            "azure_key_vault" => AzureConfig::from_settings(settings).map(drop),
            "hashicorp_vault" | "openbao" => VaultConfig::from_settings(settings).map(drop),
            _ => Err(unknown(settings)),
        }
    }

    async fn connect(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        self.open(settings, credential)
    }
}

impl Connector {
    fn open(
        &self,
        settings: &StoreSettings,
        credential: &StoreCredential,
    ) -> Result<Arc<dyn SecretStore>, StoreError> {
        let http = self.http.clone();
        Ok(match settings.kind.as_str() {
            "aws_secrets_manager" => {
                let config = AwsConfig::from_settings(settings)?;
                let credential = AwsCredential::from_parts(&config, credential)?;
                Arc::new(AwsSecretsManagerStore::new(config, credential, http)?)
            }
            "gcp_secret_manager" => {
                let config = GcpConfig::from_settings(settings)?;
                let credential = read_credential(credential)?;
                Arc::new(GcpSecretManagerStore::new(config, credential, http)?)
            }
            "azure_key_vault" => {
                let config = AzureConfig::from_settings(settings)?;
                Arc::new(AzureKeyVaultStore::new(config, credential, http)?)
            }
            "hashicorp_vault" | "openbao" => {
                let config = VaultConfig::from_settings(settings)?;
                let options = ConnectOptions {
                    http,
                    ..ConnectOptions::default()
                };
                Arc::new(OpenBaoStore::connect(config, credential, options)?)
            }
            _ => return Err(unknown(settings)),
        })
    }
}

fn unknown(settings: &StoreSettings) -> StoreError {
    StoreError::new(
        StoreErrorKind::Misconfigured,
        "configure",
        settings.kind.as_str(),
    )
    .with_remedy("This release does not know this type of backend. Upgrade the provider.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use planton_core::store::conformance::names::NAME_RULES;

    #[test]
    fn names_are_tested_by_the_rules_that_each_type_has() {
        for (kind, rules) in NAME_RULES {
            let capability = Connector::default().capability(kind);
            let known = capability.map(|capability| (capability.kind, capability.name));
            assert_eq!(known, Some((kind, rules)));
        }
        assert_eq!(Connector::default().capability("platform"), None);
    }
}
