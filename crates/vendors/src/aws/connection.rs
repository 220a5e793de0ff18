//! How AWS is reached: Region, endpoint and identity, the same for a backend and a key.

use std::collections::BTreeMap;

use serde_json::Value;
use url::{Host, Url};

use super::credential::AwsCredential;
use super::settings::unusable;
use crate::aws::client::{AssumeRole, AwsIdentitySettings, StaticCredential};
use planton_core::store::{StoreCredential, StoreError};
use planton_secret::SecretString;

/// The parsed settings of a connection. They contain no credential.
#[derive(Clone, Debug)]
pub(crate) struct AwsConnection {
    /// The region; absent for the ambient one.
    pub(super) region: Option<String>,
    /// The access key ID of a static key; the secret part is in the credential.
    pub(super) access_key_id: Option<String>,
    /// The profile in AWS's shared files.
    pub(super) profile: Option<String>,
    /// The role to assume.
    pub(super) assume_role: Option<AssumeRole>,
    /// The address of the service, instead of AWS's own.
    pub(super) endpoint: Option<Url>,
}

impl AwsConnection {
    /// Parses the settings of a connection to `service`, as its public endpoints name it.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the setting's name as the path.
    pub(crate) fn from_configuration(
        configuration: &BTreeMap<String, Value>,
        service: &str,
    ) -> Result<Self, StoreError> {
        let text = |name: &str| configuration.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).map(str::to_owned);
        let region = owned("region");
        if region.as_ref().is_some_and(|region| !is_region(region)) {
            return Err(unusable(
                "region",
                "region must be the name of a region, such as eu-central-1.",
            ));
        }
        let access_key_id = owned("access_key_id");
        let key_name =
            |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if access_key_id.as_ref().is_some_and(|id| !key_name(id)) {
            return Err(unusable("access_key_id", "It has letters and digits only."));
        }
        let endpoint = text("endpoint").map(|text| endpoint(text, service));
        Ok(Self {
            region,
            access_key_id,
            profile: owned("profile"),
            assume_role: assume_role(text("assume_role_arn"), owned("external_id"))?,
            endpoint: endpoint.transpose()?,
        })
    }

    /// Combines the secret parts of a credential with the configured `access_key_id`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the name of the missing part as the path.
    pub(crate) fn credential(&self, parts: &StoreCredential) -> Result<AwsCredential, StoreError> {
        let part = |name: &str| -> Option<SecretString> {
            parts.get(name).filter(|part| !part.is_empty()).cloned()
        };
        let session_token = part("session_token");
        match (&self.access_key_id, part("secret_access_key")) {
            (Some(id), Some(secret_access_key)) => Ok(AwsCredential::Static(StaticCredential {
                access_key_id: id.clone(),
                secret_access_key,
                session_token,
            })),
            (None, Some(_)) => Err(unusable(
                "access_key_id",
                "Set it to the ID of the access key whose secret is secret_access_key_wo.",
            )),
            (Some(_), None) => Err(no_secret_part()),
            (None, None) if session_token.is_some() => Err(unusable(
                "session_token_wo",
                "It requires access_key_id and secret_access_key_wo, which are not set.",
            )),
            (None, None) => Ok(AwsCredential::Ambient),
        }
    }

    /// Returns the identity of a session, for the configured region.
    pub(crate) fn identity(&self, credential: &AwsCredential) -> AwsIdentitySettings {
        AwsIdentitySettings {
            region: self.region.clone(),
            profile: self.profile.clone(),
            credential: match credential {
                AwsCredential::Static(credential) => Some(credential.clone()),
                AwsCredential::Ambient => None,
            },
            assume_role: self.assume_role.clone(),
        }
    }

    /// Returns the endpoint as the SDK's clients take it.
    pub(super) fn endpoint_url(&self) -> Option<&str> {
        let endpoint = self.endpoint.as_ref()?;
        Some(endpoint.as_str().trim_end_matches('/'))
    }
}

/// Returns the error of an access key ID without its secret part.
pub(super) fn no_secret_part() -> StoreError {
    unusable(
        "secret_access_key_wo",
        "secret_access_key_wo is required with access_key_id. To use the ambient credentials, set neither.",
    )
}

/// Returns true for a text with the form of a region's name.
pub(crate) fn is_region(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(known)
}

fn assume_role(
    arn: Option<&str>,
    external_id: Option<String>,
) -> Result<Option<AssumeRole>, StoreError> {
    match arn {
        Some(arn) if arn.starts_with("arn:") && arn.contains(":role/") => Ok(Some(AssumeRole {
            arn: arn.to_owned(),
            external_id,
        })),
        Some(_) => Err(unusable(
            "assume_role_arn",
            "assume_role_arn must be the ARN of a role, such as arn:aws:iam::123456789012:role/name.",
        )),
        None if external_id.is_some() => Err(unusable(
            "external_id",
            "external_id has an effect only with assume_role_arn, which is not set. Set both, or neither.",
        )),
        None => Ok(None),
    }
}

/// Parses `endpoint`, which must use TLS unless its host is this machine. A plain
/// connection would reveal the session token, and its responses could be forged.
fn endpoint(text: &str, service: &str) -> Result<Url, StoreError> {
    let refused = || {
        unusable(
            "endpoint",
            &format!(
                "endpoint must be a URL such as https://{service}.eu-central-1.amazonaws.com: https \
                 (http for this machine only), a host, and no user, query or fragment."
            ),
        )
    };
    let url = Url::parse(text.trim()).map_err(|_| refused())?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(refused()),
    };
    if plain && (url.scheme() == "https" || url.scheme() == "http" && here) {
        Ok(url)
    } else {
        Err(refused())
    }
}
