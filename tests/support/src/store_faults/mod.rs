//! What becomes of a store's verbs when the way to the vendor fails: one suite
//! for every vendor, over [`FaultProxy`].
//!
//! Each verb is struck by 429 with Retry-After, 503 thrice, a reset before and
//! after the vendor acted, a truncated answer, a stall, an outage that does not
//! end, a deadline and a cancellation. Asserted are the outcome, the number of
//! requests, the versions that the vendor then holds, and that no error repeats
//! a payload.
//!
//! A vendor's test includes it with
//! `#[path = "support/store_faults/mod.rs"] mod store_faults;`, calls [`run_all`],
//! and supplies a [`Bench`]:
//!
//! - a [`FaultProxy`] before the emulator, that nothing else uses meanwhile;
//! - two stores whose address is the proxy, over [`patient`] and [`hasty`] HTTP
//!   settings, and a third that goes to the emulator directly;
//! - [`Match`]es that tell the requests of a verb from all others. They are
//!   checked: each must mean exactly one request of its undisturbed verb. The
//!   first put of an object may have several; the last of them writes the
//!   payload, and is the only one of a later put that is struck. For Vault:
//!   `Match::method("POST").and(Match::path("/data/"))`; for AWS
//!   `Match::header("x-amz-target", ".PutSecretValue")`;
//! - for each, how many requests follow besides its repetition when its answer
//!   was lost (a look at what stands there, say). Most have none;
//! - whether a lost answer of a put may leave a version that nothing refers to:
//!   only where the vendor takes no idempotency key;
//! - how many versions with a payload the vendor holds under a name, asked
//!   directly ([`CountVersions`]);
//! - a prefix that is new for each run, as the conformance suite wants it.
//!
//! Logins and other requests of a first use are no matter: every store is used
//! once before anything is counted.

mod puts;
mod reads;
mod removals;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use planton_core::store::conformance::payload::sample;
use planton_core::store::{
    Absence, Deletion, DescribeOptions, NativeVersionId, PutOptions, RemoteName, SecretStore,
    StoreError, StoreErrorKind, VersionStatus,
};
use planton_vendors::http::{HttpSettings, RequestLimits, RetryPolicy};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use xtask::faults::{Fault, FaultProxy, Match, Seen};

/// How long a request of the hasty store may take: an age for a server of this
/// machine, even while everything is being compiled.
const HASTY_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the hasty store tries.
const HASTY_TRIES: usize = 2;

/// For what must not wait for a timeout of its own.
const SOON: Duration = Duration::from_secs(10);

/// What a vendor's test supplies.
pub struct Bench<'a> {
    pub proxy: &'a FaultProxy,
    /// Through the proxy, over [`patient`] settings.
    pub store: &'a dyn SecretStore,
    /// Through the proxy, over [`hasty`] settings.
    pub hasty: &'a dyn SecretStore,
    /// Not through the proxy.
    pub direct: &'a dyn SecretStore,
    /// Not through the proxy.
    pub versions: &'a dyn CountVersions,
    pub requests: Requests,
    /// Versions too many, at most, for each lost answer of a put: 0 or 1.
    pub spares: usize,
    pub prefix: String,
}

/// Looks into the vendor's own books.
#[async_trait]
pub trait CountVersions: Send + Sync {
    /// Returns how many versions with a payload are under a name; 0 where there
    /// is no object.
    async fn count(&self, name: &RemoteName) -> usize;
}

/// The requests that are struck.
pub struct Requests {
    /// Those of an object's first put, in their order; the last writes the
    /// payload, at every put.
    pub put: Vec<Step>,
    pub get: Step,
    pub describe: Step,
    /// The one that removes an object of one version.
    pub delete: Step,
}

/// One request of a verb.
#[derive(Clone)]
pub struct Step {
    pub request: Match,
    /// Requests that follow besides the repetition, when its answer was lost
    /// after the vendor had acted.
    pub after_lost: usize,
}

impl Step {
    pub fn new(request: Match) -> Self {
        Self {
            request,
            after_lost: 0,
        }
    }
}

/// Settings that try as often as usual, with less of a wait.
pub fn patient(settings: HttpSettings) -> HttpSettings {
    let retry = RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(20),
        ..RetryPolicy::default()
    };
    HttpSettings { retry, ..settings }
}

/// Settings that give up soon.
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

/// Runs all of it.
pub async fn run_all(bench: &Bench<'_>) {
    let undisturbed = Undisturbed::measure(bench).await;
    puts::run_all(bench, &undisturbed).await;
    reads::run_all(bench, &undisturbed).await;
    removals::run_all(bench, &undisturbed).await;
}

/// The requests of each verb while nothing is wrong.
struct Undisturbed {
    first_put: Vec<Seen>,
    later_put: Vec<Seen>,
    get: Vec<Seen>,
    describe: Vec<Seen>,
    delete: Vec<Seen>,
}

impl Undisturbed {
    async fn measure(bench: &Bench<'_>) -> Self {
        let mut measured = Vec::new();
        for (store, case) in [
            (bench.hasty, "first-use-hasty"),
            (bench.store, "first-use"),
            (bench.store, "undisturbed"),
        ] {
            measured.push(Self::of(bench, store, case).await);
        }
        let measured = measured.pop().unwrap();
        let Requests {
            put,
            get,
            describe,
            delete,
        } = &bench.requests;
        for step in put {
            expect_one("first put", &measured.first_put, step);
        }
        expect_one("later put", &measured.later_put, put.last().unwrap());
        expect_one("get", &measured.get, get);
        expect_one("describe", &measured.describe, describe);
        expect_one("delete", &measured.delete, delete);
        measured
    }

