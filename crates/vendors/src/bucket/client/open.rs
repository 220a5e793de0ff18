//! Builds the vendor's client of `object_store`.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::HttpClient as StoreClient;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::{ObjectStore, RetryConfig};

use super::credentials::{AzureProvider, GcsProvider, S3Provider, azure_fault, s3_fault};
use super::fault::{Fault, FaultKind};
use super::http_service::{BucketService, ExtraHeaders};
use crate::aws::client::{AwsIdentitySettings, AwsSession};
use crate::aws::is_region;
use crate::azure::client::StorageTokens;
use crate::bucket::location::BucketLocation;
use crate::bucket::settings::{Access, BucketEndpoint, BucketSettings};
use crate::gcp::client::{GcpEndpoint, TokenSource};
use crate::http::{HttpClient, HttpSettings, RetryPolicy};

/// Rate limits with another status than 429:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>,
/// <https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes>
const RATE_LIMITS: &[(u16, &str)] = &[(503, "SlowDown"), (503, "ServerBusy")];

/// S3 answers a HEAD without a body. Only the words beside the status tell a rate limit from an
/// outage: <https://github.com/aws/aws-sdk-java-v2/pull/6845>
pub(super) const SLOW_DOWN: (u16, &str) = (503, "Slow Down");

/// Maximum total time of a request whose answer is dispensable.
const BRIEFLY: Duration = Duration::from_secs(5);

/// A vendor's client that also returns single pages of a listing.
pub(super) trait PagedStore: ObjectStore + PaginatedListStore {}

impl<S: ObjectStore + PaginatedListStore> PagedStore for S {}

/// A vendor's client, with its credential.
#[derive(Debug)]
pub(super) struct OpenBucket {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same client, for single pages of a listing.
    pub(super) pages: Arc<dyn PagedStore>,
    pub(super) credentials: Credentials,
    pub(super) service: StoreClient,
    /// The same service with few tries, for an answer that is dispensable.
    pub(super) brief: StoreClient,
}

/// The credential of a bucket.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    S3(Arc<S3Provider>),
    Gcs(Arc<GcsProvider>),
    Azure(Arc<AzureProvider>),
}

impl Credentials {
    /// Replaces a rejected credential. Returns whether a request may be repeated.
    pub(super) async fn renews(&self) -> bool {
        match self {
            Self::S3(provider) => provider.renews().await,
            Self::Gcs(provider) => provider.renews().await,
            Self::Azure(provider) => provider.renews(),
        }
    }
}

impl OpenBucket {
    /// Builds the client. Only a search for the Region in AWS's instance metadata sends a
    /// request.
    pub(super) async fn open(
        settings: &BucketSettings,
        http: &HttpClient,
        http_settings: &HttpSettings,
    ) -> Result<Self, Fault> {
        let retry = RetryPolicy {
            rate_limits: RATE_LIMITS,
            rate_limit_reasons: &[SLOW_DOWN],
            // A signature is valid for 15 minutes: see `AwsSession`.
            max_rate_limited: Some(Duration::from_secs(180)),
            ..http_settings.retry.clone()
        };
        let extra = ExtraHeaders::default();
        let few_tries = RetryPolicy {
            max_tries: 2,
            max_elapsed: BRIEFLY,
            max_rate_limited: Some(BRIEFLY),
            ..retry.clone()
        };
        let brief = BucketService::new(http, few_tries, Arc::clone(&extra));
        let service = BucketService::new(http, retry, Arc::clone(&extra));
        let place = Place {
            location: settings.location(),
            endpoint: settings.endpoint.as_ref(),
            service,
            brief,
        };
        match &settings.access {
            Access::S3(identity) => place.s3(identity, http, http_settings).await,
            Access::Gcs {
                credential,
                impersonate,
            } => {
                let mut tokens = TokenSource::new(credential.clone());
                if let Some(account) = impersonate {
                    // A stand-in for Google on this machine also stands in for IAM.
                    let near = place.endpoint.filter(|endpoint| endpoint.is_loopback());
                    let iam = near.and_then(BucketEndpoint::origin);
                    let iam = iam.unwrap_or_else(|| GcpEndpoint::public("iamcredentials"));
                    tokens = tokens.impersonating(account.clone(), iam);
                }
                place.gcs(GcsProvider::new(http.clone(), tokens, extra))
            }
            Access::Azure {
                credential,
                authority,
            } => {
                let authority = authority.as_ref();
                let tokens = StorageTokens::new(credential, authority, http, http_settings);
                place.azure(AzureProvider::new(tokens.map_err(azure_fault)?))
            }
        }
    }
}

struct Place<'a> {
    location: &'a BucketLocation,
    endpoint: Option<&'a BucketEndpoint>,
    service: BucketService,
    brief: BucketService,
}

