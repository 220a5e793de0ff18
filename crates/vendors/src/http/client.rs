//! Sends requests, with retries.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use url::Url;

use super::answer::HttpResponse;
use super::body::{FromOwnerSecret as _, read};
#[cfg(any(test, feature = "testing"))]
use super::canned::CannedAnswers;
use super::counter::{RequestCounter, RequestLog};
use super::error::{HttpError, HttpErrorKind};
use super::retry::{RetryPolicy, retry_after};
use super::spent::Spent;
use super::target::{redirect, same_origin, target};
use super::tls::{self, ClientIdentity, Roots};
use planton_core::deadline::{OperationContext, Stop};
use planton_secret::SecretBytes;

/// Environment variable with the path of a file that gets one line `METHOD PATH STATUS`
/// per try.
const REQUEST_LOG_VARIABLE: &str = "PLANTON_HTTP_REQUEST_LOG";

const MAX_REDIRECTS: u32 = 3;

/// Whether requests use the proxies of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxies {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` apply.
    FromEnvironment,
    /// They are ignored.
    Ignored,
}

/// The settings of a client: TLS, proxies, retries and timeouts.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The trusted certificate authorities.
    pub roots: Roots,
    /// The client certificate, if any.
    pub identity: Option<ClientIdentity>,
    /// Proxies.
    pub proxies: Proxies,
    /// Retries.
    pub retry: RetryPolicy,
    /// Timeout of the connection.
    pub connect_timeout: Duration,
    /// Timeout of one try, including the response body.
    pub request_timeout: Duration,
    /// Permitted targets of redirects, besides the request's own origin.
    pub redirect_to: Vec<Url>,
    /// The file that lists requests. Default: the environment's.
    pub request_log: Option<PathBuf>,
    /// Answers in place of all servers, for the fuzz targets.
    #[cfg(any(test, feature = "testing"))]
    pub canned: Option<CannedAnswers>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            roots: Roots::default(),
            identity: None,
            proxies: Proxies::FromEnvironment,
            retry: RetryPolicy::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            redirect_to: Vec::new(),
            request_log: std::env::var_os(REQUEST_LOG_VARIABLE).map(PathBuf::from),
            #[cfg(any(test, feature = "testing"))]
            canned: None,
        }
    }
}

/// A request that can be sent several times.
///
/// # Security
///
/// Mark header values that are credentials as sensitive. The body is zeroized when the
/// request is dropped.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, if any.
    pub body: Option<SecretBytes>,
}

/// The HTTP client: one per destination, and cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    retry: RetryPolicy,
    request_timeout: Duration,
    redirect_to: Arc<[Url]>,
    requests: RequestCounter,
    log: Option<Arc<RequestLog>>,
    #[cfg(any(test, feature = "testing"))]
    canned: Option<CannedAnswers>,
}

