//! One request: token, namespace, index; and another login where it is due.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::auth::{self, LogIn, Login, Session, Token};
use super::config::{MountPath, OpenBaoAddress, OpenBaoConfig, is_path};
use super::consistency::{Consistency, LastWrite};
use super::error::{OpenBaoError, OpenBaoErrorKind, missing_engine};
use super::fence::{FenceCas, Fenced, Fences, Returned, Route};
use super::identify::Identity;
use super::kv::KvV2;
use super::server::Proof;
use super::transit::Transit;
use super::wrapping;
use crate::http::{
    HttpClient, HttpRequest, HttpResponse, HttpSettings, Proxies, RequestCounter, RetryPolicy,
    Roots,
};
use planton_secret::SecretBytes;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Not there yet (412), and standbys of Vault's kinds (472, 473).
const STANDBY_STATUSES: &[u16] = &[412, 472, 473];

/// A KV version 2 that a node does not serve yet: right after it was mounted,
/// and on a standby some time later still.
const STARTING_ANSWERS: &[(u16, &str)] = &[(400, "from non-versioned to versioned data")];

/// A performance standby of Vault that has not reached the index of a request, and
/// will: waited for as long as the operation may take.
/// <https://github.com/hashicorp/vault/blob/main/sdk/logical/error.go>
const BEHIND: &[(u16, &str)] = &[(412, "required index state not present")];

/// A client of one server, as one identity; cheap to clone. What it learned
/// (token, index, fence) is shared by the clones.
#[derive(Clone, Debug)]
pub struct OpenBaoClient(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) http: HttpClient,
    address: OpenBaoAddress,
    pub(super) namespace: Option<HeaderValue>,
    kv_mount: MountPath,
    transit_mount: MountPath,
    session: Session,
    pub(super) consistency: Consistency,
    fence_path: Option<String>,
    fences: Fences,
    pub(super) fence_cas: FenceCas,
    pub(super) identity: Identity,
}

/// One request to the API.
pub(super) struct Call {
    /// Its name in errors.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// The path behind `/v1/`.
    pub(super) path: String,
    pub(super) query: Option<&'static str>,
    pub(super) body: Option<SecretBytes>,
    /// Whether it changes something that standbys learn of later.
    pub(super) writes: bool,
    pub(super) route: Route,
}

impl Call {
    /// Describes a request without a body that changes nothing.
    pub(super) fn new(operation: &'static str, method: Method, path: impl Into<String>) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            query: None,
            body: None,
            writes: false,
            route: Route::Any,
        }
    }
}

impl OpenBaoClient {
    /// Makes a client; nothing is sent before the first request.
    ///
    /// `fence_path` is the path inside the KV mount that a
    /// [`fence`](Self::fence) is written to. Without one, what a standby does
    /// not know yet is believed not to be there.
    ///
    /// # Errors
    ///
    /// `Misconfigured` when certificates, keys or the namespace cannot be used.
    pub fn new(config: &OpenBaoConfig, fence_path: Option<&str>) -> Result<Self, OpenBaoError> {
        Self::with_retry(config, fence_path, RetryPolicy::default())
    }

