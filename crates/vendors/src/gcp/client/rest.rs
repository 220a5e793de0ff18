//! Sends one request. If its token is rejected, retries once with another.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::endpoint::GcpEndpoint;
use super::error::{GcpError, GcpErrorKind};
use super::token::TokenSource;
use crate::http::{
    HttpClient, HttpRequest, HttpResponse, HttpSettings, OperationContext, Proxies, Roots,
};
use planton_secret::SecretBytes;

/// Rate limits with another status than 429:
/// <https://cloud.google.com/apis/design/errors#error_info>
const RATE_LIMITS: &[(u16, &str)] = &[(403, "RATE_LIMIT_EXCEEDED"), (503, "RESOURCE_EXHAUSTED")];

/// Time for which a read of a new object may be stale:
/// <https://cloud.google.com/secret-manager/docs/consistency>
const SETTLING: SignedDuration = SignedDuration::from_secs(60);
const FRESH_TRIES: u32 = 5;
const FRESH_WAIT: Duration = Duration::from_millis(100);

/// A client of one API with one identity. It does no I/O before the first request.
#[derive(Debug)]
pub struct GcpClient {
    service: &'static str,
    endpoint: GcpEndpoint,
    settings: HttpSettings,
    http: OnceCell<HttpClient>,
    tokens: TokenSource,
}

/// One request to an API.
#[derive(Debug)]
pub struct GcpCall<'a> {
    /// The vendor's name of the operation, for errors.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The resource's path: `projects/acme/secrets/db`.
    pub resource: &'a str,
    /// The part of the address after the resource: `:addVersion`, `/versions`.
    pub suffix: &'static str,
    /// The query.
    pub query: &'a [(&'a str, &'a str)],
    /// The body, as JSON.
    pub body: Option<SecretBytes>,
    /// Whether a 404 may be a stale read.
    pub freshness: Freshness,
}

/// The age of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Old: a 404 means that the object does not exist.
    Settled,
    /// New: a 404 may be a stale read, and is retried.
    Fresh,
}

impl Freshness {
    /// Returns the freshness of an object from its time of creation.
    #[must_use]
    pub fn since(created: Timestamp) -> Self {
        // A time in the future comes from clock skew, and counts as fresh.
        if Timestamp::now().duration_since(created) > SETTLING {
            Self::Settled
        } else {
            Self::Fresh
        }
    }
}

impl GcpClient {
    /// Creates a client of `service`, the first label of its public address
    /// (`secretmanager`). An `endpoint` replaces that address.
    #[must_use]
    pub fn new(
        service: &'static str,
        endpoint: Option<GcpEndpoint>,
        settings: HttpSettings,
        tokens: TokenSource,
    ) -> Self {
        let endpoint = endpoint.unwrap_or_else(|| GcpEndpoint::public(service));
        let mut settings = settings;
        settings.retry.rate_limits = RATE_LIMITS;
        if endpoint.is_loopback() {
            // A token for this machine must not pass a proxy.
            settings.proxies = Proxies::Ignored;
        }
        Self {
            service,
            endpoint,
            settings,
            http: OnceCell::new(),
            tokens,
        }
    }

    /// Returns the number of requests so far, including retries and those for the
    /// tokens of an impersonated account.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.http.get().map_or(0, |http| http.requests().total())
    }

    /// Sends a request with a JSON response.
    ///
    /// # Errors
    ///
    /// [`GcpErrorKind`]; `Unexpected` if the response has another form.
    pub async fn call<T: DeserializeOwned>(&self, call: GcpCall<'_>) -> Result<T, GcpError> {
        let (operation, resource) = (call.operation, call.resource);
        let response = self.patiently(call).await?;
        let read = response.json();
        read.map_err(|answer| GcpError::unexpected(answer, operation, resource))
    }

    /// Sends a request and ignores the response body. Every success status is a
    /// success, with any body or none. Google returns `{}` to a deletion, other servers
    /// 204.
    ///
    /// # Errors
    ///
    /// [`GcpErrorKind`].
    pub async fn tell(&self, call: GcpCall<'_>) -> Result<(), GcpError> {
        self.patiently(call).await.map(drop)
    }

    async fn patiently(&self, call: GcpCall<'_>) -> Result<HttpResponse, GcpError> {
        let context = OperationContext::current();
        let mut wait = FRESH_WAIT;
        let mut tries = 1;
        loop {
            let outcome = self.send(&call).await;
            let absent = matches!(&outcome, Err(error) if error.kind() == GcpErrorKind::NotFound);
            let over = call.freshness == Freshness::Settled || tries == FRESH_TRIES;
            if !absent || over || context.pause(wait).await.is_err() {
                return outcome;
            }
            tries += 1;
            wait *= 2;
        }
    }

    /// Sends a request with the current token. If it is rejected, retries once with
    /// another.
    async fn send(&self, call: &GcpCall<'_>) -> Result<HttpResponse, GcpError> {
        let (operation, resource) = (call.operation, call.resource);
        let http = self.http().await?;
        let path = format!("v1/{resource}{}", call.suffix);
        let mut request = HttpRequest {
            method: call.method.clone(),
            url: self.endpoint.url(&path, call.query),
            headers: http::HeaderMap::new(),
            body: call.body.clone(),
        };
        let mut renewed = false;
        loop {
            let authorization = self.tokens.authorize(http).await?;
            request.headers = authorization.headers.clone();
            if request.body.is_some() {
                let json = HeaderValue::from_static("application/json");
                request.headers.insert(CONTENT_TYPE, json);
            }
            let sent = http.send(&request).await;
            let response = sent.map_err(|error| GcpError::from_http(error, operation, resource))?;
            if response.status.is_success() {
                return Ok(response);
            }
            if response.status == StatusCode::UNAUTHORIZED {
                self.tokens.refused(&authorization).await;
                if !renewed {
                    renewed = true;
                    continue;
                }
            }
            return Err(GcpError::from_response(
                &response,
                operation,
                resource,
                self.service,
            ));
        }
    }

    async fn http(&self) -> Result<&HttpClient, GcpError> {
        let encrypted = self.endpoint.is_encrypted() || self.tokens.is_encrypted();
        let build = async || {
            let roots = match self.settings.roots {
                // Without TLS no roots are needed, and loading the system's roots is
                // slow.
                Roots::Platform if !encrypted => Roots::Nobody,
                ref roots => roots.clone(),
            };
            HttpClient::new(&HttpSettings {
                roots,
                ..self.settings.clone()
            })
            .map_err(|error| GcpError::from_http(error, "connect", &self.endpoint.to_string()))
        };
        self.http.get_or_try_init(build).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_is_settled() {
        let now = Timestamp::now();
        let old = now - SETTLING - SignedDuration::from_secs(5);
        assert_eq!(Freshness::since(old), Freshness::Settled);
        assert_eq!(Freshness::since(now), Freshness::Fresh);
        assert_eq!(Freshness::since(now + SETTLING), Freshness::Fresh);
    }
}
