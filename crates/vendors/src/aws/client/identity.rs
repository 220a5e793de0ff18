//! The credentials in use: a static key or the ambient chain, and an assumed role.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use tokio::sync::Mutex;

use super::connector::SmithyHttpClient;
use super::error::{AwsError, AwsErrorKind};
use planton_secret::SecretString;

/// Session name of an assumed role, shown by CloudTrail.
const SESSION_NAME: &str = "terraform-provider-planton";

/// Minimum remaining lifetime of a credential: one request may be retried for 60
/// seconds.
const LEAST_LIFETIME: Duration = Duration::from_secs(120);

/// The region and the credentials of a session.
#[derive(Clone, Debug, Default)]
pub struct AwsIdentitySettings {
    /// The region; absent for the ambient one.
    pub region: Option<String>,
    /// The profile in AWS's shared files; absent for the ambient one.
    pub profile: Option<String>,
    /// A static credential. If absent, the ambient chain applies: environment, shared
    /// files, SSO, web identity, containers, instances.
    pub credential: Option<StaticCredential>,
    /// The role to assume with these credentials.
    pub assume_role: Option<AssumeRole>,
}

/// A static access key.
///
/// # Security
///
/// The secret parts are [`SecretString`]s: zeroized, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub struct StaticCredential {
    /// The access key ID.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// The session token of a temporary key.
    pub session_token: Option<SecretString>,
}

/// A role to assume.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// The role's ARN.
    pub arn: String,
    /// The external ID that the role's trust policy requires.
    pub external_id: Option<String>,
}

/// The credentials in use: loaded once, and again before they expire.
#[derive(Debug)]
pub(super) struct Identity {
    settings: AwsIdentitySettings,
    transport: SmithyHttpClient,
    current: Mutex<Option<Credentials>>,
}

impl Identity {
    pub(super) fn new(settings: AwsIdentitySettings, transport: SmithyHttpClient) -> Self {
        Self {
            settings,
            transport,
            current: Mutex::new(None),
        }
    }

    /// Returns the current credential. Loads one if none is cached, or if it would
    /// expire during a request.
    pub(super) async fn current(&self) -> Result<Credentials, AwsError> {
        let mut current = self.current.lock().await;
        if let Some(credential) = current.as_ref().filter(|held| lasts(held)) {
            return Ok(credential.clone());
        }
        let loaded = self.load().await?;
        *current = Some(loaded.clone());
        Ok(loaded)
    }

    /// Loads a credential to replace `refused`. Returns `None` if the chain provides
    /// the same one. Concurrent callers share one load.
    pub(super) async fn other_than(
        &self,
        refused: &Credentials,
    ) -> Result<Option<Credentials>, AwsError> {
        let mut current = self.current.lock().await;
        if current.as_ref().is_none_or(|held| is_same(held, refused)) {
            *current = Some(self.load().await?);
        }
        Ok(current.clone().filter(|held| !is_same(held, refused)))
    }

    /// Runs the whole chain again, since the SDK's own providers cache the shared
    /// files.
    async fn load(&self) -> Result<Credentials, AwsError> {
        let config = sdk_config(&self.settings, &self.transport).await;
        let provided = match &self.settings.assume_role {
            Some(role) => {
                let mut taking = AssumeRoleProvider::builder(&role.arn)
                    .session_name(SESSION_NAME)
                    .configure(&config);
                if let Some(id) = &role.external_id {
                    taking = taking.external_id(id);
                }
                taking.build().await.provide_credentials().await
            }
            None => match config.credentials_provider() {
                Some(chain) => chain.provide_credentials().await,
                None => Err(CredentialsError::not_loaded_no_source()),
            },
        };
        provided.map_err(|error| AwsError::from_credentials(&error))
    }
}

/// The credentials provider of the SDK's clients.
#[derive(Clone, Debug)]
pub(super) struct SharedIdentity(pub(super) std::sync::Arc<Identity>);

impl ProvideCredentials for SharedIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let current = self.0.current().await;
            current.map_err(CredentialsError::provider_error)
        })
    }
}

/// Loads region, endpoints and credential chain as AWS's own tools do.
pub(super) async fn sdk_config(
    settings: &AwsIdentitySettings,
    transport: &SmithyHttpClient,
) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(transport.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(credential) = &settings.credential {
        let token = credential.session_token.as_ref();
        loader = loader.credentials_provider(Credentials::new(
            &credential.access_key_id,
            credential.secret_access_key.expose(),
            token.map(|token| token.expose().to_owned()),
            None,
            "static",
        ));
    }
    loader.load().await
}

/// Returns the region of a configuration.
pub(super) fn region(config: &SdkConfig) -> Result<Region, AwsError> {
    config.region().cloned().ok_or_else(|| {
        AwsError::new(
            AwsErrorKind::Misconfigured,
            "no region: neither configured, nor in the environment, a profile or an instance's \
             metadata",
        )
    })
}

fn lasts(credential: &Credentials) -> bool {
    credential
        .expiry()
        .is_none_or(|expiry| expiry > SystemTime::now() + LEAST_LIFETIME)
}

/// Compares access key ID and session token. Each session has its own token and each
/// key its own ID, so the secret parts need no comparison.
fn is_same(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id() && one.session_token() == other.session_token()
}
