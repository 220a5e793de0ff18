//! What the clients of one account and region have in common.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::identity::IdentityCache;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::connector::SmithyHttpClient;
use super::error::{AwsError, AwsErrorKind};
use super::identity::{AwsIdentitySettings, Identity, SharedIdentity, region, sdk_config};
use crate::http::{HttpClient, HttpSettings, RequestCounter, RequestLimits};

/// AWS asks to slow down with status 400, which is final elsewhere. The codes are
/// those that its SDKs take for throttling:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const SLOW_DOWN: &[(u16, &str)] = &[
    (400, "Throttling"),
    (400, "ThrottledException"),
    (400, "RequestThrottled"),
    (400, "TooManyRequestsException"),
    (400, "RequestLimitExceeded"),
    (400, "PriorRequestNotComplete"),
];

/// A signature is valid for five minutes, and the tries that follow a rate limit
/// need some of them:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>
const SIGNED_FOR: Duration = Duration::from_secs(180);

/// An identity in a region, and the way to AWS: one per backend or key.
#[derive(Clone, Debug)]
pub struct AwsSession {
    http: HttpClient,
    config: SdkConfig,
    region: Region,
    identity: Arc<Identity>,
}

impl AwsSession {
    /// Finds out the region, and where the environment or a profile wants
    /// requests to go. Asks AWS for nothing yet, unless only an instance's
    /// metadata tells the region.
    ///
    /// # Errors
    ///
    /// `Misconfigured` without any region, or when certificates cannot be used.
    pub async fn connect(
        settings: AwsIdentitySettings,
        mut http: HttpSettings,
    ) -> Result<Self, AwsError> {
        http.retry.rate_limits = SLOW_DOWN;
        http.retry.max_rate_limited = Some(SIGNED_FOR);
        let client = HttpClient::new(&http).map_err(AwsError::from_http)?;
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
            // The identity itself remembers, and can be told to forget.
            .identity_cache(IdentityCache::no_cache())
            .build();
        Ok(Self {
            http: client,
            config,
            region,
            identity,
        })
    }

    /// Returns what a client of the SDK is built from.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Returns the region.
    #[must_use]
    pub fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// Returns the count of requests to AWS, those to STS and SSO included.
    /// What a container or an instance is asked of itself is not counted.
    #[must_use]
    pub fn requests(&self) -> &RequestCounter {
        self.http.requests()
    }

    /// As [`call`](Self::call), for an answer that holds nothing that is needed:
    /// success is success with any body, and without one.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn tell<T, E, Sending>(&self, send: impl Fn() -> Sending) -> Result<(), AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        Sending: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let sending = || async {
            match send().await {
                Ok(_) => Ok(()),
                // The SDK could not read the answer, which nobody needs.
                Err(error) => match error.raw_response() {
                    Some(answer) if answer.status().is_success() => Ok(()),
                    _ => Err(error),
                },
            }
        };
        self.call(sending).await
    }

    /// Sends what `send` builds; once more, as somebody new, where AWS says that
    /// the credential has run out.
    ///
    /// # Errors
    ///
    /// [`AwsErrorKind`]; `Unauthenticated` where there is no credential at all.
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

    /// Sends what `send` builds, signed anew where a rate limit has outlived the
    /// signature: until the operation's deadline.
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
            let limits = RequestLimits::current();
            let outlived = refused.kind() == AwsErrorKind::RateLimited
                && signed.elapsed() > SIGNED_FOR / 2
                && limits.deadline.is_some();
            if !outlived || limits.stop().is_some() {
                return Err(refused);
            }
        }
    }
}
