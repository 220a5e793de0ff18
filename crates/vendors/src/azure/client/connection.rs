//! The connection of an SDK client to a vault.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use url::Url;

use super::credential::{AzureCredential, IdentityRoutes};
use super::environment::variable;
use super::error::{AzureError, AzureErrorKind, AzurePlace};
use super::rest::{VaultCall, VaultRest};
use super::token::{Audience, AzureTokens};
use super::transport::{IdentityTransport, METADATA, RefusedToken, VaultTransport};
use super::vault::{AuthorityHost, VaultUrl};
use crate::http::{HttpClient, HttpResponse, HttpSettings, Proxies, RetryPolicy};

/// A transient conflict: a recovery takes some seconds. A deletion may take minutes,
/// and the store waits for it.
const PASSING: &[(u16, &str)] = &[(409, "ObjectIsBeingRecovered")];

/// Retries of a virtual machine's metadata service, which is on the same machine or
/// absent. It returns 404 and 410 while it starts:
/// <https://app.unpkg.com/@azure/identity@4.11.1/files/dist/esm/credentials/managedIdentityCredential/imdsRetryPolicy.d.ts>
const METADATA_RETRY: RetryPolicy = RetryPolicy {
    max_tries: 4,
    max_elapsed: Duration::from_secs(20),
    base_delay: Duration::from_millis(200),
    max_delay: Duration::from_secs(5),
    extra_statuses: &[404, 410],
    extra_answers: &[],
    max_rate_limited: None,
    rate_limits: &[],
    rate_limit_reasons: &[],
};
const METADATA_CONNECT: Duration = Duration::from_secs(1);

/// The parts from which to build the SDK's clients of one vault.
#[derive(Debug)]
pub struct AzureConnection {
    vault: VaultUrl,
    http: HttpClient,
    metadata: HttpClient,
    tokens: Arc<AzureTokens>,
    transport: Arc<VaultTransport>,
    rest: VaultRest,
}

impl AzureConnection {
    /// Creates the clients without any I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if the certificates are unusable.
    pub fn new(
        vault: &VaultUrl,
        authority: Option<&AuthorityHost>,
        credential: &AzureCredential,
        settings: &HttpSettings,
    ) -> Result<Self, AzureError> {
        let client = |settings: &HttpSettings, place| {
            HttpClient::new(settings).map_err(|error| AzureError::from_http(&error, place))
        };
        let http = client(settings, AzurePlace::Vault)?;
        let metadata = client(&metadata_settings(settings), AzurePlace::Identity)?;
        let refused = RefusedToken::default();
        let tokens = Arc::new(AzureTokens::new(
            Audience::Vault(vault.clone()),
            credential,
            &authority_of(|| vault.authority(), authority, credential)?,
            (&http, &metadata),
            refused.clone(),
        )?);
        let patient = http.with_retry(RetryPolicy {
            extra_answers: PASSING,
            ..settings.retry.clone()
        });
        Ok(Self {
            rest: VaultRest::new(
                patient.clone(),
                vault.clone(),
                Arc::clone(&tokens),
                refused.clone(),
            ),
            transport: Arc::new(VaultTransport::new(patient, vault.clone(), refused)),
            vault: vault.clone(),
            http,
            metadata,
            tokens,
        })
    }

    /// Returns the options for a client of the vault.
    #[must_use]
    pub fn client_options(&self) -> ClientOptions {
        let transport: Arc<dyn azure_core::http::HttpClient> = self.transport.clone();
        ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(transport)),
            ..ClientOptions::default()
        }
    }

    /// Returns the credential for a client of the vault.
    #[must_use]
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        self.tokens.clone()
    }

    /// Returns whether the SDK may compare a challenge with the vault's domain. For
    /// domains other than Microsoft's, only the provider's own check applies.
    #[must_use]
    pub fn verifies_challenge_resource(&self) -> bool {
        self.vault.is_in_a_known_cloud()
    }

    /// Sends a request of an API for which the SDK has no stable client.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn call(&self, call: &VaultCall<'_>) -> Result<HttpResponse, AzureError> {
        self.rest.call(call).await
    }

    /// Returns the number of requests so far, including those for tokens.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.http.requests().total() + self.metadata.requests().total()
    }
}

impl AzureTokens {
    /// Creates the tokens of a service, over the client of the service and that of this
    /// machine's metadata. No I/O.
    pub(super) fn new(
        audience: Audience,
        credential: &AzureCredential,
        authority: &AuthorityHost,
        (http, metadata): (&HttpClient, &HttpClient),
        refused: RefusedToken,
    ) -> Result<Self, AzureError> {
        let cloud = Arc::new(cloud(authority));
        let at = metadata_address()?;
        let route = |http: &HttpClient| ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(IdentityTransport::new(
                http.clone(),
                Some(at.clone()),
            )))),
            cloud: Some(Arc::clone(&cloud)),
            ..ClientOptions::default()
        };
        Ok(Self {
            credential: credential.clone(),
            audience,
            routes: IdentityRoutes {
                authority: route(http),
                machine: route(metadata),
                http: http.clone(),
            },
            probe: metadata.with_retry(RetryPolicy {
                max_tries: 1,
                ..METADATA_RETRY
            }),
            metadata: at,
            refused,
            chosen: OnceLock::new(),
            kept: tokio::sync::Mutex::new(None),
        })
    }
}

/// Returns the settings of a client for this machine's metadata service.
pub(super) fn metadata_settings(settings: &HttpSettings) -> HttpSettings {
    HttpSettings {
        // These requests must not leave the machine.
        proxies: Proxies::Ignored,
        retry: METADATA_RETRY,
        connect_timeout: METADATA_CONNECT,
        ..settings.clone()
    }
}

/// Returns the token authority: the configured one, or the environment's, or that of
/// the service's cloud. A client secret ignores the environment, so that no variable can
/// redirect it.
pub(super) fn authority_of(
    of_cloud: impl FnOnce() -> AuthorityHost,
    configured: Option<&AuthorityHost>,
    credential: &AzureCredential,
) -> Result<AuthorityHost, AzureError> {
    if let Some(configured) = configured {
        return Ok(configured.clone());
    }
    let named = match credential {
        AzureCredential::ClientSecret { .. } => None,
        _ => variable("AZURE_AUTHORITY_HOST"),
    };
    match named {
        Some(named) => AuthorityHost::parse(&named)
            .map_err(|problem| misconfigured(&format!("AZURE_AUTHORITY_HOST: {problem}"))),
        None => Ok(of_cloud()),
    }
}

/// Returns the address of the metadata service, which an environment variable may
/// change.
fn metadata_address() -> Result<Url, AzureError> {
    let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
    let address = variable(name).unwrap_or_else(|| METADATA.to_owned());
    Url::parse(&address).map_err(|_| misconfigured(&format!("{name} is not a URL")))
}

fn misconfigured(said: &str) -> AzureError {
    AzureError::new(AzureErrorKind::Misconfigured, AzurePlace::Identity, said)
}

fn cloud(authority: &AuthorityHost) -> CloudConfiguration {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = authority.as_str().to_owned();
    custom.into()
}