    /// As [`new`](Self::new), with another idea of patience.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_retry(
        config: &OpenBaoConfig,
        fence_path: Option<&str>,
        retry: RetryPolicy,
    ) -> Result<Self, OpenBaoError> {
        let http = HttpSettings {
            retry,
            ..HttpSettings::default()
        };
        Self::with_http(config, fence_path, http)
    }

    /// As [`new`](Self::new), with other timeouts and retries. Whom to trust,
    /// what certificate to show and whether to use a proxy is `config`'s matter.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_http(
        config: &OpenBaoConfig,
        fence_path: Option<&str>,
        http: HttpSettings,
    ) -> Result<Self, OpenBaoError> {
        let roots = match &config.ca_cert_pem {
            Some(pem) => Roots::Pem(pem.clone()),
            None if config.address.is_encrypted() => Roots::Platform,
            None => Roots::Nobody,
        };
        let proxies = if config.address.is_loopback() {
            Proxies::Ignored
        } else {
            Proxies::FromEnvironment
        };
        let http = HttpClient::new(&HttpSettings {
            roots,
            identity: config.client_identity.clone(),
            proxies,
            retry: RetryPolicy {
                extra_statuses: STANDBY_STATUSES,
                extra_answers: STARTING_ANSWERS,
                rate_limits: BEHIND,
                ..http.retry
            },
            redirect_to: Vec::new(),
            ..http
        })
        .map_err(|error| OpenBaoError::from_http(error, "connect", &config.address.to_string()))?;
        let namespace = config
            .namespace
            .as_deref()
            .map(|name| name.trim_matches('/'))
            .filter(|name| !name.is_empty())
            .map(namespace_header)
            .transpose()?;
        Ok(Self(Arc::new(Inner {
            http,
            address: config.address.clone(),
            namespace,
            kv_mount: config.kv_mount_path.clone(),
            transit_mount: config.transit_mount_path.clone(),
            session: Session::new(config.auth.clone()),
            consistency: Consistency::default(),
            fence_path: fence_path.map(str::to_owned),
            fences: Fences::default(),
            fence_cas: FenceCas::default(),
            identity: Identity::declared(config.vendor),
        })))
    }

    /// Returns the configured KV mount.
    #[must_use]
    pub fn kv(&self) -> KvV2 {
        KvV2::new(self.clone(), self.0.kv_mount.clone())
    }

    /// Returns the configured Transit mount.
    #[must_use]
    pub fn transit(&self) -> Transit {
        Transit::new(self.clone(), self.0.transit_mount.clone())
    }

    /// Returns the count of requests sent.
    #[must_use]
    pub fn requests(&self) -> &RequestCounter {
        self.0.http.requests()
    }

    /// Returns true while every read is as new as the newest write of this
    /// process, of which there is at least one.
    ///
    /// Enough for a first look; what others have written since may be missing.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        let consistency = &self.0.consistency;
        self.0.fence_path.is_none()
            || consistency.is_settled()
                && match consistency.last_write() {
                    LastWrite::Nothing => false,
                    LastWrite::Indexed => true,
                    LastWrite::Unindexed => self.0.identity.proof() == Some(Proof::Always),
                }
    }

    /// Returns true where standbys are known to answer ordinary requests with
    /// the past, whatever this process wrote before.
    #[must_use]
    pub fn lets_standbys_lag(&self) -> bool {
        self.0.consistency.last_write() == LastWrite::Unindexed
            && self.0.identity.proof() == Some(Proof::Wrapping)
    }

    /// Returns a client whose answers are no older than this call: writes the
    /// fence first, whatever this process wrote before.
    ///
    /// Callers that come while a fence is being written share the one after it.
    /// Without a fence path nothing is written, and nothing proven.
    ///
    /// # Errors
    ///
    /// By meaning; `Misconfigured` when the mount is not KV version 2, and where
    /// a standby of this version can't be kept from answering with the past.
    pub async fn fence(&self) -> Result<Fenced, OpenBaoError> {
        let Some(path) = &self.0.fence_path else {
            return Ok(Fenced::new(self, Route::Any));
        };
        let kv = self.kv();
        let route = match self.0.fences.share(kv.write_fence(path)).await? {
            Returned::Index => Route::Any,
            Returned::Nothing => self.route_without_index().await?,
        };
        Ok(Fenced::new(self, route))
    }

    /// Returns how a request is sent that must not be answered with the past,
    /// now that this process has written something.
    pub(super) async fn route(&self) -> Result<Route, OpenBaoError> {
        match self.0.consistency.last_write() {
            LastWrite::Nothing | LastWrite::Indexed => Ok(Route::Any),
            LastWrite::Unindexed => self.route_without_index().await,
        }
    }

    async fn route_without_index(&self) -> Result<Route, OpenBaoError> {
        match self.server().await?.proof() {
            Proof::Always => Ok(Route::Any),
            Proof::Wrapping => Ok(Route::Active),
            Proof::Leading => self.expect_active_node().await.map(|()| Route::Any),
        }
    }

    /// Sends `call` with the token in use. Denied, it is sent once more with
    /// another token, if there is one to get.
    ///
    /// Returns answers of success, and 404, whose body tells what was deleted.
    pub(super) async fn call(&self, call: &Call) -> Result<HttpResponse, OpenBaoError> {
        let response = self.call_wrapped(call).await?;
        let wrapping = match call.route {
            Route::Any => None,
            Route::Active => wrapping::token_in(&response),
        };
        match wrapping {
            Some(wrapping) => self.unwrap(call, &wrapping).await,
            None => Ok(response),
        }
    }

    /// Asks for what an answer wraps: the active node alone keeps it, and gives
    /// it out once.
    async fn unwrap(&self, call: &Call, wrapping: &Token) -> Result<HttpResponse, OpenBaoError> {
        let unwrap = Call::new(call.operation, Method::POST, wrapping::UNWRAP);
        let mut response = self.send(&unwrap, Some(wrapping)).await?;
        for _ in 0..wrapping::TRIES {
            // To a standby that has not heard of the token it is none.
            if response.status != StatusCode::BAD_REQUEST {
                break;
            }
            tokio::time::sleep(wrapping::WAIT).await;
            response = self.send(&unwrap, Some(wrapping)).await?;
        }
        if response.status.is_success() || response.status == StatusCode::NOT_FOUND {
            return Ok(response);
        }
        if call.writes {
            // It has landed, and nobody knows how it was answered.
            self.0.consistency.doubt();
        }
        let refused = OpenBaoError::from_response(&response, unwrap.operation, &unwrap.path);
        Err(
            OpenBaoError::new(OpenBaoErrorKind::Unavailable, call.operation, &call.path)
                .with_source(refused),
        )
    }

    async fn call_wrapped(&self, call: &Call) -> Result<HttpResponse, OpenBaoError> {
        let token = self.0.session.token(self).await?;
        let mut response = self.send(call, Some(&token)).await?;
        if response.status == StatusCode::FORBIDDEN {
            let denial = OpenBaoError::from_response(&response, call.operation, &call.path);
            let known_invalid = denial.kind() == OpenBaoErrorKind::Unauthenticated;
            // "permission denied" is said to a token that has run out, too.
            if !known_invalid && !token.has_expired() && self.is_valid(&token).await? {
                return Err(denial);
            }
            let Some(other) = self.0.session.renewed(&token, self).await? else {
                return Err(invalid_token(call).with_source(denial));
            };
            response = self.send(call, Some(&other)).await?;
        }
        if response.status.is_success() || response.status == StatusCode::NOT_FOUND {
            return Ok(response);
        }
        Err(self.refusal(&response, call).await)
    }

    /// Explains an answer of no success, with commands of the server's vendor.
    pub(super) async fn refusal(&self, response: &HttpResponse, call: &Call) -> OpenBaoError {
        let error = OpenBaoError::from_response(response, call.operation, &call.path);
        if !error.concerns_engine() {
            return error;
        }
        let vendor = self.vendor().await;
        error.with_remedy(missing_engine(&call.path, vendor))
    }

    /// Asks the server whether `token` is one, to tell a token that has run out
    /// from a permission that is missing.
    async fn is_valid(&self, token: &Token) -> Result<bool, OpenBaoError> {
        let call = Call::new("look up token", Method::GET, "auth/token/lookup-self");
        let response = self.send(&call, Some(token)).await?;
        Ok(response.status.is_success())
    }

    async fn send(&self, call: &Call, token: Option<&Token>) -> Result<HttpResponse, OpenBaoError> {
        self.send_in(self.0.namespace.as_ref(), call, token).await
    }

    pub(super) async fn send_in(
        &self,
        namespace: Option<&HeaderValue>,
        call: &Call,
        token: Option<&Token>,
    ) -> Result<HttpResponse, OpenBaoError> {
        let mut request = HttpRequest {
            method: call.method.clone(),
            url: self.url(call)?,
            headers: self.headers(namespace, token)?,
            body: call.body.clone(),
        };
        if call.route == Route::Active {
            wrapping::ask_for_it(&mut request.headers);
        }
        let consistency = &self.0.consistency;
        let before = consistency.before_write();
        let outcome = self.0.http.send(&request).await;
        if call.writes {
            match &outcome {
                Ok(response) if response.status.is_success() => {
                    consistency.wrote(before, &response.headers);
                }
                Ok(response) if !response.retried && did_nothing(response.status) => {}
                _ => consistency.doubt(),
            }
        }
        outcome.map_err(|error| OpenBaoError::from_http(error, call.operation, &call.path))
    }

    pub(super) fn url(&self, call: &Call) -> Result<Url, OpenBaoError> {
        let invalid =
            || OpenBaoError::new(OpenBaoErrorKind::InvalidPath, call.operation, &call.path);
        // No segment can climb out of its mount, or be read in another way by
        // a proxy: nothing has to be escaped.
        if !is_path(&call.path) {
            return Err(invalid());
        }
        let mut url = self.0.address.as_url().clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/v1/{}", call.path));
        url.set_query(call.query);
        Ok(url)
    }

    fn headers(
        &self,
        namespace: Option<&HeaderValue>,
        token: Option<&Token>,
    ) -> Result<HeaderMap, OpenBaoError> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        if let Some(token) = token {
            headers.insert(TOKEN, token.header()?);
        }
        if let Some(namespace) = namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        self.0.consistency.add_to(&mut headers);
        Ok(headers)
    }
}

