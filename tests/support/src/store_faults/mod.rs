//! Tests a store's verbs against a failing network: one suite for all vendors, over
//! [`FaultProxy`].
//!
//! Each verb meets these faults: 429 with Retry-After, three 503, a reset before and
//! after the vendor acted, a truncated response, a stall, a permanent outage, a deadline
//! and a cancellation. The suite asserts the outcome, the number of requests, the
//! vendor's versions afterwards, and that no error contains a payload.
//!
//! A vendor's test calls [`run_all`] with a [`Bench`], which consists of:
//!
//! - a [`FaultProxy`] in front of the emulator, which nothing else uses at the same time;
//! - two stores that use the proxy, with [`patient`] and [`hasty`] HTTP settings, and a
//!   third that uses the emulator directly;
//! - a [`Match`] for each verb. The suite checks that it matches exactly one request of
//!   the verb without faults. The first put of an object may have several requests; the
//!   last one writes the payload, and is the only one of a later put that faults affect.
//!   Vault: `Match::method("POST").and(Match::path("/data/"))`. AWS:
//!   `Match::header("x-amz-target", ".PutSecretValue")`;
//! - for each verb, the number of requests that follow its repetition after a lost
//!   response, such as a read of the current version. Usually there are none. A store that
//!   looks for its own write before it repeats it says so;
//! - whether a put with a lost response may leave an unreferenced version. Only vendors
//!   without idempotency keys may do so;
//! - the vendor's number of versions with a payload under a name, read directly
//!   ([`CountVersions`]);
//! - a prefix that is new for each run, as for the conformance suite.
//!
//! Each store is used once before the suite counts requests, so logins do not count.

mod disturbances;
mod puts;
mod reads;
mod removals;
mod undisturbed;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use planton_core::store::conformance::payload::sample;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreError, StoreErrorKind, VersionStatus,
};
use planton_vendors::http::{HttpSettings, OperationContext, RetryPolicy};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match, Seen};

use disturbances::{BLOWS, Blow, OUTAGES, Outage};
use undisturbed::Undisturbed;

/// Timeout of a request of the hasty store. It is long for a local server, even during a
/// build.
const HASTY_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum number of tries of the hasty store.
pub const HASTY_TRIES: usize = 2;

/// Limit for a call that must not wait for its own timeout.
const SOON: Duration = Duration::from_secs(10);

/// The environment that a vendor's test supplies.
pub struct Bench<'a> {
    pub proxy: &'a FaultProxy,
    /// Uses the proxy, with [`patient`] settings.
    pub store: &'a dyn SecretStore,
    /// Uses the proxy, with [`hasty`] settings.
    pub hasty: &'a dyn SecretStore,
    /// Uses the emulator directly.
    pub direct: &'a dyn SecretStore,
    /// Not through the proxy.
    pub versions: &'a dyn CountVersions,
    pub requests: Requests,
    /// Maximum number of unreferenced versions for each put with a lost response: 0 or 1.
    pub spares: usize,
    pub prefix: String,
}

/// Reads the vendor's own data.
#[async_trait]
pub trait CountVersions: Send + Sync {
    /// Returns the number of versions with a payload under a name; 0 for a missing
    /// object.
    async fn count(&self, name: &RemoteName) -> usize;
}

/// The requests that faults affect.
pub struct Requests {
    /// The requests of an object's first put, in order. In every put, the last one writes
    /// the payload.
    pub put: Vec<Step>,
    pub get: Step,
    pub describe: Step,
    /// The request that deletes an object of one version.
    pub delete: Step,
}

/// One request of a verb.
#[derive(Clone)]
pub struct Step {
    pub request: Match,
    /// The number of requests besides the repetition, after a response was lost.
    pub after_lost: usize,
    /// Whether the store looks for its own write after each unclear answer, and repeats the
    /// request only if it finds none. So it needs no repetition after a lost answer.
    pub looks: bool,
    /// The number of requests that the store sends side by side with it.
    pub beside: usize,
}

