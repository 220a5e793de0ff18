//! What a client asks its server about itself, only when the answer matters: vendor,
//! version, and whether it has namespaces.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use uuid::Uuid;

use super::call::{Call, Route};
use super::consistency::{IndexForm, LastWrite};
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::openbao_client::{OpenBaoClient, namespace_header};
use super::server::{Clusters, Proof, Server, ServerVendor};
use crate::http::{HttpErrorKind, HttpRequest, HttpResponse, RetryPolicy};

/// Makes a standby redirect a request that it would otherwise forward:
/// <https://openbao.org/docs/concepts/ha>.
const NO_FORWARDING: HeaderName = HeaderName::from_static("x-vault-no-request-forwarding");

/// Answers without a token: <https://openbao.org/api-docs/system/internal-ui-mounts/>.
const MOUNTS: &str = "sys/internal/ui/mounts";

/// What a server reports of its cluster:
/// <https://openbao.org/api-docs/system/health>,
/// <https://developer.hashicorp.com/vault/api-docs/system/health>.
#[derive(Deserialize)]
struct ClusterHealth {
    cluster_id: Uuid,
    replication_performance_mode: Option<String>,
    version: String,
    #[serde(default)]
    enterprise: bool,
}

impl ClusterHealth {
    /// OpenBAO reports a mode too, and has no replication.
    fn is_replicated(&self) -> bool {
        let mode = self.replication_performance_mode.as_deref();
        (self.enterprise || self.version.contains("+ent"))
            && matches!(mode, Some("primary" | "secondary"))
    }
}

