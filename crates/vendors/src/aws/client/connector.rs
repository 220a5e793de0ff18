//! The SDK's transport: one call of ours for one of theirs.

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

/// Headers whose values are, or stand for, a credential.
const CREDENTIAL_HEADERS: &[&str] = &[
    "authorization",
    "x-amz-security-token",
    "x-aws-ec2-metadata-token",
    "x-amz-sso_bearer_token",
];

/// The SDK's transport over our HTTP client, for any of its services.
///
/// A request is signed once and sent as often as [`HttpClient::send`] tries, which
/// is less long than its signature is valid: the session bounds that.
#[derive(Clone, Debug)]
pub struct SmithyHttpClient {
    http: HttpClient,
    settings: Arc<HttpSettings>,
}

impl SmithyHttpClient {
    /// Sends through `http`, which was built from `settings`.
    #[must_use]
    pub fn new(http: &HttpClient, settings: HttpSettings) -> Self {
        Self {
            http: http.clone(),
            settings: Arc::new(settings),
        }
    }

    /// Builds a client for the addresses that only a machine inside AWS has: most
    /// machines have none, and must not wait a minute to learn so. The SDK
    /// itself asks again where that helps.
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
            // They answer for this machine only: no proxy could.
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
        // Time limits are switched off in every client of ours, so what comes
        // with one is the SDK's own: instance and container metadata.
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

/// Says whether a request may go there: over TLS, or to this machine and what
/// tells it its own identity. The environment and profiles name addresses, too.
fn is_safe(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_link_local(),
        // EC2's metadata and EKS's pod identity.
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
        // Counted again where it is sent.
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
    // What cannot be a header's value is left out: the status tells enough.
    let _ = theirs.headers_mut().try_append(DESCRIBED, described);
    for (name, value) in &response.headers {
        if name.as_str() == DESCRIBED {
            // Said by nobody but us.
            continue;
        }
        if let Ok(value) = value.to_str() {
            // What cannot be a header of theirs is none that they look at.
            let _ = theirs
                .headers_mut()
                .try_append(name.as_str().to_owned(), value.to_owned());
        }
    }
    theirs
}

/// Keeps our error as the source, where [`AwsError`](super::AwsError) finds it.
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