impl Step {
    pub fn new(request: Match) -> Self {
        Self {
            request,
            after_lost: 0,
            looks: false,
            beside: 0,
        }
    }

    /// Returns the number of additional requests because of a fault that passes.
    fn extra(&self, blow: &Blow) -> usize {
        match (self.looks, blow.lands) {
            (true, false) => 2 * blow.times,
            (_, true) => blow.times + self.after_lost,
            (false, false) => blow.times,
        }
    }

    /// Returns the number of requests during an outage that outlasts the store.
    fn refused(&self, undisturbed: &[Seen]) -> usize {
        let tries = if self.looks {
            2 * HASTY_TRIES
        } else {
            HASTY_TRIES
        };
        match self.beside {
            0 => before(undisturbed, self) + tries,
            beside => beside + tries,
        }
    }
}

/// Returns settings with the usual number of tries and shorter delays.
pub fn patient(settings: HttpSettings) -> HttpSettings {
    let retry = RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(20),
        ..RetryPolicy::default()
    };
    HttpSettings { retry, ..settings }
}

/// Returns settings with a short timeout and few tries.
pub fn hasty(settings: HttpSettings) -> HttpSettings {
    let settings = patient(settings);
    HttpSettings {
        request_timeout: HASTY_TIMEOUT,
        retry: RetryPolicy {
            max_tries: u32::try_from(HASTY_TRIES).unwrap(),
            ..settings.retry
        },
        ..settings
    }
}

/// Runs the suite.
pub async fn run_all(bench: &Bench<'_>) {
    let undisturbed = Undisturbed::measure(bench).await;
    puts::run_all(bench, &undisturbed).await;
    reads::run_all(bench, &undisturbed).await;
    removals::run_all(bench, &undisturbed).await;
}

impl Bench<'_> {
    fn name(&self, case: &str) -> RemoteName {
        let separator = self.store.capability().name.separator;
        RemoteName::new(format!("{}{separator}{case}", self.prefix))
    }

    /// Puts an object of one version directly.
    async fn object(&self, case: &str) -> (RemoteName, NativeVersionId, Vec<u8>) {
        let name = self.name(case);
        let payload = sample(self.direct, 1);
        let put = self.direct.put(&name, &payload, options(1, &[])).await;
        (name, put.unwrap(), payload)
    }

    async fn remove(
        &self,
        store: &dyn SecretStore,
        name: &RemoteName,
        versions: Vec<NativeVersionId>,
    ) -> Result<(), StoreError> {
        store.delete(name, Deletion::Object { versions }).await
    }

    /// Returns the store to test with this fault.
    fn facing(&self, blow: &Blow) -> &dyn SecretStore {
        if blow.hasty { self.hasty } else { self.store }
    }

    /// Runs a verb with one fault. Returns its result and the requests.
    async fn under<T>(
        &self,
        blow: &Blow,
        step: &Step,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) -> (T, Vec<Seen>) {
        let fault = (blow.fault)().on(step.request.clone()).times(blow.times);
        self.proxy.forget();
        self.proxy.fail(fault);
        let started = Instant::now();
        let outcome = verb.await;
        let took = started.elapsed();
        let seen = self.proxy.requests();
        let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error:?}: {seen:?}", blow.name));
        assert_eq!(self.proxy.unused_faults(), [""; 0], "{}", blow.name);
        assert_eq!(self.proxy.troubles(), [""; 0], "{}", blow.name);
        assert!(took >= blow.takes, "{}: only {took:?}", blow.name);
        (outcome, seen)
    }

    /// Runs a verb of the hasty store during an outage that outlasts its retries. Returns
    /// its error and the requests.
    async fn refused<T>(
        &self,
        fault: Fault,
        step: &Step,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) -> (StoreError, Vec<Seen>) {
        self.proxy.forget();
        self.proxy
            .fail(fault.on(step.request.clone()).times(HASTY_TRIES));
        let error = verb.await.err().expect("the outage outlasts the store");
        assert_eq!(self.proxy.unused_faults(), [""; 0], "{error:?}");
        (error, self.proxy.requests())
    }

    /// Runs a verb whose deadline passes while its request is stalled, and one that is
    /// cancelled while it waits for a retry. Each ends soon, after one matching request.
    async fn is_bounded<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        step: &Step,
        verb: impl Fn() -> F,
    ) {
        let deadline = OperationContext {
            deadline: Some(Instant::now() + Duration::from_secs(1)),
            ..OperationContext::default()
        };
        self.is_cut_off(Fault::stall(), step, deadline.scope(verb()))
            .await;

        let token = CancellationToken::new();
        let context = OperationContext {
            cancellation: Some(token.clone()),
            ..OperationContext::default()
        };
        let cancelling = async {
            while self.proxy.unused_faults() != [""; 0] {
                tokio::task::yield_now().await;
            }
            token.cancel();
            std::future::pending().await
        };
        let cancelled = async {
            tokio::select! {
                outcome = context.scope(verb()) => outcome,
                outcome = cancelling => outcome,
            }
        };
        let later = Fault::status(429).retry_after(30);
        self.is_cut_off(later, step, cancelled).await;
    }

    async fn is_cut_off<T>(
        &self,
        fault: Fault,
        step: &Step,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) {
        self.proxy.forget();
        self.proxy.fail(fault.on(step.request.clone()));
        let started = Instant::now();
        let outcome = tokio::time::timeout(SOON, verb).await;
        let seen = self.proxy.requests();
        let outcome = outcome.unwrap_or_else(|_| panic!("not bounded: {seen:?}"));
        let error = outcome.err().expect("it was cut off");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(started.elapsed() < SOON);
        assert_eq!(self.proxy.count(&step.request), 1, "{seen:?}");
    }
}

