//! The settings of a bucket, parsed once.

use std::collections::BTreeMap;

use serde_json::Value;
use url::{Host, Url};

use super::fields::vendor_of;
use super::location::{BucketLocation, BucketVendor};
use crate::aws::client::AwsIdentitySettings;
use crate::aws::{AwsConnection, AwsCredential};
use crate::azure::client::{AuthorityHost, AzureCredential};
use crate::azure::{AzureIdentity, read_credential as azure_credential};
use crate::gcp::client::{GcpCredential, GcpEndpoint, ServiceAccountEmail};
use crate::gcp::{GcpConnection, read_credential as gcp_credential};
use planton_core::store::{StoreCredential, StoreError};

/// The parsed settings of a bucket, with its credential.
///
/// # Security
///
/// The secret parts of a credential are zeroized, and redacted in `Debug`.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    pub(super) location: BucketLocation,
    pub(super) endpoint: Option<BucketEndpoint>,
    pub(super) access: Access,
}

/// How a vendor is reached, and as whom.
#[derive(Clone, Debug)]
pub(super) enum Access {
    S3(AwsIdentitySettings),
    Gcs {
        credential: GcpCredential,
        impersonate: Option<ServiceAccountEmail>,
    },
    Azure {
        credential: AzureCredential,
        authority: Option<AuthorityHost>,
    },
}

impl Access {
    /// Returns true if a credential may come over TLS, whatever the endpoint of the bucket.
    pub(super) fn uses_tls(&self) -> bool {
        match self {
            Self::S3(identity) => identity.credential.is_none() || identity.assume_role.is_some(),
            // Google's own crate has its own client, and IAM is at the endpoint.
            Self::Gcs { .. } => false,
            Self::Azure { .. } => true,
        }
    }
}

/// The address of a store: `https`, or `http` on this machine. It may have a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketEndpoint(Url);

/// A problem with one argument of the `bucket` block.
///
/// # Security
///
/// No text repeats the value, which may be a credential in the wrong argument.
#[derive(Debug, thiserror::Error)]
#[error("{argument} cannot be used: {remedy}")]
pub struct BucketProblem {
    argument: String,
    remedy: String,
}