impl Place<'_> {
    async fn s3(
        self,
        identity: &AwsIdentitySettings,
        http: &HttpClient,
        http_settings: &HttpSettings,
    ) -> Result<OpenBucket, Fault> {
        let session = AwsSession::over(http.clone(), identity.clone(), http_settings.clone());
        let session = session.await.map_err(s3_fault)?;
        let bucket = self.location.bucket();
        let region = session.region().to_owned();
        check_region(&region)?;
        let (address, is_host) = match self.endpoint {
            Some(endpoint) => (endpoint.as_str().to_owned(), false),
            None => s3_address(bucket, &region),
        };
        let provider = Arc::new(S3Provider::new(session));
        let store = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_endpoint(address)
            .with_virtual_hosted_style_request(is_host)
            .with_credentials(Arc::clone(&provider) as _)
            // Object Lock requires a checksum of each object:
            // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
            .with_checksum_algorithm(Checksum::SHA256)
            .with_disable_bulk_delete(true)
            .with_retry(no_retries())
            .with_http_connector(self.service.clone())
            .build();
        self.opened(store, Credentials::S3(provider))
    }

    fn gcs(self, provider: GcsProvider) -> Result<OpenBucket, Fault> {
        let provider = Arc::new(provider);
        let address = gcs_address(self.endpoint);
        let store = GoogleCloudStorageBuilder::new()
            .with_bucket_name(self.location.bucket())
            .with_base_url(address)
            .with_credentials(Arc::clone(&provider) as _)
            .with_retry(no_retries())
            .with_http_connector(self.service.clone())
            .build();
        self.opened(store, Credentials::Gcs(provider))
    }

    fn opened(
        self,
        store: object_store::Result<impl ObjectStore + PaginatedListStore>,
        credentials: Credentials,
    ) -> Result<OpenBucket, Fault> {
        let store = Arc::new(store.map_err(unusable)?);
        Ok(OpenBucket {
            pages: Arc::clone(&store) as _,
            store,
            credentials,
            service: StoreClient::new(self.service),
            brief: StoreClient::new(self.brief),
        })
    }

    fn azure(self, provider: AzureProvider) -> Result<OpenBucket, Fault> {
        let provider = Arc::new(provider);
        let address = azure_address(self.location, self.endpoint);
        let store = MicrosoftAzureBuilder::new()
            .with_account(self.location.account())
            .with_container_name(self.location.bucket())
            .with_endpoint(address)
            .with_credentials(Arc::clone(&provider) as _)
            .with_retry(no_retries())
            .with_http_connector(self.service.clone())
            .build();
        self.opened(store, Credentials::Azure(provider))
    }
}

/// Returns the address of both APIs of Google's store.
pub(super) fn gcs_address(endpoint: Option<&BucketEndpoint>) -> &str {
    endpoint.map_or("https://storage.googleapis.com", BucketEndpoint::as_str)
}

/// Returns the address of a bucket of S3.
pub(super) fn s3_address_of(
    location: &BucketLocation,
    endpoint: Option<&BucketEndpoint>,
    region: &str,
) -> String {
    let bucket = location.bucket();
    let (address, is_host) = match endpoint {
        Some(endpoint) => (endpoint.as_str().to_owned(), false),
        None => s3_address(bucket, region),
    };
    match is_host {
        true => format!("{address}/"),
        false => format!("{address}/{bucket}"),
    }
}

/// Returns the address of a storage account.
pub(super) fn azure_address(
    location: &BucketLocation,
    endpoint: Option<&BucketEndpoint>,
) -> String {
    match endpoint {
        Some(endpoint) => endpoint.as_str().to_owned(),
        None => format!("https://{}.blob.core.windows.net", location.account()),
    }
}

/// Returns the address of a bucket in its Region, and whether the bucket is part of the host.
///
/// The certificates of S3 do not cover a bucket with a dot:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
fn s3_address(bucket: &str, region: &str) -> (String, bool) {
    let domain = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    match bucket.contains('.') {
        true => (format!("https://s3.{region}.{domain}"), false),
        false => (format!("https://{bucket}.s3.{region}.{domain}"), true),
    }
}

/// Checks a Region, which is part of the host, and which the environment may set.
fn check_region(region: &str) -> Result<(), Fault> {
    if is_region(region) {
        return Ok(());
    }
    let said = "the Region is not the name of a Region";
    let remedy = "Set region, AWS_REGION or the Region of the profile in use to a name such as \
                  eu-central-1.";
    Err(Fault::new(FaultKind::Misconfigured, said).with_remedy(Some(remedy.to_owned())))
}

fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// Describes settings that the crate rejects. Omits its error, which may quote them.
fn unusable(_: object_store::Error) -> Fault {
    Fault::new(FaultKind::Misconfigured, "the settings cannot be used")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_that_leads_to_another_host_is_rejected() {
        assert!(check_region("eu-central-1").is_ok());
        for bad in [
            "",
            "eu-west-1.evil.example/",
            "eu west",
            "eu-west-1\n",
            "EU",
        ] {
            assert!(check_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bucket_is_part_of_the_host_unless_its_certificate_would_not_fit() {
        for (bucket, region, address, is_host) in [
            (
                "acme",
                "eu-west-1",
                "https://acme.s3.eu-west-1.amazonaws.com",
                true,
            ),
            (
                "a.cme",
                "eu-west-1",
                "https://s3.eu-west-1.amazonaws.com",
                false,
            ),
            (
                "acme",
                "cn-north-1",
                "https://acme.s3.cn-north-1.amazonaws.com.cn",
                true,
            ),
        ] {
            assert_eq!(s3_address(bucket, region), (address.to_owned(), is_host));
        }
    }
}
