//! Who calls: a static credential or the ambient chain, and a role on top.

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

/// Shown by CloudTrail as the caller's session.
const SESSION_NAME: &str = "terraform-provider-planton";

/// A request may be tried for 60 seconds: a credential has to last longer.
const LEAST_LIFETIME: Duration = Duration::from_secs(120);

/// Where requests go, and as whom.
#[derive(Clone, Debug, Default)]
pub struct AwsIdentitySettings {
    /// The region; absent for the ambient one.
    pub region: Option<String>,
    /// The profile of the shared files; absent for the ambient one.
    pub profile: Option<String>,
    /// A static credential; absent for the ambient chain: environment, shared
    /// files, SSO, web identity, containers, instances.
    pub credential: Option<StaticCredential>,
    /// A role to take with it.
    pub assume_role: Option<AssumeRole>,
}

/// An access key.
///
/// # Security
///
/// The secret parts are [`SecretString`]s: zeroized, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub struct StaticCredential {
    /// The key's public name.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// What goes with a temporary key.
    pub session_token: Option<SecretString>,
}

/// A role to take.
#[derive(Clone, Debug)]
pub struct AssumeRole {
    /// The role's ARN.
    pub arn: String,
    /// What the role's owner asks for.
    pub external_id: Option<String>,
}

/// The identity in use: loaded once, kept until it runs out.
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

    /// Returns the credential in use; loads one where there is none, or it would
    /// run out during a request.
    pub(super) async fn current(&self) -> Result<Credentials, AwsError> {
        let mut current = self.current.lock().await;
        if let Some(credential) = current.as_ref().filter(|held| lasts(held)) {
            return Ok(credential.clone());
        }
        let loaded = self.load().await?;
        *current = Some(loaded.clone());
        Ok(loaded)
    }

    /// Loads another credential in place of `refused`; `None` where there is no
    /// other. Callers at the same time share one.
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

    /// Goes through the chain from its start: the SDK's own objects remember the
    /// shared files as they were.
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

/// What the SDK's clients ask.
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

/// Reads region, endpoints and the chain from where AWS's tools have them.
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

/// A session token is new with each session, a key's name with each key; what
/// is secret need not be compared.
fn is_same(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id() && one.session_token() == other.session_token()
}