impl HttpClient {
    /// Builds a client.
    ///
    /// # Errors
    ///
    /// `Invalid` if certificates or keys are unusable.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpError> {
        let invalid = |what: &'static str| HttpError::new(HttpErrorKind::Invalid, what);
        let tls = tls::client_config(&settings.roots, settings.identity.as_ref())?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // `follow` handles redirects: a token must not reach a host that is not
            // configured.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect_timeout)
            .user_agent(concat!(
                "terraform-provider-planton/",
                env!("CARGO_PKG_VERSION")
            ));
        if settings.proxies == Proxies::Ignored {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| invalid("HTTP client").with_source(error))?;
        let log = match &settings.request_log {
            Some(path) => {
                Some(Arc::new(RequestLog::open(path).map_err(|error| {
                    invalid("request log").with_source(error)
                })?))
            }
            None => None,
        };
        Ok(Self {
            client,
            retry: settings.retry.clone(),
            request_timeout: settings.request_timeout,
            redirect_to: settings.redirect_to.clone().into(),
            requests: RequestCounter::default(),
            log,
            #[cfg(any(test, feature = "testing"))]
            canned: settings.canned.clone(),
        })
    }

    /// Returns this client with another retry policy. Both share connections, counter
    /// and log.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self {
            retry,
            ..self.clone()
        }
    }

    /// Returns the request counter, which the clones of a client share.
    #[must_use]
    pub fn requests(&self) -> &RequestCounter {
        &self.requests
    }

    /// Sends `request`, and retries it while that may help and the policy permits it.
    ///
    /// Returns the first response whose status is final, or the last response once
    /// tries or time are exhausted. A rate limit is retried until the operation's
    /// deadline, if it has one.
    ///
    /// Respects [`OperationContext::current`]: after a cancellation it sends nothing more.
    /// Only a commit still gets its tries, and then returns its last outcome.
    ///
    /// Retries every method, including POST. The request must therefore be idempotent,
    /// or the caller must handle the error of a second execution
    /// ([`HttpResponse::retried`]).
    ///
    /// # Errors
    ///
    /// [`HttpErrorKind`] if there was no response.
    pub async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let context = OperationContext::current();
        let target = target(&request.method, &request.url);
        let mut spent = Spent::new();
        let body = request.body.clone().map(Bytes::from_owner_secret);
        let stopped = |stop| HttpError::stopped(stop, &target);
        let bounds = context.after(0);
        if let Some(stop) = bounds.stop() {
            return Err(stopped(stop));
        }
        let timeout = self.timeout(&spent, &bounds);
        let mut timeout = timeout.ok_or_else(|| stopped(Stop::DeadlinePassed))?;
        let mut tries = 0;
        let mut earlier: Option<Result<HttpResponse, _>> = None;
        loop {
            tries += 1;
            let outcome = self.follow(request, body.clone(), timeout, tries).await;
            let floor = match &outcome {
                Ok(response) if !self.retry.retries(response.status, response.body.expose()) => {
                    return outcome.map(|response| response.after(tries));
                }
                Ok(response) => retry_after(&response.headers, SystemTime::now()),
                // The operation's deadline expired, not the server's timeout. An
                // earlier response explains why.
                Err(error)
                    if error.kind() == HttpErrorKind::Timeout
                        && context.after(tries - 1).is_late() =>
                {
                    let late = Err(stopped(Stop::DeadlinePassed));
                    return earlier.unwrap_or(late).map(|answer| answer.after(tries));
                }
                // A standby node that redirects to its leader forwards requests once an
                // election is over.
                Err(error) if error.is_transient() || error.kind() == HttpErrorKind::Redirected => {
                    None
                }
                Err(_) => return outcome,
            };
            if is_last_try(&context, tries, &outcome) {
                return outcome.map(|response| response.after(tries));
            }
            let bounds = context.after(tries);
            let is_limited = matches!(&outcome, Ok(response) if self.retry.is_rate_limit(response));
            spent.count(is_limited && bounds.deadline.is_some());
            let delay = self.retry.delay(spent.tries, floor);
            if !spent.affords(&self.retry, delay, &bounds) {
                return outcome.map(|response| response.after(tries));
            }
            if is_limited {
                let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(request = %target, wait_ms, "rate limited, waiting");
                context.show_quota_wait(delay);
            }
            tokio::select! {
                biased;
                () = bounds.cancelled() => {
                    // The outcome of a commit is unknown, so its last response is more
                    // useful.
                    if context.insisted_tries > 0 {
                        return outcome.map(|response| response.after(tries));
                    }
                    return Err(stopped(Stop::Cancelled));
                }
                () = tokio::time::sleep(delay) => {}
            }
            match self.timeout(&spent, &bounds) {
                Some(left) => timeout = left,
                None => return outcome.map(|response| response.after(tries)),
            }
            earlier = Some(outcome);
        }
    }

    /// Sends one request, and follows redirects to configured addresses.
    async fn follow(
        &self,
        request: &HttpRequest,
        body: Option<Bytes>,
        timeout: Duration,
        tries: u32,
    ) -> Result<HttpResponse, HttpError> {
        let until = Instant::now() + timeout;
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let left = until.saturating_duration_since(Instant::now());
            let response = self
                .send_once(request, &url, body.clone(), left, tries)
                .await?;
            let Some(location) = redirect(&request.method, &response, &url) else {
                return Ok(response);
            };
            let from_here = std::iter::once(&request.url).chain(self.redirect_to.iter());
            if !from_here
                .into_iter()
                .any(|known| same_origin(known, &location))
            {
                return Err(HttpError::new(
                    HttpErrorKind::Redirected,
                    target(&request.method, &url),
                )
                .with_detail(location.origin().ascii_serialization()));
            }
            url = location;
        }
        let kind = HttpErrorKind::RedirectedInCircles;
        Err(HttpError::new(kind, target(&request.method, &url)))
    }

    async fn send_once(
        &self,
        request: &HttpRequest,
        url: &Url,
        body: Option<Bytes>,
        timeout: Duration,
        tries: u32,
    ) -> Result<HttpResponse, HttpError> {
        let started = Instant::now();
        self.requests.count();
        #[cfg(any(test, feature = "testing"))]
        if let Some(canned) = &self.canned {
            return canned.answer(request, url);
        }
        let mut sending = self
            .client
            .request(request.method.clone(), url.clone())
            .headers(request.headers.clone())
            .timeout(timeout);
        match body {
            Some(body) => sending = sending.body(body),
            // Some servers reject these methods without a Content-Length, with 411.
            // HTTP.sys does, and so does Key Vault:
            // https://www.rfc-editor.org/rfc/rfc9110#section-8.6-5
            None if has_a_body(&request.method) => {
                sending = sending.header(header::CONTENT_LENGTH, 0);
            }
            None => {}
        }
        let outcome = match sending.send().await {
            Ok(response) => read(response, url, &request.method).await,
            Err(error) => Err(HttpError::from_reqwest(
                error,
                &target(&request.method, url),
            )),
        };
        let status = outcome
            .as_ref()
            .ok()
            .map(|response| response.status.as_u16());
        if let Some(log) = &self.log {
            log.line(&request.method, url.path(), status);
        }
        tracing::debug!(
            method = %request.method,
            host = url.host_str(),
            path = url.path(),
            status,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            attempt = tries,
            "request"
        );
        outcome
    }

    /// Returns the timeout of the next try, or `None` if no time is left.
    fn timeout(&self, spent: &Spent, context: &OperationContext) -> Option<Duration> {
        let left = spent.left(&self.retry, context)?;
        Some(left.min(self.request_timeout))
    }
}

impl HttpResponse {
    fn after(mut self, tries: u32) -> Self {
        self.retried = tries > 1;
        self
    }
}

/// Returns whether the operation allows no further try.
fn is_last_try(
    context: &OperationContext,
    tries: u32,
    outcome: &Result<HttpResponse, HttpError>,
) -> bool {
    // A server may close an idle connection just when it is used again.
    let is_interrupted =
        matches!(outcome, Err(error) if error.kind() == HttpErrorKind::Interrupted);
    let uncounted = u32::from(is_interrupted && tries == 1);
    let most = context.max_tries;
    most.is_some_and(|most| tries >= most.saturating_add(uncounted))
}

/// Returns true for methods whose requests are expected to have a body.
fn has_a_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}