impl BucketProblem {
    pub(super) fn new(argument: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            argument: argument.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the argument's name.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// Returns the allowed values, or what is missing.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

/// A problem of an argument that backends have as well. A backend's credentials are
/// write-only and end with `_wo`; those of the block do not.
impl From<StoreError> for BucketProblem {
    fn from(error: StoreError) -> Self {
        let plain = |text: &str| text.replace("_wo", "");
        let argument = plain(error.setting().unwrap_or("url"));
        let remedy = error.remedy().map_or_else(|| error.to_string(), plain);
        Self { argument, remedy }
    }
}

impl BucketSettings {
    /// Reads the arguments of the block, and the parts of a credential by their names. An
    /// absent argument is not in the map. No I/O.
    ///
    /// # Errors
    ///
    /// The first argument that cannot be used, as [`BucketProblem`].
    pub fn read(
        configuration: &BTreeMap<String, Value>,
        credential: &StoreCredential,
    ) -> Result<Self, BucketProblem> {
        let text = |name: &str| configuration.get(name).and_then(Value::as_str);
        let url = text("url").ok_or_else(|| {
            let remedy = "Set url to s3://bucket/prefix, gs://bucket/prefix or \
                          az://account/container/prefix.";
            BucketProblem::new("url", remedy)
        })?;
        let location = BucketLocation::parse(url)
            .map_err(|error| BucketProblem::new("url", format!("url {error}.")))?;
        reject_others(&location, configuration, credential)?;
        let endpoint = text("endpoint").map(BucketEndpoint::parse).transpose()?;
        // The endpoint is that of the bucket, and no address for other services.
        let mut identity = configuration.clone();
        identity.remove("endpoint");
        let access = match location.vendor() {
            BucketVendor::S3 => {
                let connection = AwsConnection::from_configuration(&identity, "s3")?;
                let credential: AwsCredential = connection.credential(credential)?;
                Access::S3(connection.identity(&credential))
            }
            BucketVendor::Gcs => Access::Gcs {
                credential: gcp_credential(credential)?,
                impersonate: GcpConnection::read(&identity)?.impersonate,
            },
            BucketVendor::Azure => {
                let identity = AzureIdentity::read(&identity)?;
                Access::Azure {
                    credential: azure_credential(&identity, credential)?,
                    authority: identity.authority_host,
                }
            }
        };
        Ok(Self {
            location,
            endpoint,
            access,
        })
    }

    /// Returns the location of the platform.
    #[must_use]
    pub fn location(&self) -> &BucketLocation {
        &self.location
    }
}

/// Rejects an argument of another vendor: it would have no effect.
fn reject_others(
    location: &BucketLocation,
    configuration: &BTreeMap<String, Value>,
    credential: &StoreCredential,
) -> Result<(), BucketProblem> {
    let is_set = |value: &Value| *value != Value::Bool(false) && !value.is_null();
    let set = configuration.iter().filter(|(_, value)| is_set(value));
    let names = set.map(|(name, _)| name).chain(credential.keys());
    for name in names {
        if let Some(vendor) = vendor_of(name).filter(|vendor| *vendor != location.vendor()) {
            let remedy = format!(
                "{name} is for buckets of {} ({}://…). Remove it, or change url.",
                vendor.name(),
                vendor.scheme()
            );
            return Err(BucketProblem::new(name.as_str(), remedy));
        }
    }
    Ok(())
}

impl BucketEndpoint {
    /// Parses an address. A plain connection would reveal tokens, and its responses could be
    /// forged, so it is allowed to this machine only.
    fn parse(text: &str) -> Result<Self, BucketProblem> {
        let refused = || {
            let remedy = "endpoint is a URL as https://storage.example.com: https (http for this \
                          machine only), a host, and neither a user, a query nor a fragment.";
            BucketProblem::new("endpoint", remedy)
        };
        let url = Url::parse(text.trim()).map_err(|_| refused())?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let endpoint = Self(url);
        let is_safe = match endpoint.0.scheme() {
            "https" => endpoint.0.host().is_some(),
            "http" => endpoint.is_loopback(),
            _ => false,
        };
        match is_plain && is_safe {
            true => Ok(endpoint),
            false => Err(refused()),
        }
    }

    /// Returns the address without a slash at its end.
    pub(super) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the address without its path, for the other services of a stand-in.
    pub(super) fn origin(&self) -> Option<GcpEndpoint> {
        GcpEndpoint::parse(&self.0.origin().ascii_serialization()).ok()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    fn read(configuration: Value, credential: &[&str]) -> Result<BucketSettings, BucketProblem> {
        let parts = credential
            .iter()
            .map(|name| ((*name).to_owned(), "hunter2".into()));
        BucketSettings::read(
            &serde_json::from_value(configuration).unwrap(),
            &parts.collect(),
        )
    }

    #[test]
    fn a_url_is_enough() {
        for url in [
            "s3://acme-state",
            "gs://acme-state/a",
            "az://acmestate/state",
        ] {
            let settings = read(json!({ "url": url }), &[]).unwrap();
            assert_eq!(settings.location().to_string(), url);
            assert_eq!(settings.endpoint, None);
        }
    }

    #[test]
    fn a_static_credential_is_read_and_never_shown() {
        let settings = read(
            json!({"url": "s3://acme-state", "access_key_id": "AKIA1", "region": "eu-west-1"}),
            &["secret_access_key"],
        )
        .unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
        let Access::S3(identity) = settings.access else {
            panic!("a bucket of S3")
        };
        assert_eq!(identity.credential.unwrap().access_key_id, "AKIA1");
        assert_eq!(identity.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn an_argument_that_cannot_be_used_is_named_and_not_repeated() {
        let s3 = "s3://acme-state";
        for (configuration, parts, argument) in [
            (json!({}), &[][..], "url"),
            (json!({"url": "s3://hunter2@acme"}), &[], "url"),
            (json!({"url": s3, "region": "hunter2/x"}), &[], "region"),
            (
                json!({"url": s3, "endpoint": "http://minio.example.com"}),
                &[],
                "endpoint",
            ),
            (
                json!({"url": s3, "endpoint": "https://u:hunter2@x"}),
                &[],
                "endpoint",
            ),
            (
                json!({"url": s3, "access_key_id": "AKIA1"}),
                &[],
                "secret_access_key",
            ),
            (json!({"url": s3}), &["secret_access_key"], "access_key_id"),
            (json!({"url": s3, "tenant_id": "t"}), &[], "tenant_id"),
            (json!({"url": s3}), &["client_secret"], "client_secret"),
            (
                json!({"url": "gs://acme-state", "region": "x"}),
                &[],
                "region",
            ),
            (
                json!({"url": "gs://acme-state"}),
                &["service_account_key_json"],
                "service_account_key_json",
            ),
            (
                json!({"url": "az://acmestate/state"}),
                &["client_secret"],
                "tenant_id",
            ),
            (
                json!({"url": "az://acmestate/state", "profile": "x"}),
                &[],
                "profile",
            ),
        ] {
            let problem = read(configuration, parts).unwrap_err();
            assert_eq!(problem.argument(), argument);
            let text = format!("{problem} {problem:?}");
            assert!(!text.contains("hunter2") && !text.contains("_wo"), "{text}");
        }
    }

    #[test]
    fn an_endpoint_uses_tls_or_is_on_this_machine() {
        for good in [
            "http://127.0.0.1:9000",
            "http://localhost:1/x",
            "https://minio.example.com",
        ] {
            assert!(BucketEndpoint::parse(good).is_ok(), "{good}");
        }
        let path = BucketEndpoint::parse("http://127.0.0.1:10000/devstoreaccount1/").unwrap();
        assert_eq!(path.as_str(), "http://127.0.0.1:10000/devstoreaccount1");
        for bad in [
            "http://10.0.0.1",
            "ftp://localhost",
            "https://a?b",
            "https://a#b",
            "a",
        ] {
            assert!(BucketEndpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
