//! The SDK's HTTP transport: each call of the SDK is one call of `HttpClient::send`.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient as Transport, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::{Host, Url};

use super::error::DESCRIBED;
use crate::http::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest as OurRequest, HttpResponse as OurResponse,
    HttpSettings, Proxies, RetryPolicy,
};
use planton_secret::SecretBytes;

/// Headers that contain a credential or a token.
const CREDENTIAL_HEADERS: &[&str] = &[
    "authorization",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
    "x-amz-sso_bearer_token",
];

/// Runs the clients of AWS's SDK over [`HttpClient`], for any service.
///
/// A request is signed once, and [`HttpClient::send`] may send it several times. The
/// session limits the retries to less than the validity of the signature.
#[derive(Clone, Debug)]
pub struct SmithyHttpClient {
    http: HttpClient,
    settings: Arc<HttpSettings>,
}

impl SmithyHttpClient {
    /// Creates a transport over `http`, which was built from `settings`.
    #[must_use]
    pub fn new(http: &HttpClient, settings: HttpSettings) -> Self {
        Self {
            http: http.clone(),
            settings: Arc::new(settings),
        }
    }

    /// Builds a client for the metadata addresses, which exist only on machines inside
    /// AWS.
    ///
    /// It has short timeouts and one try: on most machines nothing listens there, and a
    /// request must not block for a minute. The SDK itself retries if needed.
    fn impatient(
        &self,
        connect: Duration,
        read: Option<Duration>,
    ) -> Result<HttpClient, HttpError> {
        HttpClient::new(&HttpSettings {
            connect_timeout: connect,
            request_timeout: connect + read.unwrap_or(connect),
            retry: RetryPolicy {
                max_tries: 1,
                ..self.settings.retry.clone()
            },
            // These addresses exist on this machine only, so no proxy can reach them.
            proxies: Proxies::Ignored,
            ..(*self.settings).clone()
        })
    }
}

impl Transport for SmithyHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        // All clients here disable the SDK's timeouts. A request with a timeout is one
        // of the SDK's own, for instance or container metadata.
        let http = match settings.connect_timeout() {
            Some(connect) => self.impatient(connect, settings.read_timeout()),
            None => Ok(self.http.clone()),
        };
        SharedHttpConnector::new(Connector { http })
    }
}

#[derive(Debug)]
struct Connector {
    http: Result<HttpClient, HttpError>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match &self.http {
            Ok(http) => {
                let http = http.clone();
                HttpConnectorFuture::new(async move {
                    let request = ours(request).await.map_err(explain)?;
                    let response = http.send(&request).await.map_err(explain)?;
                    Ok(theirs(response))
                })
            }
            Err(error) => HttpConnectorFuture::ready(Err(explain(error.without_source()))),
        }
    }
}

/// Returns true if a request to `url` is allowed: over TLS, or to this machine and its
/// metadata services. The environment and profiles may contain other addresses.
fn is_safe(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        // EC2's instance metadata and EKS Pod Identity.
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback()
                || matches!(ip.segments(), [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x23 | 0x254])
        }
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || is_near
}

async fn ours(mut request: HttpRequest) -> Result<OurRequest, HttpError> {
    let invalid = |what: &'static str| HttpError::new(HttpErrorKind::Invalid, what);
    let url = Url::parse(request.uri()).map_err(|_| invalid("the address"))?;
    if !is_safe(&url) {
        return Err(invalid(
            "an address without TLS that is not of this machine",
        ));
    }
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|_| invalid("method"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header"))?;
        // The HTTP client sets this header itself.
        if name == header::CONTENT_LENGTH {
            continue;
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid("header"))?;
        value.set_sensitive(CREDENTIAL_HEADERS.contains(&name.as_str()));
        headers.append(name, value);
    }
    let body = ByteStream::new(request.take_body()).collect().await;
    let body = body.map_err(|_| invalid("body"))?.to_vec();
    Ok(OurRequest {
        method,
        url,
        headers,
        body: (!body.is_empty()).then(|| SecretBytes::new(body)),
    })
}

fn theirs(response: OurResponse) -> HttpResponse {
    let body = SdkBody::from(response.body.expose());
    let mut theirs = HttpResponse::new(response.status.into(), body);
    let described = response.unexpected().to_string();
    // A description that is no valid header value is omitted; the status remains.
    let _ = theirs.headers_mut().try_append(DESCRIBED, described);
    for (name, value) in &response.headers {
        if name.as_str() == DESCRIBED {
            // Only this transport may set this header.
            continue;
        }
        if let Ok(value) = value.to_str() {
            // The SDK reads no header that it cannot represent.
            let _ = theirs
                .headers_mut()
                .try_append(name.as_str().to_owned(), value.to_owned());
        }
    }
    theirs
}

/// Keeps the HTTP error as the source, from which [`AwsError`](super::AwsError) reads
/// it.
fn explain(error: HttpError) -> ConnectorError {
    match error.kind() {
        HttpErrorKind::Timeout => ConnectorError::timeout(error.into()),
        HttpErrorKind::Connect | HttpErrorKind::Interrupted => ConnectorError::io(error.into()),
        HttpErrorKind::Invalid => ConnectorError::user(error.into()),
        _ => ConnectorError::other(error.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_this_machine_is_asked() {
        let safe = |text: &str| is_safe(&Url::parse(text).expect("a URL"));
        for good in [
            "https://secretsmanager.eu-central-1.amazonaws.com/",
            "http://127.0.0.1:5000/",
            "http://localhost:4566/",
            "http://[::1]/",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials/x",
            "http://[fd00:ec2::254]/latest",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(safe(good), "{good}");
        }
        for bad in [
            "http://secretsmanager.example.com/",
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "http://[fd00:ec2::255]/",
        ] {
            assert!(!safe(bad), "{bad}");
        }
    }
}