#[async_trait]
impl LogIn for OpenBaoClient {
    async fn log_in(&self, login: Login) -> Result<Token, OpenBaoError> {
        // Counted as a write below, if it was one.
        let mut call = Call::new("login", Method::POST, login.path);
        call.body = Some(login.body);
        let before = self.0.consistency.before_write();
        let response = self.send(&call, None).await?;
        if !response.status.is_success() {
            return Err(login_refused(&response, &call.path));
        }
        let granted = auth::granted(&response, &call.path)?;
        if granted.is_stored {
            // The leader stored the token: its index covers all that was
            // written before, and the token itself.
            self.0.consistency.wrote(before, &response.headers);
        }
        Ok(granted.token)
    }
}

/// Returns true for refusals that come before anything is looked at: they say
/// nothing of what others wrote.
fn did_nothing(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

pub(super) fn namespace_header(name: &str) -> Result<HeaderValue, OpenBaoError> {
    let refused = || OpenBaoError::new(OpenBaoErrorKind::Misconfigured, "namespace", name);
    if !is_path(name) {
        return Err(refused());
    }
    HeaderValue::from_str(name).map_err(|_| refused())
}

fn invalid_token(call: &Call) -> OpenBaoError {
    OpenBaoError::new(
        OpenBaoErrorKind::Unauthenticated,
        call.operation,
        &call.path,
    )
    .with_remedy(
        "The token is not, or no longer, valid: renew it. (A valid token whose policies do not \
         allow it to look itself up looks the same.)",
    )
}

fn login_refused(response: &HttpResponse, path: &str) -> OpenBaoError {
    let error = OpenBaoError::from_response(response, "login", path);
    let kind = match error.kind() {
        OpenBaoErrorKind::PermissionDenied
        | OpenBaoErrorKind::Refused
        | OpenBaoErrorKind::NotFound => OpenBaoErrorKind::Unauthenticated,
        kind => kind,
    };
    if kind != OpenBaoErrorKind::Unauthenticated {
        return error;
    }
    OpenBaoError::new(kind, "login", path)
        .with_remedy(
            "The server refused the login: check the auth method's mount path, the role, and the \
             credential.",
        )
        .with_source(error)
}
