//! The SDK's HTTP transport, over the HTTP client of this project.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, Request, StatusCode};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{self, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use super::error::{AzureError, AzureErrorKind, AzurePlace, RETRIED};
use super::vault::VaultUrl;
use crate::http::{HttpClient, HttpRequest, HttpResponse, UnexpectedAnswer};
use planton_secret::SecretBytes;

/// Address of every machine's own metadata service.
pub(super) const METADATA: &str = "http://169.254.169.254";

/// Digest of the token that a vault rejected last.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusedToken(Arc<Mutex<Option<[u8; 32]>>>);

impl RefusedToken {
    /// Returns true for that token.
    pub(super) fn is(&self, token: &str) -> bool {
        *self.lock() == Some(Self::digest(format!("Bearer {token}").as_bytes()))
    }

    pub(super) fn remember(&self, authorization: &[u8]) {
        *self.lock() = Some(Self::digest(authorization));
    }

    fn digest(authorization: &[u8]) -> [u8; 32] {
        Sha256::digest(authorization).into()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends requests to one vault only. The SDK follows links to further pages to any
/// host, and would send its token there.
#[derive(Debug)]
pub(super) struct VaultTransport {
    http: HttpClient,
    vault: VaultUrl,
    refused: RefusedToken,
    /// The response to a first request. The SDK sends its first requests without a
    /// token to get a challenge. One of them is sent, and its response answers all
    /// concurrent ones.
    challenge: tokio::sync::Mutex<Option<Challenge>>,
}

#[derive(Clone, Debug)]
struct Challenge(HeaderMap);

impl VaultTransport {
    pub(super) fn new(http: HttpClient, vault: VaultUrl, refused: RefusedToken) -> Self {
        Self {
            http,
            vault,
            refused,
            challenge: tokio::sync::Mutex::new(None),
        }
    }

    async fn challenged(&self, request: &HttpRequest) -> azure_core::Result<AsyncRawResponse> {
        let mut known = self.challenge.lock().await;
        if let Some(Challenge(headers)) = &*known {
            return Ok(answer(
                http::StatusCode::UNAUTHORIZED,
                headers,
                Bytes::new(),
            ));
        }
        let response = send(&self.http, request, AzurePlace::Vault).await?;
        if response.status == http::StatusCode::UNAUTHORIZED
            && response.headers.contains_key(header::WWW_AUTHENTICATE)
        {
            *known = Some(Challenge(response.headers.clone()));
        }
        as_the_sdk_takes_it(request, response)
    }
}

#[async_trait]
impl azure_core::http::HttpClient for VaultTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if request.url().origin() != self.vault.url().origin() {
            let said = "it refers to another address for its next page";
            return Err(failure(AzureError::new(
                AzureErrorKind::Unexpected,
                AzurePlace::Vault,
                said,
            )));
        }
        let request = from_sdk(request, AzurePlace::Vault)?;
        let Some(token) = request.headers.get(header::AUTHORIZATION) else {
            return self.challenged(&request).await;
        };
        let response = send(&self.http, &request, AzurePlace::Vault).await?;
        if response.status == http::StatusCode::UNAUTHORIZED {
            self.refused.remember(token.as_bytes());
        }
        as_the_sdk_takes_it(&request, response)
    }
}

/// Sends token requests.
#[derive(Debug)]
pub(super) struct IdentityTransport {
    http: HttpClient,
    /// The address of the metadata service, if it is not the default one.
    metadata: Option<Url>,
}

impl IdentityTransport {
    pub(super) fn new(http: HttpClient, metadata: Option<Url>) -> Self {
        Self { http, metadata }
    }
}

#[async_trait]
impl azure_core::http::HttpClient for IdentityTransport {
    /// Returns exhausted retries as an error that the SDK does not retry. The SDK's
    /// retries of managed identities cannot be disabled.
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let place = AzurePlace::Identity;
        let mut request = from_sdk(request, place)?;
        if let Some(metadata) = &self.metadata
            && request.url.as_str().starts_with(METADATA)
        {
            let mut url = metadata.clone();
            url.set_path(request.url.path());
            url.set_query(request.url.query());
            request.url = url;
        }
        let response = send(&self.http, &request, place).await?;
        let status = response.status.as_u16();
        if matches!(status, 404 | 408 | 410 | 429 | 500..) {
            return Err(failure(AzureError::of_identity(status, None)));
        }
        expect_json(&response, place)?;
        Ok(into_sdk(response))
    }
}

