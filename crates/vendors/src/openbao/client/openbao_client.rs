//! The client: its settings, and one request with namespace, token and index.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::call::{Call, Route};
use super::config::{MountPath, OpenBaoAddress, OpenBaoConfig, is_path};
use super::consistency::Consistency;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::fence_state::{FenceCas, Fences};
use super::login::{self, LogIn, Login, Session, Token};
use super::server::Identity;
use super::wrapping;
use crate::http::{
    HttpClient, HttpRequest, HttpResponse, HttpSettings, Proxies, RequestCounter, RetryPolicy,
    Roots,
};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
/// <https://openbao.org/docs/concepts/namespaces/>
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// An agent or a proxy may demand this header against request forgery:
/// <https://openbao.org/docs/agent-and-proxy/proxy/>.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Statuses of a node that cannot answer yet, and that a retry clears: a standby without
/// the required index (412), a disaster recovery secondary (472), and a performance
/// standby (473): <https://developer.hashicorp.com/vault/api-docs/system/health>.
const STANDBY_STATUSES: &[u16] = &[412, 472, 473];

/// A KV version 2 mount that a node does not serve yet: for a moment after it was
/// mounted, and on a standby somewhat longer. The engine upgrades its storage first:
/// <https://github.com/openbao/openbao/blob/main/builtin/logical/kv/backend.go>.
const STARTING_ANSWERS: &[(u16, &str)] = &[(400, "from non-versioned to versioned data")];

/// A performance standby of Vault that has not reached the index of a request yet. The
/// client waits for it until the operation's deadline.
/// <https://github.com/hashicorp/vault/blob/main/sdk/logical/error.go>
const BEHIND: &[(u16, &str)] = &[(412, "required index state not present")];

/// A client of one server with one identity; cheap to clone. Clones share the token, the
/// index and the fences.
#[derive(Clone, Debug)]
pub struct OpenBaoClient(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) http: HttpClient,
    address: OpenBaoAddress,
    pub(super) namespace: Option<HeaderValue>,
    pub(super) kv_mount: MountPath,
    pub(super) transit_mount: MountPath,
    pub(super) session: Session,
    pub(super) consistency: Consistency,
    pub(super) fence_path: Option<String>,
    pub(super) fences: Fences,
    pub(super) fence_cas: FenceCas,
    pub(super) identity: Identity,
}

impl OpenBaoClient {
    /// Builds a client. The first request is the first I/O.
    ///
    /// `fence_path` is the path, inside the KV mount, of the [`fence`](Self::fence).
    /// Without it, the client believes a stale standby that nothing exists.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if certificates, keys or the namespace cannot be used.
    pub fn new(config: &OpenBaoConfig, fence_path: Option<&str>) -> Result<Self, OpenBaoError> {
        Self::with_http(config, fence_path, HttpSettings::default())
    }

    /// As [`new`](Self::new), with other retries.
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

    /// As [`new`](Self::new), with other timeouts and retries. Trusted certificates, the
    /// client certificate and the use of a proxy come from `config`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_http(
        config: &OpenBaoConfig,
        fence_path: Option<&str>,
        http: HttpSettings,
    ) -> Result<Self, OpenBaoError> {
        let http = HttpClient::new(&http_settings(config, http)).map_err(|error| {
            OpenBaoError::from_http(error, "connect", &config.address.to_string())
        })?;
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

    /// Returns the number of requests sent.
    #[must_use]
    pub fn requests(&self) -> &RequestCounter {
        self.0.http.requests()
    }

    /// Sends `call` in the configured namespace.
    pub(super) async fn send(
        &self,
        call: &Call,
        token: Option<&Token>,
    ) -> Result<HttpResponse, OpenBaoError> {
        self.send_in(self.0.namespace.as_ref(), call, token).await
    }

    /// Sends `call` in `namespace`, and records what the response says about the index.
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
            wrapping::request(&mut request.headers);
        }
        let consistency = &self.0.consistency;
        let before = consistency.before_write();
        let outcome = self.0.http.send(&request).await;
        if call.writes {
            match &outcome {
                Ok(response) if response.status.is_success() => {
                    consistency.wrote(before, &response.headers);
                }
                Ok(response) if !response.retried && changed_nothing(response.status) => {}
                _ => consistency.doubt(),
            }
        }
        outcome.map_err(|error| OpenBaoError::from_http(error, call.operation, &call.path))
    }

    pub(super) fn url(&self, call: &Call) -> Result<Url, OpenBaoError> {
        // A segment cannot leave its mount, and every proxy reads it alike, so nothing
        // has to be escaped.
        if !is_path(&call.path) {
            return Err(OpenBaoError::new(
                OpenBaoErrorKind::InvalidPath,
                call.operation,
                &call.path,
            ));
        }
        let mut url = self.0.address.as_url().clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/v1/{}", call.path));
        url.set_query(call.query.as_deref());
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
        // Not a write yet: only a stored token is one, which the response tells.
        let mut call = Call::new("login", Method::POST, login.path);
        call.body = Some(login.body);
        let before = self.0.consistency.before_write();
        let response = self.send(&call, None).await?;
        if !response.status.is_success() {
            return Err(login_refused(&response, &call.path));
        }
        let granted = login::granted(&response, &call.path)?;
        if granted.is_stored {
            // The active node stored the token. Its index covers the token and all earlier
            // writes.
            self.0.consistency.wrote(before, &response.headers);
        }
        Ok(granted.token)
    }
}

fn http_settings(config: &OpenBaoConfig, http: HttpSettings) -> HttpSettings {
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
    HttpSettings {
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
    }
}

/// Returns true for responses that precede any look at the data. They say nothing about
/// the writes of others.
fn changed_nothing(status: StatusCode) -> bool {
    matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

pub(super) fn namespace_header(name: &str) -> Result<HeaderValue, OpenBaoError> {
    let refused = || OpenBaoError::new(OpenBaoErrorKind::Misconfigured, "namespace", name);
    if !is_path(name) {
        return Err(refused());
    }
    HeaderValue::from_str(name).map_err(|_| refused())
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
            "The server rejected the login. Check the mount path of the auth method, the role, \
             and the credential.",
        )
        .with_source(error)
}
