//! State that all clients of one account and region share.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::identity::IdentityCache;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::connector::SmithyHttpClient;
use super::error::{AwsError, AwsErrorKind};
use super::identity::{AwsIdentitySettings, Identity, SharedIdentity, region, sdk_config};
use crate::http::{HttpClient, HttpSettings, OperationContext, RequestCounter};

/// AWS also returns status 400 for a rate limit, which is not retried by default. The
/// codes are those that its SDKs treat as throttling:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const SLOW_DOWN: &[(u16, &str)] = &[
    (400, "Throttling"),
    (400, "ThrottledException"),
    (400, "RequestThrottled"),
    (400, "TooManyRequestsException"),
    (400, "RequestLimitExceeded"),
    (400, "PriorRequestNotComplete"),
];

/// Time for which one signature is reused. It is valid for five minutes, and the tries
/// after a rate limit need some of them:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>
const SIGNED_FOR: Duration = Duration::from_secs(180);

/// A region, the credentials for it, and the HTTP client: one session per backend or key.
#[derive(Clone, Debug)]
pub struct AwsSession {
    http: HttpClient,
    config: SdkConfig,
    region: Region,
    identity: Arc<Identity>,
}

impl AwsSession {
    /// Resolves the region and the endpoints that the environment or a profile
    /// configures.
    ///
    /// Sends no request to AWS. If only the instance metadata has the region, it reads
    /// that.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if no region is configured, or if the certificates are unusable.
    pub async fn connect(
        settings: AwsIdentitySettings,
        http: HttpSettings,
    ) -> Result<Self, AwsError> {
        let client = HttpClient::new(&http).map_err(AwsError::from_http)?;
        Self::over(client, settings, http).await
    }

    /// Connects as [`connect`](Self::connect), over the connections of `client`, which was
    /// built from `http`.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if no region is configured.
    pub async fn over(
        client: HttpClient,
        settings: AwsIdentitySettings,
        mut http: HttpSettings,
    ) -> Result<Self, AwsError> {
        http.retry.rate_limits = SLOW_DOWN;
        http.retry.max_rate_limited = Some(SIGNED_FOR);
        let client = client.with_retry(http.retry.clone());
        let transport = SmithyHttpClient::new(&client, http);
        let config = sdk_config(&settings, &transport).await;
        let region = region(&config)?;
        let settings = AwsIdentitySettings {
            region: Some(region.to_string()),
            ..settings
        };
        let identity = Arc::new(Identity::new(settings, transport));
        let provider = SharedCredentialsProvider::new(SharedIdentity(Arc::clone(&identity)));
        let config = config
            .into_builder()
            .credentials_provider(provider)
            // `Identity` caches the credentials itself, and can discard them.
            .identity_cache(IdentityCache::no_cache())
            .build();
        Ok(Self {
            http: client,
            config,
            region,
            identity,
        })
    }

    /// Returns the configuration to build a client of the SDK from.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// Returns the current credential, for a signer other than the SDK's.
    ///
    /// # Errors
    ///
    /// [`AwsErrorKind`]; `Unauthenticated` if no credentials are available.
    pub async fn credentials(&self) -> Result<Credentials, AwsError> {
        self.identity.current().await
    }

    /// Loads a credential in the place of `refused`, which AWS reports as expired. Returns
    /// whether it is another one.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub async fn renews(&self, refused: &Credentials) -> Result<bool, AwsError> {
        Ok(self.identity.other_than(refused).await?.is_some())
    }

    /// Returns the count of requests to AWS, including those to STS and SSO. Requests
    /// to the metadata services of containers and instances are not counted.
    #[must_use]
    pub fn requests(&self) -> &RequestCounter {
        self.http.requests()
    }

    /// Makes a call as [`call`](Self::call), and ignores the response body. Every
    /// success status is a success, with any body or none.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    pub async fn tell<T, E, Sending>(&self, send: impl Fn() -> Sending) -> Result<(), AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        Sending: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let sending = || async {
            match send().await {
                Ok(_) => Ok(()),
                // The SDK could not parse a body that the caller does not need.
                Err(error) => match error.raw_response() {
                    Some(answer) if answer.status().is_success() => Ok(()),
                    _ => Err(error),
                },
            }
        };
        self.call(sending).await
    }

    /// Sends the request that `send` builds. If AWS reports expired credentials, loads
    /// others and retries once.
    ///
    /// # Errors
    ///
    /// [`AwsErrorKind`]; `Unauthenticated` if no credentials are available.
    pub async fn call<T, E, Sending>(&self, send: impl Fn() -> Sending) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        Sending: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let used = self.identity.current().await?;
        let refused = match self.patiently(&send).await {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        if refused.kind() != AwsErrorKind::Expired
            || self.identity.other_than(&used).await?.is_none()
        {
            return Err(refused);
        }
        self.patiently(&send).await
    }

    /// Sends the request that `send` builds. If a rate limit lasts longer than the
    /// signature, signs again and retries until the operation's deadline.
    async fn patiently<T, E, Sending>(&self, send: &impl Fn() -> Sending) -> Result<T, AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        Sending: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        loop {
            let signed = Instant::now();
            let refused = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => AwsError::from_sdk(error),
            };
            let context = OperationContext::current();
            let outlived = refused.kind() == AwsErrorKind::RateLimited
                && signed.elapsed() > SIGNED_FOR / 2
                && context.deadline.is_some();
            if !outlived || context.stop().is_some() {
                return Err(refused);
            }
        }
    }
}