pub(super) fn failure(error: AzureError) -> azure_core::Error {
    azure_core::Error::new(azure_core::error::ErrorKind::Other, error)
}

/// Converts a response to what the SDK accepts.
///
/// A success that is not JSON becomes an error here, since the SDK's error would
/// contain neither host nor status. A deletion succeeds with any body. The SDK accepts
/// only one status for it, 200 for a deletion and 204 for a purge.
fn as_the_sdk_takes_it(
    request: &HttpRequest,
    mut response: HttpResponse,
) -> azure_core::Result<AsyncRawResponse> {
    if response.status.is_success() {
        if request.method != http::Method::DELETE {
            expect_json(&response, AzurePlace::Vault)?;
        } else if request.url.path().starts_with("/deletedsecrets/") {
            response.status = http::StatusCode::NO_CONTENT;
        } else {
            response.status = http::StatusCode::OK;
        }
    }
    Ok(into_sdk(response))
}

fn expect_json(response: &HttpResponse, place: AzurePlace) -> azure_core::Result<()> {
    let read = response.json::<serde::de::IgnoredAny>();
    let unexpected = |answer: UnexpectedAnswer| {
        AzureError::new(AzureErrorKind::Unexpected, place, answer.to_string())
    };
    read.map(drop).map_err(|answer| failure(unexpected(answer)))
}

async fn send(
    http: &HttpClient,
    request: &HttpRequest,
    place: AzurePlace,
) -> azure_core::Result<HttpResponse> {
    let sent = http.send(request).await;
    sent.map_err(|error| failure(AzureError::from_http(&error, place)))
}

fn from_sdk(request: &Request, place: AzurePlace) -> azure_core::Result<HttpRequest> {
    let invalid = |what: &str| failure(AzureError::new(AzureErrorKind::Misconfigured, place, what));
    let method = request.method().as_str().parse();
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers().iter() {
        let name: http::HeaderName = name
            .as_str()
            .parse()
            .map_err(|_| invalid("a header's name cannot be sent"))?;
        // The HTTP client sets both headers itself.
        if matches!(name, header::USER_AGENT | header::CONTENT_LENGTH) {
            continue;
        }
        // The error may quote the value, so it is omitted.
        let mut value = HeaderValue::from_str(value.as_str())
            .map_err(|_| invalid("a header's value cannot be sent"))?;
        value.set_sensitive(name == header::AUTHORIZATION || name == "x-identity-header");
        headers.insert(name, value);
    }
    let body = match request.body() {
        Body::Bytes(bytes) if bytes.is_empty() => None,
        Body::Bytes(bytes) => Some(SecretBytes::from(&bytes[..])),
        Body::SeekableStream(_) => return Err(invalid("a body that is a stream")),
    };
    Ok(HttpRequest {
        method: method.map_err(|_| invalid("an unknown method"))?,
        url: request.url().clone(),
        headers,
        body,
    })
}

fn into_sdk(response: HttpResponse) -> AsyncRawResponse {
    struct Owner(SecretBytes);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.expose()
        }
    }
    let mut headers = response.headers;
    // Only this transport may set this header.
    headers.remove(RETRIED);
    if response.retried {
        headers.insert(RETRIED, HeaderValue::from_static("1"));
    }
    let body = Bytes::from_owner(Owner(response.body));
    answer(response.status, &headers, body)
}

fn answer(status: http::StatusCode, headers: &HeaderMap, body: Bytes) -> AsyncRawResponse {
    let mut sdk = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            sdk.insert(HeaderName::from(name.as_str().to_owned()), value.to_owned());
        }
    }
    AsyncRawResponse::from_bytes(StatusCode::from(status.as_u16()), sdk, body)
}
