//! Selects the credential of an Azure backend.

use super::settings::{AzureIdentity, AzureSource, misconfigured};
use crate::azure::client::AzureCredential;
use planton_core::store::{StoreCredential, StoreError};

/// Name of the static credential, without its suffix `_wo`.
const CLIENT_SECRET: &str = "client_secret";

/// Returns the static credential, or the source that the settings select, or the
/// ambient credential.
///
/// # Errors
///
/// `Misconfigured` if settings and credential contradict each other, or a part is
/// missing.
pub(crate) fn read_credential(
    identity: &AzureIdentity,
    credential: &StoreCredential,
) -> Result<AzureCredential, StoreError> {
    let (tenant_id, client_id) = (identity.tenant_id.clone(), identity.client_id.clone());
    let Some(secret) = credential.get(CLIENT_SECRET) else {
        return Ok(match identity.source {
            Some(AzureSource::ManagedIdentity) => AzureCredential::ManagedIdentity { client_id },
            Some(AzureSource::Cli) => AzureCredential::Cli { tenant_id },
            Some(AzureSource::WorkloadIdentity) => AzureCredential::WorkloadIdentity {
                tenant_id,
                client_id,
            },
            None => AzureCredential::Ambient {
                tenant_id,
                client_id,
            },
        });
    };
    if let Some(source) = identity.source {
        let source = source.setting();
        let remedy = format!("Set either client_secret_wo or {source}, not both.");
        return Err(misconfigured(source, remedy));
    }
    if secret.is_empty() {
        let remedy = "client_secret_wo is empty.";
        return Err(misconfigured("client_secret_wo", remedy));
    }
    let needed = |name, value: Option<String>| {
        value.ok_or_else(|| misconfigured(name, format!("Set {name} beside client_secret_wo.")))
    };
    Ok(AzureCredential::ClientSecret {
        tenant_id: needed("tenant_id", tenant_id)?,
        client_id: needed("client_id", client_id)?,
        secret: secret.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::{Value, json};

    use super::*;
    use planton_core::store::StoreErrorKind;

    fn of(configuration: Value, secret: Option<&str>) -> Result<AzureCredential, StoreError> {
        let identity = AzureIdentity::read(&serde_json::from_value(configuration).unwrap())?;
        let secret = secret.map(|secret| (CLIENT_SECRET.to_owned(), secret.into()));
        read_credential(&identity, &secret.into_iter().collect())
    }

    #[test]
    fn the_static_secret_counts_before_all_else() {
        let ids = json!({"tenant_id": "t", "client_id": "c"});
        let AzureCredential::ClientSecret { secret, .. } = of(ids, Some("hunter2")).unwrap() else {
            panic!("a static secret is used")
        };
        assert_eq!(secret.expose(), "hunter2");
        for (configuration, path) in [
            (json!({"client_id": "c"}), "tenant_id"),
            (json!({"tenant_id": "t"}), "client_id"),
            (
                json!({"tenant_id": "t", "client_id": "c", "use_msi": true}),
                "use_msi",
            ),
        ] {
            let error = of(configuration, Some("hunter2")).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert_eq!(error.path(), path);
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let ids = json!({"tenant_id": "t", "client_id": "c"});
        assert_eq!(of(ids, Some("")).unwrap_err().path(), "client_secret_wo");
    }

    #[test]
    fn without_a_secret_the_settings_choose_and_then_the_environment() {
        let name = |configuration| format!("{:?}", of(configuration, None).unwrap());
        assert_eq!(name(json!({})), "Ambient");
        assert_eq!(name(json!({"use_msi": true})), "ManagedIdentity");
        assert_eq!(name(json!({"use_cli": true})), "Cli");
        assert_eq!(name(json!({"use_oidc": true})), "WorkloadIdentity");
    }
}