    async fn of(bench: &Bench<'_>, store: &dyn SecretStore, case: &str) -> Self {
        let name = bench.name(case);
        let seen = || {
            let seen = bench.proxy.requests();
            bench.proxy.forget();
            seen
        };
        seen();
        let payload = sample(store, 1);
        let one = store.put(&name, &payload, options(1, &[])).await.unwrap();
        let first_put = seen();
        let keep = [one.clone()];
        let payload = sample(store, 2);
        let two = store.put(&name, &payload, options(2, &keep)).await.unwrap();
        let later_put = seen();
        assert_eq!(store.get(&name, &two).await.unwrap(), payload);
        let get = seen();
        let status = store.describe(&name, about(&two)).await.unwrap();
        assert_eq!(status, VersionStatus::Present);
        let describe = seen();
        let versions = vec![one, two];
        bench.remove(store, &name, versions).await.unwrap();
        seen();
        let name = bench.name(&format!("{case}-one"));
        let only = store.put(&name, &payload, options(1, &[])).await.unwrap();
        seen();
        bench.remove(store, &name, vec![only]).await.unwrap();
        Self {
            first_put,
            later_put,
            get,
            describe,
            delete: seen(),
        }
    }
}

/// A disturbance that passes.
struct Blow {
    name: &'static str,
    fault: fn() -> Fault,
    /// How often it strikes, so many tries more there are.
    times: usize,
    /// Whether the vendor acts, and the answer is lost.
    lands: bool,
    /// How long it holds up at least.
    takes: Duration,
    /// Whether it needs the store that gives up soon.
    hasty: bool,
}

const BLOWS: &[Blow] = &[
    Blow {
        takes: Duration::from_secs(1),
        ..blow("slow-down", || Fault::status(429).retry_after(1))
    },
    Blow {
        times: 3,
        ..blow("outage", || Fault::status(503))
    },
    blow("reset", Fault::reset),
    Blow {
        lands: true,
        ..blow("lost", Fault::lose_answer)
    },
    Blow {
        lands: true,
        ..blow("truncated", Fault::truncate)
    },
    Blow {
        takes: HASTY_TIMEOUT,
        hasty: true,
        ..blow("stalled", Fault::stall)
    },
    Blow {
        lands: true,
        takes: HASTY_TIMEOUT,
        hasty: true,
        ..blow("answer-stalled", Fault::stall_answer)
    },
];

const fn blow(name: &'static str, fault: fn() -> Fault) -> Blow {
    Blow {
        name,
        fault,
        times: 1,
        lands: false,
        takes: Duration::ZERO,
        hasty: false,
    }
}

/// A disturbance that outlasts the hasty store, and never lets the vendor act.
struct Outage {
    name: &'static str,
    fault: fn() -> Fault,
    /// What it means.
    kind: StoreErrorKind,
}

const OUTAGES: &[Outage] = &[
    Outage {
        name: "503",
        fault: || Fault::status(503),
        kind: StoreErrorKind::Unavailable,
    },
    Outage {
        name: "429",
        fault: || Fault::status(429),
        kind: StoreErrorKind::RateLimited,
    },
    Outage {
        name: "resets",
        fault: Fault::reset,
        kind: StoreErrorKind::Unavailable,
    },
];

impl Bench<'_> {
    fn name(&self, case: &str) -> RemoteName {
        let separator = self.store.capability().name.separator;
        RemoteName::new(format!("{}{separator}{case}", self.prefix))
    }

    /// An object of one version, put directly.
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

    /// Returns the store to try under a blow.
    fn facing(&self, blow: &Blow) -> &dyn SecretStore {
        if blow.hasty { self.hasty } else { self.store }
    }

    /// Runs a verb under one blow. Returns its outcome and the requests.
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

    /// Runs a verb of the hasty store under an outage that outlasts it; returns
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

    /// Runs a verb whose deadline passes while its request is stalled, and one
    /// that is cancelled while it waits for another try. Each ends soon, after
    /// one request of this kind.
    async fn is_bounded<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        step: &Step,
        verb: impl Fn() -> F,
    ) {
        let deadline = RequestLimits {
            deadline: Some(Instant::now() + Duration::from_secs(1)),
            ..RequestLimits::default()
        };
        self.is_cut_off(Fault::stall(), step, deadline.scope(verb()))
            .await;

        let token = CancellationToken::new();
        let limits = RequestLimits {
            cancellation: Some(token.clone()),
            ..RequestLimits::default()
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
                outcome = limits.scope(verb()) => outcome,
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

/// How many requests of an undisturbed verb come before a step.
fn before(seen: &[Seen], step: &Step) -> usize {
    let at = seen.iter().position(|seen| seen.is(&step.request));
    at.unwrap()
}

/// Whatever went wrong, no message repeats the payload.
fn expect_discreet(error: &StoreError, payload: &[u8]) {
    let text = all_of(error);
    // Past the magic, which is no secret.
    let part = String::from_utf8_lossy(&payload[5..21]).into_owned();
    assert!(!text.contains(&part), "{text}");
    assert!(!text.contains(&hex::encode(&payload[5..13])), "{text}");
}

/// All that an error says in any way.
fn all_of(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(beneath) = source {
        text.push_str(&format!(" {beneath} {beneath:?}"));
        source = beneath.source();
    }
    text
}

/// Success, from somebody who is not the vendor.
fn stranger() -> Fault {
    Fault::status(200)
        .with_header("content-type", "text/html")
        .with_body("<html>Welcome to our network</html>")
}

fn expect_strange(error: &StoreError) {
    assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{error:?}");
    let shown = all_of(error);
    assert!(
        shown.contains("127.0.0.1") && shown.contains("status 200 with content type text/html"),
        "{shown}"
    );
    assert!(!shown.contains("Welcome"), "{shown}");
}
