//! What proves that an answer is not stale.
//!
//! A fence is one small write. It is acknowledged by the active node alone, and
//! only while a majority follows that node; the index that it returns makes
//! every later answer of this process as new as the write. Where a server has
//! no index, its version decides how an answer is had from the active node.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::Mutex;

use super::consistency::Consistency;
use super::error::{OpenBaoError, OpenBaoErrorKind};
use super::kv::{KvV2, KvWritten, parse};
use super::request::OpenBaoClient;
use super::transit::Transit;
use planton_secret::SecretBytes;

/// How often a fence is written again that another process, or a standby that
/// lags, was in the way of. With the waits, far longer than standbys lag.
const CAS_TRIES: u32 = 8;
const CAS_WAIT: Duration = Duration::from_millis(25);

/// How a request reaches a node that is not behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Route {
    /// As it is: the index goes with it, or no node lags.
    #[default]
    Any,
    /// Through a standby to the active node, which a standby does not do
    /// by itself: OpenBAO 2.6.2 and later forward a request whose answer is to
    /// be wrapped, whatever it asks for.
    Active,
}

/// A client whose answers are no older than the call of
/// [`OpenBaoClient::fence`] that returned it.
#[derive(Clone, Debug)]
pub struct Fenced {
    client: OpenBaoClient,
    route: Route,
}

impl Fenced {
    pub(super) fn new(client: &OpenBaoClient, route: Route) -> Self {
        Self {
            client: client.clone(),
            route,
        }
    }

    /// Returns the configured KV mount.
    #[must_use]
    pub fn kv(&self) -> KvV2 {
        self.client.kv().through(self.route)
    }

    /// Returns the configured Transit mount. What is encrypted or decrypted
    /// there takes the ordinary way: no data key is to be wrapped in an answer.
    #[must_use]
    pub fn transit(&self) -> Transit {
        self.client.transit().through(self.route)
    }
}

/// The fences of a process, each shared by the callers that asked before it
/// began.
#[derive(Debug, Default)]
pub(super) struct Fences {
    begun: AtomicU64,
    newest: Mutex<Acknowledged>,
}

/// The newest fence that was acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    number: u64,
    returned: Returned,
}

/// Whether an index came with a fence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Returned {
    #[default]
    Nothing,
    Index,
}

impl Fences {
    /// Runs `write` to its end, unless another call's write that began after
    /// this call was acknowledged meanwhile.
    pub(super) async fn share<E>(
        &self,
        write: impl Future<Output = Result<Returned, E>>,
    ) -> Result<Returned, E> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut newest = self.newest.lock().await;
        if newest.number <= begun {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let returned = write.await?;
            *newest = Acknowledged { number, returned };
        }
        Ok(newest.returned)
    }
}

/// Whether the mount takes a fence without a compare-and-set, which spares a
/// read: learned from its refusal.
#[derive(Debug, Default)]
pub(super) struct FenceCas(std::sync::Mutex<Demand>);

#[derive(Clone, Copy, Debug, Default)]
enum Demand {
    #[default]
    Unknown,
    /// The mount, or the path, has `cas_required`.
    Required {
        /// The version that this process wrote last, if any.
        last: Option<u64>,
    },
}

impl FenceCas {
    fn demand(&self) -> Demand {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, last: Option<u64>) {
        let mut demand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *demand = Demand::Required { last };
    }
}

impl KvV2 {
    /// Writes the fence at `path`: its index is what counts, not what it holds.
    pub(super) async fn write_fence(&self, path: &str) -> Result<Returned, OpenBaoError> {
        let demanded = &self.client.0.fence_cas;
        if let Demand::Unknown = demanded.demand() {
            match self.try_fence(path, None).await {
                Err(error) if error.demands_cas() => demanded.set(None),
                outcome => return outcome.map(|(_, returned)| returned),
            }
        }
        let mut tries = 0;
        loop {
            let last = match demanded.demand() {
                Demand::Required { last: Some(last) } => last,
                Demand::Unknown | Demand::Required { last: None } => self.version(path).await?,
            };
            match self.try_fence(path, Some(last)).await {
                Ok((version, returned)) => {
                    demanded.set(Some(version));
                    return Ok(returned);
                }
                Err(error) if error.kind() == OpenBaoErrorKind::Conflict && tries < CAS_TRIES => {
                    demanded.set(None);
                    tokio::time::sleep(CAS_WAIT * (1 << tries)).await;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the version to name, from the metadata: a role that only plans
    /// may not read what the fence holds.
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
            // KV version 1 took it, as in `write`.
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

/// Returns which of 256 fences this process writes: two processes may share one,
/// since only the index of the write counts, and none is left behind for every
/// process that ever ran.
///
/// # Errors
///
/// When the operating system gives no randomness.
pub fn fence_slot() -> Result<String, getrandom::Error> {
    Ok(format!("{:02x}", getrandom::u32()? & 0xff))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[derive(Default)]
    struct Writes {
        begun: AtomicUsize,
        is_under_way: Notify,
        may_end: Notify,
    }

    impl Writes {
        async fn held(&self) -> Result<Returned, ()> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.is_under_way.notify_one();
            self.may_end.notified().await;
            Ok(Returned::Index)
        }

        async fn at_once(&self) -> Result<Returned, ()> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            Ok(Returned::Index)
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_fence_is_written_however_many_were_before() {
        let (fences, writes) = (Fences::default(), Writes::default());
        for number in 1..=3 {
            fences.share(writes.at_once()).await.unwrap();
            assert_eq!(writes.begun(), number);
        }
    }

    #[tokio::test]
    async fn callers_that_come_while_a_fence_is_written_share_the_next_one() {
        let shared = Arc::new((Fences::default(), Writes::default()));
        let share = |held: bool| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let (fences, writes) = &*shared;
                if held {
                    fences.share(writes.held()).await
                } else {
                    fences.share(writes.at_once()).await
                }
            })
        };
        let first = share(true);
        shared.1.is_under_way.notified().await;
        let late: Vec<_> = (0..10).map(|_| share(false)).collect();
        // Each has asked, and waits for the first.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(shared.1.begun(), 1);
        shared.1.may_end.notify_one();
        first.await.unwrap().unwrap();
        for late in late {
            late.await.unwrap().unwrap();
        }
        // The first began before they asked, so it proves nothing to them.
        assert_eq!(shared.1.begun(), 2);
    }

    #[tokio::test]
    async fn a_fence_that_failed_proves_nothing_to_anybody() {
        let (fences, writes) = (Fences::default(), Writes::default());
        let failed = async { Err(()) };
        assert!(fences.share(failed).await.is_err());
        fences.share(writes.at_once()).await.unwrap();
        assert_eq!(writes.begun(), 1);
    }
}
