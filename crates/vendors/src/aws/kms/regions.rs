//! The Regions in which a key is used.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use planton_core::kek::KekError;
use tokio::sync::OnceCell;

use super::errors::of_connecting;
use super::key::KmsKey;
use super::requests::KmsClient;
use super::settings::{AwsKmsConfig, alias_in};
use crate::aws::client::{AwsError, AwsErrorKind, AwsSession};
use crate::aws::connection::AwsConnection;
use crate::aws::credential::AwsCredential;
use crate::http::{HttpErrorKind, HttpSettings};

/// Maximum number of tries in a Region if there is another one to go to.
const TRIES_BEFORE_ANOTHER_REGION: u32 = 3;

/// The Regions of a key, in the order in which they are tried. Each connects at its first
/// use.
///
/// Only a Region that cannot be reached, or that fails, is left for the next. Key policy
/// and key state belong to each Region's own key, so a refusal is final: otherwise a key
/// that is disabled in one Region would still be used in another.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-auth.html>
#[derive(Debug)]
pub(super) struct Regions {
    slots: Vec<Slot>,
    credential: AwsCredential,
    http: HttpSettings,
    /// The Region that answered last. So a Region that is down costs its tries once.
    current: AtomicUsize,
}

#[derive(Debug)]
struct Slot {
    connection: AwsConnection,
    client: OnceCell<Arc<KmsClient>>,
}

/// The key of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// As configured.
    Configured(&'a str),
    /// A key that was resolved.
    Resolved(&'a KmsKey),
}

impl Target<'_> {
    fn in_region(self, region: &str) -> String {
        match self {
            // The configured ARN of a multi-Region key may be that of another replica.
            Self::Configured(text) => match KmsKey::from_arn(text) {
                Some(key) => key.arn_in(region),
                None => alias_in(text, region),
            },
            Self::Resolved(key) => key.arn_in(region),
        }
    }
}

impl Regions {
    /// Prepares the Regions of `key`; of the configured key if it is not resolved yet.
    pub(super) fn new(
        config: &AwsKmsConfig,
        key: Option<&KmsKey>,
        credential: AwsCredential,
        mut http: HttpSettings,
    ) -> Self {
        let slots: Vec<Slot> = config
            .connections(key)
            .into_iter()
            .map(|connection| Slot {
                connection,
                client: OnceCell::new(),
            })
            .collect();
        if slots.len() > 1 {
            http.retry.max_tries = http.retry.max_tries.min(TRIES_BEFORE_ANOTHER_REGION);
        }
        Self {
            slots,
            credential,
            http,
            current: AtomicUsize::new(0),
        }
    }

    /// Returns the number of Regions.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Returns the number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        let clients = self.slots.iter().filter_map(|slot| slot.client.get());
        clients.map(|client| client.requests()).sum()
    }

    /// Sends the request that `send` builds from a client and the key's name in its Region,
    /// in the current Region, and in the next ones as long as a Region is unreachable.
    pub(super) async fn call<T, Sending>(
        &self,
        operation: &'static str,
        target: Target<'_>,
        send: impl Fn(Arc<KmsClient>, String) -> Sending,
    ) -> Result<T, KekError>
    where
        Sending: Future<Output = Result<T, AwsError>>,
    {
        let first = self.current.load(Ordering::Relaxed);
        let mut at = first;
        loop {
            let failed = match self.call_in(at, operation, target, &send).await {
                Ok(answer) => {
                    self.current.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failed) => failed,
            };
            at = (at + 1) % self.slots.len();
            if at == first || !failed.is_unreachable {
                return Err(failed.error);
            }
            tracing::warn!(error = %failed.error, "the key's next Region is tried");
        }
    }

    /// As [`call`](Self::call), in the Region at this position alone.
    pub(super) async fn call_in<T, Sending>(
        &self,
        at: usize,
        operation: &'static str,
        target: Target<'_>,
        send: impl Fn(Arc<KmsClient>, String) -> Sending,
    ) -> Result<T, Failed>
    where
        Sending: Future<Output = Result<T, AwsError>>,
    {
        let client = match self.client(&self.slots[at]).await {
            Ok(client) => client,
            Err(error) => {
                return Err(Failed {
                    is_unreachable: false,
                    error,
                });
            }
        };
        let key = target.in_region(client.region());
        let sent = send(Arc::clone(&client), key.clone()).await;
        sent.map_err(|error| Failed {
            is_unreachable: is_unreachable(&error),
            error: client.explain(error, operation, &key),
        })
    }

    async fn client(&self, slot: &Slot) -> Result<Arc<KmsClient>, KekError> {
        let connect = || async {
            let identity = slot.connection.identity(&self.credential);
            let session = AwsSession::connect(identity, self.http.clone()).await;
            let session = session.map_err(of_connecting)?;
            let client = KmsClient::new(session, &slot.connection, &self.credential);
            Ok(Arc::new(client))
        };
        slot.client.get_or_try_init(connect).await.cloned()
    }
}

/// A failure in one Region.
#[derive(Debug)]
pub(super) struct Failed {
    /// Whether another Region may answer.
    pub(super) is_unreachable: bool,
    /// The failure.
    pub(super) error: KekError,
}

/// Returns true if the Region could not be reached, or failed. A request that was stopped
/// says nothing of its Region.
fn is_unreachable(error: &AwsError) -> bool {
    let stopped = error.http().is_some_and(|http| {
        matches!(
            http.kind(),
            HttpErrorKind::Cancelled | HttpErrorKind::DeadlineExceeded
        )
    });
    error.kind() == AwsErrorKind::Unavailable && !stopped
}
