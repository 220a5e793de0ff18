//! The requests to a vault, over the SDK's client.

use std::collections::HashMap;
use std::fmt;

use azure_core::error::{Error as SdkError, ErrorKind as SdkErrorKind};
use azure_security_keyvault_secrets::models::{
    SecretClientGetSecretOptions, SecretProperties, SetSecretParameters,
};
use azure_security_keyvault_secrets::{ResourceId, SecretClient, SecretClientOptions};
use tokio_stream::StreamExt;

use super::labels::CONTENT_TYPE;
use crate::azure::client::{
    AzureConnection, AzureCredential, AzureError, AzureErrorKind, AzurePlace,
};
use crate::azure::settings::AzureConfig;
use crate::http::HttpSettings;
use planton_core::store::{NativeVersionId, RemoteName};

/// The metadata of a version.
pub(super) type Properties = SecretProperties;

/// The result of a search among the versions of a secret.
pub(super) enum Found<T> {
    /// The secret has no versions: it is absent or deleted.
    Nothing,
    /// The secret has versions, but not the wanted one.
    OthersOnly,
    /// The wanted version.
    Version(T),
}

/// The client of one vault.
pub(super) struct Vault {
    connection: AzureConnection,
    client: SecretClient,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    pub(super) fn open(
        config: &AzureConfig,
        credential: &AzureCredential,
        http: &HttpSettings,
    ) -> Result<Self, AzureError> {
        let connection = AzureConnection::new(
            &config.vault_url,
            config.identity.authority_host.as_ref(),
            credential,
            http,
        )?;
        let options = SecretClientOptions {
            client_options: connection.client_options(),
            verify_challenge_resource: Some(connection.verifies_challenge_resource()),
            ..SecretClientOptions::default()
        };
        let client = SecretClient::new(
            config.vault_url.as_str(),
            connection.credential(),
            Some(options),
        )
        .map_err(failed)?;
        Ok(Self { connection, client })
    }

    pub(super) fn requests(&self) -> u64 {
        self.connection.requests()
    }

    //= docs/format.md#20-places
    //# On Azure Key Vault, a writer MUST write an envelope at the place and in the form of
    //# this table.
    pub(super) async fn set(
        &self,
        name: &RemoteName,
        value: &str,
        tags: HashMap<String, String>,
    ) -> Result<NativeVersionId, AzureError> {
        let answer = authorized(|| {
            let parameters = SetSecretParameters {
                content_type: Some(CONTENT_TYPE.to_owned()),
                tags: Some(tags.clone()),
                value: Some(value.to_owned()),
                ..SetSecretParameters::default()
            };
            async move {
                let parameters = parameters.try_into()?;
                let client = &self.client;
                client.set_secret(name.as_str(), parameters, None).await
            }
        });
        let secret = answer.await?.into_model().map_err(failed)?;
        version_of(secret.id.as_deref(), name)
            .ok_or_else(|| AzureError::unexpected("the vault did not name the version that it set"))
    }

    /// Returns the value of a version, or `None` if the response is for another
    /// version.
    pub(super) async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Option<String>, AzureError> {
        let answer = authorized(|| {
            let options = SecretClientGetSecretOptions {
                secret_version: Some(version.as_str().to_owned()),
                ..SecretClientGetSecretOptions::default()
            };
            self.client.get_secret(name.as_str(), Some(options))
        });
        let secret = answer.await?.into_model().map_err(failed)?;
        let answered = version_of(secret.id.as_deref(), name);
        Ok(secret.value.filter(|_| answered.as_ref() == Some(version)))
    }

    /// Returns the current value of a secret of any writer.
    pub(super) async fn current(&self, name: &RemoteName) -> Result<Option<String>, AzureError> {
        let answer = authorized(|| self.client.get_secret(name.as_str(), None));
        let secret = answer.await?.into_model().map_err(failed)?;
        Ok(secret.value)
    }

