//! Proof that a read is not stale.
//!
//! A fence is one small write. Only the active node acknowledges it, and only while a
//! majority of the cluster follows that node. The consistency index in the response makes
//! every later read of this process at least as new as the write. If the server has no
//! index, its version decides how a request reaches the active node. Terms and behaviour:
//! <https://openbao.org/docs/next/concepts/consistency/>.

use std::time::Duration;

use http::{Method, StatusCode};

use super::call::Route;
use super::consistency::{Consistency, LastWrite};
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::fence_state::{Demand, Returned};
use super::kv::{KvV2, KvWritten, parse};
use super::openbao_client::OpenBaoClient;
use super::server::Proof;
use super::transit::Transit;
use planton_secret::SecretBytes;

/// Retries of a fence that lost its compare-and-set to another process, or that a stale
/// standby rejected. The waits add up to 6.4 s; standbys lag by less than one second.
const CAS_RETRIES: u32 = 8;
const CAS_WAIT: Duration = Duration::from_millis(25);

/// A client whose reads are no older than the call of [`OpenBaoClient::fence`] that
/// returned it.
#[derive(Clone, Debug)]
pub struct Fenced {
    client: OpenBaoClient,
    route: Route,
}

impl Fenced {
    /// Returns the configured KV mount.
    #[must_use]
    pub fn kv(&self) -> KvV2 {
        self.client.kv().through(self.route)
    }

    /// Returns the configured Transit mount. Encryption and decryption still take the
    /// ordinary route, so that no data key is stored inside a wrapped response.
    #[must_use]
    pub fn transit(&self) -> Transit {
        self.client.transit().through(self.route)
    }
}

impl OpenBaoClient {
    /// Returns true while every read is at least as new as this process's newest write,
    /// and there has been a write.
    ///
    /// Enough for a first look: writes of other processes may still be missing.
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

    /// Returns true if the client can write fences.
    pub(crate) fn has_fences(&self) -> bool {
        self.0.fence_path.is_some()
    }

    /// Returns true where standbys are known to answer ordinary requests from a stale
    /// state, even after this process has written.
    pub(crate) fn lets_standbys_lag(&self) -> bool {
        self.0.consistency.last_write() == LastWrite::Unindexed
            && self.0.identity.proof() == Some(Proof::Wrapping)
    }

    /// Writes a fence and returns a client whose reads are no older than this call.
    ///
    /// Callers that arrive while a fence is being written share the next one. A client
    /// without a fence path writes nothing and proves nothing.
    ///
    /// # Errors
    ///
    /// `Misconfigured` if the mount is not KV version 2, and where a standby of this
    /// version cannot be kept from answering from a stale state. Otherwise by meaning.
    pub async fn fence(&self) -> Result<Fenced, OpenBaoError> {
        let route = match &self.0.fence_path {
            None => Route::Any,
            Some(path) => {
                let kv = self.kv();
                match self.0.fences.share(kv.write_fence(path)).await? {
                    Returned::Index => Route::Any,
                    Returned::Nothing => self.route_without_index().await?,
                }
            }
        };
        Ok(Fenced {
            client: self.clone(),
            route,
        })
    }
}

impl KvV2 {
    /// Writes the fence at `path`. Only the index in the response matters, not the data.
    async fn write_fence(&self, path: &str) -> Result<Returned, OpenBaoError> {
        let cas = &self.client.0.fence_cas;
        if let Demand::Unknown = cas.demand() {
            match self.try_fence(path, None).await {
                Err(error) if error.demands_cas() => cas.require(None),
                outcome => return outcome.map(|(_, returned)| returned),
            }
        }
        let mut retries = 0;
        loop {
            let last = match cas.demand() {
                Demand::Required { last: Some(last) } => last,
                Demand::Unknown | Demand::Required { last: None } => self.version(path).await?,
            };
            match self.try_fence(path, Some(last)).await {
                Ok((version, returned)) => {
                    cas.require(Some(version));
                    return Ok(returned);
                }
                Err(error)
                    if error.kind() == OpenBaoErrorKind::Conflict && retries < CAS_RETRIES =>
                {
                    cas.require(None);
                    tokio::time::sleep(CAS_WAIT * (1 << retries)).await;
                    retries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the version for the compare-and-set. It comes from the metadata, because
    /// the plan role may not read the fence's data.
    async fn version(&self, path: &str) -> Result<u64, OpenBaoError> {
        let metadata = self.metadata(path).await?;
        Ok(metadata.map_or(0, |metadata| metadata.current_version))
    }

    async fn try_fence(
        &self,
        path: &str,
        cas: Option<u64>,
    ) -> Result<(u64, Returned), OpenBaoError> {
        let mut body = serde_json::json!({"data": {"fence": "1"}});
        if let Some(cas) = cas {
            body["options"] = serde_json::json!({"cas": cas});
        }
        let mut call = self.call("write fence", Method::POST, "data", path);
        call.body = Some(SecretBytes::new(body.to_string().into_bytes()));
        call.writes = true;
        let response = self.client.call(&call).await?;
        let response = self.found(response, &call).await?;
        if response.status == StatusCode::NO_CONTENT {
            // KV version 1 stored it, as in `write`.
            let _ = self.soft_delete(path).await;
            return Err(self.not_v2(&call).await);
        }
        let written = parse::<KvWritten>(&response);
        let unexpected = |()| OpenBaoError::unexpected(&response, call.operation, &call.path);
        let returned = if Consistency::is_indexed(&response.headers) {
            Returned::Index
        } else {
            Returned::Nothing
        };
        Ok((written.map_err(unexpected)?.version, returned))
    }
}

/// Returns which of 256 fences this process writes.
///
/// Two processes may share a fence, since only the index of the write counts. A bounded
/// number of fences leaves no record behind for every process that ever ran.
///
/// # Errors
///
/// When the operating system returns no random bytes.
pub fn fence_slot() -> Result<String, getrandom::Error> {
    Ok(format!("{:02x}", getrandom::u32()? & 0xff))
}
