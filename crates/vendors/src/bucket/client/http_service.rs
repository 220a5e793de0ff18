//! The requests of `object_store`, over the HTTP client of this project.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient as StoreClient, HttpConnector, HttpError as StoreHttpError,
    HttpErrorKind as StoreHttpErrorKind, HttpRequest as StoreRequest,
    HttpResponse as StoreResponse, HttpResponseBody, HttpService,
};
use url::Url;

use super::exchange::{Answer, note};
use super::fault::Response;
use crate::http::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, RetryPolicy};
use planton_secret::SecretBytes;

/// Headers that contain a credential or a token.
const CREDENTIAL_HEADERS: [&str; 2] = ["authorization", "x-amz-security-token"];

/// Headers that go with the tokens of a credential, such as the project to bill.
pub(super) type ExtraHeaders = Arc<Mutex<HeaderMap>>;

/// Sends requests, and records their outcome.
///
/// A PUT is sent once. All PUTs are conditional, so a repetition takes a decision: see
/// `conditional`. Any other request is retried by the HTTP client.
#[derive(Clone, Debug)]
pub(super) struct BucketService {
    patient: HttpClient,
    once: HttpClient,
    extra: ExtraHeaders,
}

impl BucketService {
    /// Sends requests over `http`, with the headers of `extra`.
    pub(super) fn new(http: &HttpClient, retry: RetryPolicy, extra: ExtraHeaders) -> Self {
        Self {
            once: http.with_retry(RetryPolicy {
                max_tries: 1,
                ..retry.clone()
            }),
            patient: http.with_retry(retry),
            extra,
        }
    }
}

impl HttpConnector for BucketService {
    /// Ignores the options of `object_store`: proxies, TLS and timeouts are those of the
    /// HTTP client.
    fn connect(&self, _: &ClientOptions) -> object_store::Result<StoreClient> {
        Ok(StoreClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for BucketService {
    async fn call(&self, request: StoreRequest) -> Result<StoreResponse, StoreHttpError> {
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default();
        let is_listing = query.contains("list-type=2") || query.contains("comp=list");
        let page = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "continuation-token" || name == "marker")
            .map(|(_, token)| token.into_owned());
        let sent = match ours(request, &self.extra).await {
            Ok(request) => {
                let http = match request.method == Method::PUT {
                    true => &self.once,
                    false => &self.patient,
                };
                http.send(&request).await
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(response) => {
                note(Answer::Response(Response::read(&response, &method)));
                match is_listing && !is_whole_listing(&response, page.as_deref()) {
                    true => {
                        let error = HttpError::new(HttpErrorKind::Invalid, "a listing");
                        Err(StoreHttpError::new(StoreHttpErrorKind::Decode, error))
                    }
                    false => Ok(theirs(response)),
                }
            }
            Err(error) => {
                let passed = error.without_source();
                note(Answer::Lost(error));
                Err(StoreHttpError::new(StoreHttpErrorKind::Unknown, passed))
            }
        }
    }
}

/// Returns true for a failure, and for a listing that names its next page if it is cut off.
/// `page` is the token of the requested page.
///
/// `object_store` takes any XML for a listing, and one without the token of its next page for
/// the last one. A server with an older version of the listing would lose all further pages.
/// With a server that ignores the token, the listing would never end.
fn is_whole_listing(response: &HttpResponse, page: Option<&str>) -> bool {
    if !response.status.is_success() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(response.body.expose()) else {
        return false;
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest
            .split_once("?>")
            .map_or("", |(_, rest)| rest)
            .trim_start(),
        None => text,
    };
    let between = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.trim()).filter(|value| !value.is_empty())
    };
    let is_cut_off = between("IsTruncated") == Some("true");
    let next = between("NextContinuationToken");
    let is_known = text.starts_with("<EnumerationResults")
        || text.starts_with("<ListBucketResult") && (next.is_some() || !is_cut_off);
    let next = next.or_else(|| between("NextMarker"));
    is_known && (next.is_none() || next != page)
}

async fn ours(request: StoreRequest, extra: &ExtraHeaders) -> Result<HttpRequest, HttpError> {
    let invalid = |what: &'static str| HttpError::new(HttpErrorKind::Invalid, what);
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string()).map_err(|_| invalid("the address"))?;
    let mut headers = parts.headers;
    // The HTTP client sets this header itself.
    headers.remove(header::CONTENT_LENGTH);
    for name in CREDENTIAL_HEADERS {
        if let Some(value) = headers.get_mut(name) {
            value.set_sensitive(true);
        }
    }
    let extra = extra.lock().unwrap_or_else(PoisonError::into_inner).clone();
    headers.extend(extra);
    let body = body
        .collect()
        .await
        .map_err(|_| invalid("the body"))?
        .to_bytes();
    Ok(HttpRequest {
        method: parts.method,
        url,
        headers,
        body: (!body.is_empty()).then(|| SecretBytes::from(&body[..])),
    })
}

fn theirs(response: HttpResponse) -> StoreResponse {
    struct Owner(SecretBytes);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.expose()
        }
    }
    let mut headers = response.headers;
    // The crate requires this header, which a response in chunks lacks.
    if !headers.contains_key(header::CONTENT_LENGTH) {
        let length = HeaderValue::from(response.body.expose().len());
        headers.insert(header::CONTENT_LENGTH, length);
    }
    let body = Bytes::from_owner(Owner(response.body));
    let mut theirs = StoreResponse::new(HttpResponseBody::from(body));
    *theirs.status_mut() = response.status;
    *theirs.headers_mut() = headers;
    theirs
}