fn options(version: u64, keep: &[NativeVersionId]) -> PutOptions {
    PutOptions {
        version,
        attempt: Uuid::new_v4(),
        keep: keep.to_vec(),
        labels: BTreeMap::new(),
    }
}

fn about(version: &NativeVersionId) -> DescribeOptions {
    DescribeOptions {
        version: version.clone(),
        others: Vec::new(),
        absence: Absence::Quick,
    }
}

fn expect_one(verb: &str, seen: &[Seen], step: &Step) {
    let meant = seen.iter().filter(|seen| seen.is(&step.request)).count();
    assert_eq!(meant, 1, "{:?} of {verb}: {seen:?}", step.request);
}

/// Returns the number of requests before a step, without a fault.
fn before(seen: &[Seen], step: &Step) -> usize {
    let at = seen.iter().position(|seen| seen.is(&step.request));
    at.unwrap()
}

/// Checks that no message of the error contains the payload.
fn expect_discreet(error: &StoreError, payload: &[u8]) {
    let text = all_of(error);
    // Skips the magic bytes, which are public.
    let part = String::from_utf8_lossy(&payload[5..21]).into_owned();
    assert!(!text.contains(&part), "{text}");
    assert!(!text.contains(&hex::encode(&payload[5..13])), "{text}");
}

/// Returns every text of an error and its sources.
fn all_of(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(beneath) = source {
        text.push_str(&format!(" {beneath} {beneath:?}"));
        source = beneath.source();
    }
    text
}

/// Returns a 2xx response of a server that is not the vendor's.
fn stranger() -> Fault {
    Fault::status(200)
        .with_header("content-type", "text/html")
        .with_body("<html>Welcome to our network</html>")
}

fn expect_strange(error: &StoreError) {
    assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error:?}");
    let shown = all_of(error);
    assert!(
        shown.contains("127.0.0.1")
            && (shown.contains("status 200 with content type text/html")
                // The answer to HEAD has no body.
                || shown.contains("status 200 with no body")),
        "{shown}"
    );
    assert!(!shown.contains("Welcome"), "{shown}");
}