impl OpenBaoClient {
    /// Returns true if the server respects the configured namespace. A server without
    /// namespaces, such as Vault's Community edition, ignores the name and serves the root:
    /// <https://developer.hashicorp.com/vault/docs/enterprise/namespaces>.
    ///
    /// Sends a request, without a token, in a namespace that cannot exist; only a server
    /// without namespaces answers it. One request; none without a configured namespace.
    ///
    /// # Errors
    ///
    /// By meaning.
    pub(crate) async fn keeps_to_namespace(&self) -> Result<bool, OpenBaoError> {
        let Some(namespace) = &self.0.namespace else {
            return Ok(true);
        };
        let namespace = namespace.to_str().unwrap_or_default();
        let nowhere = format!("{namespace}/planton-{}", Uuid::new_v4().simple());
        let call = Call::new("verify namespace", Method::GET, MOUNTS);
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

    /// Returns the server's vendor: as declared, else by the form of an index, else from
    /// the server itself, which costs one request per process.
    pub async fn vendor(&self) -> ServerVendor {
        if let Some(declared) = self.0.identity.vendor() {
            return declared;
        }
        match self.0.consistency.form() {
            Some(IndexForm::OpenBao) => ServerVendor::OpenBao,
            Some(IndexForm::Vault) => ServerVendor::Vault,
            None => self.server().await.unwrap_or(Server::UNKNOWN).vendor,
        }
    }

    /// Returns the route of a request that must not be answered from a stale state, given
    /// what this process has written.
    pub(super) async fn route(&self) -> Result<Route, OpenBaoError> {
        match self.0.consistency.last_write() {
            LastWrite::Nothing | LastWrite::Indexed => Ok(Route::Any),
            LastWrite::Unindexed => self.route_without_index().await,
        }
    }

    /// Returns the route to a current answer on a server whose writes return no index.
    pub(super) async fn route_without_index(&self) -> Result<Route, OpenBaoError> {
        match self.server().await?.proof() {
            Proof::Always => Ok(Route::Any),
            Proof::Wrapping => Ok(Route::Active),
            Proof::Leading => self.expect_active_node().await.map(|()| Route::Any),
        }
    }

    /// Returns the clusters of the server: one request, and another for a member of a
    /// performance replication, whose clusters share their keys. No token is sent.
    ///
    /// # Errors
    ///
    /// By meaning; `Unexpected` if the server does not identify itself.
    pub(crate) async fn clusters(&self) -> Result<Clusters, OpenBaoError> {
        let (call, response) = self.ask_health().await?;
        let unexpected = || OpenBaoError::unexpected(&response, call.operation, &call.path);
        if !response.status.is_success() {
            return Err(OpenBaoError::from_response(
                &response,
                call.operation,
                &call.path,
            ));
        }
        let health: ClusterHealth =
            serde_json::from_slice(response.body.expose()).map_err(|_| unexpected())?;
        //= docs/format.md#29-customers-transit-kek
        //# If that response is of Vault Enterprise and has `replication_performance_mode`
        //# `primary` or `secondary`, a writer MUST take the `cluster_id` in the response to
        //# `GET /v1/sys/replication/performance/status`.
        Ok(Clusters {
            own: health.cluster_id.to_string(),
            primary: match health.is_replicated() {
                true => Some(self.replication_primary().await?),
                false => None,
            },
        })
    }

    /// Returns the cluster that a primary and all its secondaries report:
    /// <https://developer.hashicorp.com/vault/api-docs/system/replication/replication-performance>.
    async fn replication_primary(&self) -> Result<String, OpenBaoError> {
        #[derive(Deserialize)]
        struct Answer {
            data: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            cluster_id: Uuid,
        }
        let path = "sys/replication/performance/status";
        let call = Call::new("read replication", Method::GET, path);
        let response = self.send_in(None, &call, None).await?;
        if !response.status.is_success() {
            return Err(OpenBaoError::from_response(
                &response,
                call.operation,
                &call.path,
            ));
        }
        let answer: Answer = serde_json::from_slice(response.body.expose())
            .map_err(|_| OpenBaoError::unexpected(&response, call.operation, &call.path))?;
        Ok(answer.data.cluster_id.to_string())
    }

    /// Returns what the server reports about itself; one request per process.
    async fn server(&self) -> Result<Server, OpenBaoError> {
        self.0.identity.server_or(|| self.health()).await
    }

    /// Fails on a standby that answers from a stale state and offers no way around it.
    async fn expect_active_node(&self) -> Result<(), OpenBaoError> {
        let server = self.health().await?;
        if !server.is_standby {
            return Ok(());
        }
        self.0
            .identity
            .forwarding_or(|| self.expect_forwarding())
            .await
    }

    async fn health(&self) -> Result<Server, OpenBaoError> {
        let (_, response) = self.ask_health().await?;
        Ok(Server::parse(response.body.expose()).unwrap_or(Server::UNKNOWN))
    }

    async fn ask_health(&self) -> Result<(Call, HttpResponse), OpenBaoError> {
        let mut call = Call::new("read health", Method::GET, "sys/health");
        // Without these, a standby returns 429 or 473, which are errors elsewhere:
        // https://developer.hashicorp.com/vault/api-docs/system/health
        call.query = Some("standbyok=true&perfstandbyok=true".into());
        let response = self.send_in(None, &call, None).await?;
        Ok((call, response))
    }

    /// Tells a standby that forwards everything (`disable_standby_reads`) from one that
    /// answers reads itself: only the former redirects a request that it may not forward.
    /// <https://openbao.org/docs/rfcs/standby-nodes-handle-read-requests>
    async fn expect_forwarding(&self) -> Result<(), OpenBaoError> {
        let call = Call::new("verify standby", Method::GET, MOUNTS);
        let mut request = HttpRequest {
            method: call.method.clone(),
            url: self.url(&call)?,
            headers: HeaderMap::new(),
            body: None,
        };
        request
            .headers
            .insert(NO_FORWARDING, HeaderValue::from_static("true"));
        let retry = RetryPolicy {
            max_tries: 1,
            ..RetryPolicy::default()
        };
        match self.0.http.with_retry(retry).send(&request).await {
            Err(error) if error.kind() == HttpErrorKind::Redirected => Ok(()),
            Err(error) => Err(OpenBaoError::from_http(error, call.operation, &call.path)),
            Ok(_) => Err(OpenBaoError::new(
                OpenBaoErrorKind::Misconfigured,
                call.operation,
                &call.path,
            )
            .with_remedy(
                "This node is a standby of OpenBAO 2.5.0 to 2.6.1, which may return stale reads \
                 and cannot forward them to the active node. Upgrade the servers to OpenBAO 2.7 \
                 (at least 2.6.2), set disable_standby_reads = true in their configuration, or \
                 set address to the active node.",
            )),
        }
    }
}