    /// Iterates over the versions of a secret until `look` returns a value.
    pub(super) async fn find<T>(
        &self,
        name: &RemoteName,
        mut look: impl FnMut(Properties) -> Option<T> + Send,
    ) -> Result<Found<T>, AzureError> {
        let mut forgotten = 0;
        'again: loop {
            let pager = self
                .client
                .list_secret_properties_versions(name.as_str(), None);
            let mut pages = pager.map_err(failed)?.into_pages();
            let mut found = Found::Nothing;
            while let Some(page) = pages.next().await {
                let page = match page {
                    Ok(page) => page.into_model().map_err(failed)?,
                    // Starts again from the first page. `look` may get the same version
                    // twice.
                    Err(error) if is_forgotten(&error) && forgotten < MAX_FORGOTTEN => {
                        forgotten += 1;
                        continue 'again;
                    }
                    Err(error) => {
                        let error = failed(error);
                        // Some vaults return 404, others an empty list.
                        if error.kind() == AzureErrorKind::NotFound {
                            return Ok(Found::Nothing);
                        }
                        return Err(error);
                    }
                };
                for version in page.value {
                    found = Found::OthersOnly;
                    if let Some(it) = look(version) {
                        return Ok(Found::Version(it));
                    }
                }
            }
            return Ok(found);
        }
    }

    /// Deletes a secret. Returns whether it can be purged.
    pub(super) async fn delete(&self, name: &RemoteName) -> Result<bool, AzureError> {
        let answer = authorized(|| self.client.delete_secret(name.as_str(), None));
        // The deletion succeeded, even if its response body cannot be parsed.
        let deleted = answer.await?.into_model().ok();
        let attributes = deleted.and_then(|deleted| deleted.attributes);
        let level = attributes.and_then(|attributes| attributes.recovery_level);
        Ok(level.is_none_or(|level| level.to_string().contains("Purgeable")))
    }

    /// Returns true once the deletion of a secret is complete, so that it can be
    /// purged.
    pub(super) async fn is_deleted(&self, name: &RemoteName) -> Result<bool, AzureError> {
        let answer = authorized(|| self.client.get_deleted_secret(name.as_str(), None));
        match answer.await {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    AzureErrorKind::NotFound | AzureErrorKind::BeingDeleted
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn purge(&self, name: &RemoteName) -> Result<(), AzureError> {
        authorized(|| self.client.purge_deleted_secret(name.as_str(), None)).await?;
        Ok(())
    }
}

/// Returns the version in an identifier of the secret `name`.
pub(super) fn version_of(id: Option<&str>, name: &RemoteName) -> Option<NativeVersionId> {
    let id: ResourceId = id?.parse().ok()?;
    let version = id.version.filter(|version| is_version(version))?;
    // Key Vault's names are case-insensitive:
    // https://learn.microsoft.com/en-us/azure/key-vault/about-keys-secrets-and-certificates
    let is_this = id.name.eq_ignore_ascii_case(name.as_str());
    is_this.then(|| NativeVersionId::new(version))
}

/// Returns true for a version as Key Vault issues it: 32 hexadecimal digits.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Maximum number of tries of a request that lost its token. It loses the token each
/// time another request is challenged at the same moment.
const MAX_FORGOTTEN: u32 = 32;

/// Returns true if the SDK discarded a token before use, so that it sent no request.
///
/// The SDK empties its token cache after every 401, and all first requests of a process
/// are challenged. The provider's own credentials fail with an error of another kind.
fn is_forgotten(error: &SdkError) -> bool {
    matches!(error.kind(), SdkErrorKind::Credential)
}

/// Sends a request, and retries it if the SDK discarded its token.
async fn authorized<T, F>(call: impl Fn() -> F) -> Result<T, AzureError>
where
    F: Future<Output = Result<T, SdkError>>,
{
    let mut forgotten = 0;
    loop {
        match call().await {
            Err(error) if is_forgotten(&error) && forgotten < MAX_FORGOTTEN => forgotten += 1,
            outcome => return outcome.map_err(failed),
        }
    }
}

fn failed(error: SdkError) -> AzureError {
    AzureError::from_sdk(&error, AzurePlace::Vault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_whose_token_was_forgotten_is_made_again_and_no_other() {
        let tries = std::cell::Cell::new(0);
        let call = async |fails: u32, kind: fn() -> SdkErrorKind| {
            tries.set(0);
            let made = || {
                tries.set(tries.get() + 1);
                match tries.get() <= fails {
                    true => Err(SdkError::with_message(kind(), "no")),
                    false => Ok(tries.get()),
                }
            };
            authorized(|| std::future::ready(made())).await
        };
        let forgotten = || SdkErrorKind::Credential;
        assert_eq!(call(5, forgotten).await.ok(), Some(6));
        assert!(call(u32::MAX, forgotten).await.is_err());
        assert_eq!(tries.get(), MAX_FORGOTTEN + 1);
        assert!(call(1, || SdkErrorKind::Other).await.is_err());
        assert_eq!(tries.get(), 1);
    }

    #[test]
    fn a_version_is_read_from_an_identifier_of_the_same_secret_only() {
        let name = RemoteName::new("planton--acme--db-1".to_owned());
        let version = "0123456789abcdef0123456789abcdef";
        let read = |id: &str| version_of(Some(id), &name).map(|id| id.as_str().to_owned());
        let host = "https://acme.vault.azure.net";
        for id in [
            format!("{host}/secrets/planton--acme--db-1/{version}"),
            format!("{host}:443/secrets/Planton--Acme--db-1/{version}"),
        ] {
            assert_eq!(read(&id).as_deref(), Some(version), "{id}");
        }
        for id in [
            format!("{host}/secrets/planton--acme--db-2/{version}"),
            format!("{host}/keys/planton--acme--db-1/{version}"),
            format!("{host}/secrets/planton--acme--db-1"),
            format!("{host}/secrets/planton--acme--db-1/{version}0"),
            format!("{host}/secrets/planton--acme--db-1/..%2f"),
            String::new(),
        ] {
            assert_eq!(read(&id), None, "{id}");
        }
        assert_eq!(version_of(None, &name), None);
    }
}
