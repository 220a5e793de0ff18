//! Requests that `object_store` does not send. The crate signs them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use object_store::CredentialProvider as _;
use object_store::aws::AwsAuthorizer;
use object_store::azure::AzureAuthorizer;
use object_store::client::{
    HttpClient as StoreClient, HttpRequest, HttpRequestBody, HttpResponse as StoreResponse,
};
use object_store::path::Path;

use super::Client;
use super::fault::{Fault, FaultKind};
use super::open::{Credentials, azure_address, gcs_address, s3_address_of};

/// What the data plane shows of a bucket's configuration.
#[derive(Debug)]
pub(in crate::bucket) struct FoundConfiguration {
    /// In S3's XML, or in Google's JSON.
    pub(in crate::bucket) body: Bytes,
    /// Whether transitions of S3 spare objects below 128 KB by default:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html>
    pub(in crate::bucket) spares_small_objects: bool,
}

/// A request without a body.
struct OwnRequest {
    method: Method,
    uri: String,
    headers: HeaderMap,
    /// The storage account, in Azure.
    account: String,
}

impl Client {
    /// Returns the configuration of the bucket: in S3 its lifecycle rules, in Google's store
    /// also versioning and soft delete. `None` if there is none, or if the data plane does not
    /// have it: in Azure, a management policy is a resource of the account.
    ///
    /// The answer is dispensable, so there are few tries.
    pub(in crate::bucket) async fn configuration(
        &self,
    ) -> Result<Option<FoundConfiguration>, Fault> {
        let settings = self.settings();
        let (location, endpoint) = (settings.location(), settings.endpoint.as_ref());
        let uri = match &self.opened().await?.credentials {
            // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
            Credentials::S3(provider) => {
                let address = s3_address_of(location, endpoint, provider.region());
                format!("{address}?lifecycle")
            }
            // https://cloud.google.com/storage/docs/json_api/v1/buckets/get
            Credentials::Gcs(_) => format!(
                "{}/storage/v1/b/{}?fields=lifecycle,versioning,softDeletePolicy",
                gcs_address(endpoint),
                location.bucket()
            ),
            Credentials::Azure(_) => return Ok(None),
        };
        let read = self.call_opened(|opened| {
            let request = OwnRequest {
                method: Method::GET,
                uri: uri.clone(),
                headers: HeaderMap::new(),
                account: String::new(),
            };
            let (credentials, service) = (opened.credentials.clone(), opened.brief.clone());
            async move {
                let response = request.send(credentials, service).await?;
                let minimum = "x-amz-transition-default-minimum-object-size";
                let minimum = response.headers().get(minimum);
                Ok(FoundConfiguration {
                    spares_small_objects: minimum
                        .is_some_and(|minimum| minimum == "all_storage_classes_128K"),
                    body: response
                        .into_body()
                        .bytes()
                        .await
                        .map_err(|_| unsent("no body"))?,
                })
            }
        });
        match read.await {
            Ok(found) => Ok(Some(found)),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Deletes a blob with one request. `object_store` deletes in batches only, which not
    /// every account and every emulator accepts.
    ///
    /// <https://learn.microsoft.com/rest/api/storageservices/delete-blob>
    pub(super) async fn delete_blob(&self, path: &Path) -> Result<(), Fault> {
        let settings = self.settings();
        let location = settings.location();
        let address = azure_address(location, settings.endpoint.as_ref());
        let uri = format!("{address}/{}/{path}", location.bucket());
        let deleted = self.call_opened(|opened| {
            let request = OwnRequest {
                method: Method::DELETE,
                uri: uri.clone(),
                headers: HeaderMap::from_iter([(
                    HeaderName::from_static("x-ms-delete-snapshots"),
                    HeaderValue::from_static("include"),
                )]),
                account: location.account().to_owned(),
            };
            request.send(opened.credentials.clone(), opened.service.clone())
        });
        deleted.await.map(|_| ())
    }
}

impl OwnRequest {
    /// Sends the request. Any status but that of a success is an error.
    async fn send(
        self,
        credentials: Credentials,
        service: StoreClient,
    ) -> object_store::Result<StoreResponse> {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri.parse().map_err(|_| unsent("the address"))?;
        *request.headers_mut() = self.headers;
        match &credentials {
            Credentials::S3(provider) => {
                let credential = provider.get_credential().await?;
                let signer = AwsAuthorizer::new(&credential, "s3", provider.region());
                signer.try_authorize(&mut request, None)?;
            }
            Credentials::Gcs(provider) => {
                let credential = provider.get_credential().await?;
                let bearer = ["Bearer ", &credential.bearer].concat();
                let bearer = HeaderValue::try_from(bearer).map_err(|_| unsent("the token"))?;
                request.headers_mut().insert(header::AUTHORIZATION, bearer);
            }
            Credentials::Azure(provider) => {
                let credential = provider.get_credential().await?;
                let signer = AzureAuthorizer::new(&credential, &self.account);
                signer.try_authorize(&mut request)?;
            }
        }
        let response = service.execute(request).await;
        let response = response.map_err(|_| unsent("no answer"))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(unsent("refused")),
        }
    }
}

/// An error that nobody reads: the answer was recorded below.
fn unsent(source: &'static str) -> object_store::Error {
    object_store::Error::Generic {
        store: "bucket",
        source: source.into(),
    }
}
