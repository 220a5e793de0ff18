//! What a client finds out about its server, and only where it has to.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::consistency::IndexForm;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::request::{Call, OpenBaoClient, namespace_header};
use super::server::{Proof, Server, ServerVendor};
use crate::http::{HttpErrorKind, HttpRequest, RetryPolicy};

/// Has a standby that would forward a request redirect it instead.
const NO_FORWARDING: HeaderName = HeaderName::from_static("x-vault-no-request-forwarding");

/// Answered without a token.
const MOUNTS: &str = "sys/internal/ui/mounts";

/// Whose server it is, as far as anybody said.
#[derive(Debug)]
pub(super) struct Identity {
    declared: Option<ServerVendor>,
    said: OnceCell<Server>,
    /// Set once a standby is known to forward whatever it is asked.
    forwards: OnceCell<()>,
}

impl Identity {
    pub(super) fn declared(vendor: Option<ServerVendor>) -> Self {
        Self {
            declared: vendor,
            said: OnceCell::new(),
            forwards: OnceCell::new(),
        }
    }

    /// Returns how the server proves anything, if it was asked already.
    pub(super) fn proof(&self) -> Option<Proof> {
        self.said.get().map(|server| server.proof())
    }
}

impl OpenBaoClient {
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

    /// Returns whose server it is: as declared, as an index tells, and only
    /// then as the server says, which takes one request a process.
    pub async fn vendor(&self) -> ServerVendor {
        if let Some(declared) = self.0.identity.declared {
            return declared;
        }
        match self.0.consistency.form() {
            Some(IndexForm::OpenBao) => ServerVendor::OpenBao,
            Some(IndexForm::Vault) => ServerVendor::Vault,
            None => self.server().await.unwrap_or(Server::UNKNOWN).vendor,
        }
    }

    /// Returns what the server says of itself; one request a process.
    pub(super) async fn server(&self) -> Result<Server, OpenBaoError> {
        let asked = self.0.identity.said.get_or_try_init(|| self.health());
        asked.await.copied()
    }

    /// Makes sure that this node's answers are the active node's: for servers
    /// whose standbys answer with the past and can't be kept from it.
    pub(super) async fn expect_active_node(&self) -> Result<(), OpenBaoError> {
        let server = self.health().await?;
        if !server.is_standby {
            return Ok(());
        }
        let forwards = &self.0.identity.forwards;
        let asked = forwards.get_or_try_init(|| self.expect_forwarding());
        asked.await.copied()
    }

    async fn health(&self) -> Result<Server, OpenBaoError> {
        let mut call = Call::new("read health", Method::GET, "sys/health");
        // Otherwise a standby answers 429 or 473, which are errors elsewhere.
        call.query = Some("standbyok=true&perfstandbyok=true");
        let response = self.send_in(None, &call, None).await?;
        Ok(Server::parse(response.body.expose()).unwrap_or(Server::UNKNOWN))
    }

    /// Tells a standby that forwards everything (`disable_standby_reads`) from
    /// one that answers: only the former redirects a request that it may not
    /// forward.
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
                "This node is a standby of OpenBAO 2.5.0 to 2.6.1: it answers reads with \
                         what it has, which may be the past, and offers no way to ask the active \
                         node. Upgrade the servers to OpenBAO 2.7 (2.6.2 at least), set \
                         disable_standby_reads = true in their configuration, or set address to \
                         the active node's.",
            )),
        }
    }
}
