//! One request: token, namespace, index; and another login where it is due.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use super::auth::{self, LogIn, Login, Session, Token};
use super::config::{MountPath, OpenBaoAddress, OpenBaoConfig, is_path};
use super::consistency::Consistency;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::kv::KvV2;
use super::transit::Transit;
use crate::http::{
    HttpClient, HttpRequest, HttpResponse, HttpSettings, Proxies, RequestCounter, RetryPolicy,
    Roots,
};
use crate::secret::SecretBytes;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Not there yet (412), and standbys of Vault's kinds (472, 473).
const STANDBY_STATUSES: &[u16] = &[412, 472, 473];

/// A KV version 2 that a node does not serve yet: right after it was mounted,
/// and on a standby some time later still.
const STARTING_ANSWERS: &[(u16, &str)] = &[(400, "from non-versioned to versioned data")];

/// A client of one server, as one identity; cheap to clone. What it learned
/// (token, index, fence) is shared by the clones.
#[derive(Clone, Debug)]
pub struct OpenBaoClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: HttpClient,
    address: OpenBaoAddress,
    namespace: Option<HeaderValue>,
    kv_mount: MountPath,
    transit_mount: MountPath,
    session: Session,
    consistency: Consistency,
    fence_path: Option<String>,
    fencing: Mutex<()>,
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
            fencing: Mutex::new(()),
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
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.0.fence_path.is_none() || self.0.consistency.is_settled()
    }

    /// Makes sure that what is read from now on is no older than now: writes
    /// the fence, unless a write of this process vouches for that already.
    ///
    /// So it is written once per process at most, and again only after a write
    /// whose outcome is not known, or a compare-and-set that was lost. Who
    /// comes meanwhile waits. Without a fence path it does nothing.
    ///
    /// # Errors
    ///
    /// By meaning; `Misconfigured` when the mount is not KV version 2.
    pub async fn fence(&self) -> Result<(), OpenBaoError> {
        let Some(path) = &self.0.fence_path else {
            return Ok(());
        };
        if self.0.consistency.is_settled() {
            return Ok(());
        }
        let _one_at_a_time = self.0.fencing.lock().await;
        if self.0.consistency.is_settled() {
            return Ok(());
        }
        self.kv().write_fence(path).await
    }

    /// Says whether the server keeps to the configured namespace: one that knows
    /// none, as Vault's Community edition, ignores the name and serves the root.
    ///
    /// Asks, without a token, inside a namespace that cannot be there, which only
    /// such a server finds. One request; none where no namespace is configured.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub async fn keeps_to_namespace(&self) -> Result<bool, OpenBaoError> {
        let Some(namespace) = &self.0.namespace else {
            return Ok(true);
        };
        let namespace = namespace.to_str().unwrap_or_default();
        let nowhere = format!("{namespace}/planton-{}", Uuid::new_v4().simple());
        let call = Call {
            operation: "verify namespace",
            method: Method::GET,
            // Answered without a token.
            path: "sys/internal/ui/mounts".to_owned(),
            query: None,
            body: None,
            writes: false,
        };
        let nowhere = namespace_header(&nowhere)?;
        let response = self.send_in(Some(&nowhere), &call, None).await?;
        if response.status.is_success() || response.status.is_client_error() {
            return Ok(!response.status.is_success());
        }
        Err(OpenBaoError::from_response(
            &response,
            call.operation,
            &call.path,
        ))
    }

    /// Sends `call` with the token in use. Denied, it is sent once more with
    /// another token, if there is one to get.
    ///
    /// Returns answers of success, and 404, whose body tells what was deleted.
    pub(super) async fn call(&self, call: &Call) -> Result<HttpResponse, OpenBaoError> {
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
        Err(OpenBaoError::from_response(
            &response,
            call.operation,
            &call.path,
        ))
    }

    /// Asks the server whether `token` is one, to tell a token that has run out
    /// from a permission that is missing.
    async fn is_valid(&self, token: &Token) -> Result<bool, OpenBaoError> {
        let call = Call {
            operation: "look up token",
            method: Method::GET,
            path: "auth/token/lookup-self".to_owned(),
            query: None,
            body: None,
            writes: false,
        };
        let response = self.send(&call, Some(token)).await?;
        Ok(response.status.is_success())
    }

    async fn send(&self, call: &Call, token: Option<&Token>) -> Result<HttpResponse, OpenBaoError> {
        self.send_in(self.0.namespace.as_ref(), call, token).await
    }

    async fn send_in(
        &self,
        namespace: Option<&HeaderValue>,
        call: &Call,
        token: Option<&Token>,
    ) -> Result<HttpResponse, OpenBaoError> {
        let request = HttpRequest {
            method: call.method.clone(),
            url: self.url(call)?,
            headers: self.headers(namespace, token)?,
            body: call.body.clone(),
        };
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

    fn url(&self, call: &Call) -> Result<Url, OpenBaoError> {
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
        let call = Call {
            operation: "login",
            method: Method::POST,
            path: login.path,
            query: None,
            body: Some(login.body),
            // Counted as a write below, if it was one.
            writes: false,
        };
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

fn namespace_header(name: &str) -> Result<HeaderValue, OpenBaoError> {
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
