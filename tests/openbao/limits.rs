//! Tests use cases that are cancelled or pass their deadline, while the server is down
//! for some of their requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use planton_core::catalog::CatalogErrorKind;
use planton_core::operations::{
    CreateSecret, DeleteSecret, Interrupt, OperationError, Organization, SecretView, Selector,
};
use planton_vendors::http::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::support::Place;
use super::support::faults::{Passing, Verdict, proxy};
use super::support::organization::creation;

/// A retry policy that would go on for a minute.
fn stubborn() -> RetryPolicy {
    RetryPolicy {
        max_tries: u32::MAX,
        base_delay: Duration::from_millis(2),
        max_delay: Duration::from_millis(2),
        ..RetryPolicy::default()
    }
}

/// Returns a new process that reaches the place through `address`.
fn process(place: &Place, address: &str) -> Organization {
    place.process_at(address, stubborn())
}

fn create(name: &str) -> CreateSecret {
    creation(name, "x")
}

/// Creates `name` without faults, and checks that nothing is left to do.
async fn converges(place: &Place, name: &str) -> SecretView {
    let process = process(place, &place.admin.address);
    let interrupt = Interrupt::default();
    let view = process.secrets().create(create(name), &interrupt).await;
    let view = view.unwrap();
    let opened = process
        .secrets()
        .open(&Selector::Uuid(view.uuid), None)
        .await;
    assert_eq!(opened.unwrap().version, 1);
    view
}

fn cancellable() -> (Interrupt, CancellationToken) {
    let token = CancellationToken::new();
    (Interrupt::new(token.clone(), None), token)
}

/// Counts requests, and handles each as `judge` decides for its number.
async fn counting(
    place: &Place,
    mut judge: impl FnMut(usize, &Passing) -> Verdict + Send + 'static,
) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let address = proxy(&place.admin.address, move |request| {
        judge(counter.fetch_add(1, Ordering::SeqCst) + 1, request)
    });
    (address.await, count)
}

fn puts_an_object(place: &Place, request: &Passing) -> bool {
    let path = format!("POST /v1/{}/data/planton/", place.kv());
    request.target.starts_with(&path)
}

fn writes_a_secrets_record(kv: &str, request: &Passing) -> bool {
    let path = format!("POST /v1/{kv}/data/catalog/acme/");
    let own = ["organization", "fence/", "default"].map(|name| format!("{path}{name}"));
    request.target.starts_with(&path) && !own.iter().any(|other| request.target.starts_with(other))
}

#[tokio::test]
async fn an_operations_time_bounds_every_use_case_against_an_outage() {
    let place = Place::new().await;
    let view = converges(&place, "db").await;
    let (address, requests) = counting(&place, |_, _| Verdict::Answer(503)).await;
    let process = &process(&place, &address);
    let within = || {
        let deadline = Instant::now() + Duration::from_millis(200);
        Interrupt::new(CancellationToken::new(), Some(deadline))
    };
    let (name, uuid) = (&view.name, view.uuid);
    let refresh = planton_core::operations::RefreshSecret {
        name: name.clone(),
        uuid,
        backend: None,
        seen: None,
    };
    for use_case in ["create", "delete", "refresh", "open", "find"] {
        let before = requests.load(Ordering::SeqCst);
        let interrupt = within();
        let outcome = match use_case {
            "create" => process
                .secrets()
                .create(create("other"), &interrupt)
                .await
                .err(),
            "delete" => {
                let delete = DeleteSecret {
                    name: name.clone(),
                    uuid,
                    generation: u64::MAX,
                    stamp: None,
                };
                process.secrets().delete(&delete, &interrupt).await.err()
            }
            "refresh" => interrupt
                .bound(process.secrets().refresh(&refresh))
                .await
                .err(),
            "open" => {
                let selector = Selector::Uuid(uuid);
                let opening = process.secrets().open(&selector, None);
                interrupt.bound(opening).await.err()
            }
            _ => interrupt.bound(process.secrets().find(name)).await.err(),
        };
        // The error names the outage, which caused the timeout.
        let Some(OperationError::Catalog(error)) = outcome else {
            panic!("{use_case}: {outcome:?}")
        };
        assert_eq!(error.kind(), CatalogErrorKind::Unavailable, "{use_case}");
        let tries = requests.load(Ordering::SeqCst) - before;
        assert!((2..500).contains(&tries), "{use_case}: {tries} tries");

        // No time is left, so there is no request.
        let before = requests.load(Ordering::SeqCst);
        let late = Interrupt::new(CancellationToken::new(), Some(Instant::now()));
        let outcome = late.bound(process.secrets().find(name)).await;
        assert!(
            matches!(
                outcome,
                Err(OperationError::Interrupted {
                    timed_out: true,
                    ..
                })
            ),
            "{outcome:?}"
        );
        assert_eq!(requests.load(Ordering::SeqCst), before);
    }
}

#[tokio::test]
async fn a_cancellation_ends_the_tries_of_a_request() {
    let place = Place::new().await;
    let view = converges(&place, "db").await;
    for use_case in ["create", "find"] {
        let (interrupt, token) = cancellable();
        let (address, requests) = counting(&place, move |number, _| {
            if number == 3 {
                token.cancel();
            }
            Verdict::Answer(503)
        })
        .await;
        let process = process(&place, &address);
        let outcome = if use_case == "create" {
            process.secrets().create(create("other"), &interrupt).await
        } else {
            interrupt.bound(process.secrets().find(&view.name)).await
        };
        assert!(
            matches!(
                outcome,
                Err(OperationError::Interrupted {
                    timed_out: false,
                    ..
                })
            ),
            "{use_case}: {outcome:?}"
        );
        assert_eq!(requests.load(Ordering::SeqCst), 3, "{use_case}");
    }
}

#[tokio::test]
async fn a_put_that_is_cancelled_between_its_tries_is_taken_up_by_the_next_creation() {
    let place = Arc::new(Place::new().await);
    converges(&place, "first").await;
    let (interrupt, token) = cancellable();
    let seen = Arc::clone(&place);
    let (address, _) = counting(&place, move |_, request| {
        if puts_an_object(&seen, request) {
            token.cancel();
            return Verdict::Answer(503);
        }
        Verdict::Pass
    })
    .await;
    let outcome = process(&place, &address)
        .secrets()
        .create(create("db"), &interrupt)
        .await;
    assert!(
        matches!(
            outcome,
            Err(OperationError::Interrupted {
                step: "write secret",
                timed_out: false
            })
        ),
        "{outcome:?}"
    );
    converges(&place, "db").await;
}

/// The faults of a commit: the put cancels the operation, and the write of the record
/// fails this many times.
async fn commit_under_cancellation(
    place: &Arc<Place>,
    failures: usize,
) -> (Result<SecretView, OperationError>, usize) {
    let (interrupt, token) = cancellable();
    let seen = Arc::clone(place);
    let tries = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&tries);
    let (address, _) = counting(place, move |_, request| {
        if puts_an_object(&seen, request) {
            token.cancel();
        } else if token.is_cancelled() && writes_a_secrets_record(seen.kv(), request) {
            let mut tries = counted.lock().unwrap();
            *tries += 1;
            if *tries <= failures {
                return Verdict::Answer(503);
            }
        }
        Verdict::Pass
    })
    .await;
    let process = process(place, &address);
    let outcome = process.secrets().create(create("db"), &interrupt).await;
    let tries = *tries.lock().unwrap();
    (outcome, tries)
}

#[tokio::test]
async fn a_commit_that_was_begun_is_tried_a_few_times_though_somebody_asked_to_stop() {
    for failures in [0, 1, 3] {
        let place = Arc::new(Place::new().await);
        converges(&place, "first").await;
        let (outcome, tries) = commit_under_cancellation(&place, failures).await;
        let view = outcome.unwrap_or_else(|error| panic!("{failures}: {error:?}"));
        assert_eq!(tries, failures + 1);
        let process = process(&place, &place.admin.address);
        let opened = process
            .secrets()
            .open(&Selector::Uuid(view.uuid), None)
            .await;
        assert_eq!(opened.unwrap().version, 1);
    }
}

#[tokio::test]
async fn a_commit_ends_after_its_tries_and_the_next_creation_converges() {
    let place = Arc::new(Place::new().await);
    converges(&place, "first").await;
    let (outcome, tries) = commit_under_cancellation(&place, usize::MAX).await;
    let Err(OperationError::CommitUnclear(unclear)) = outcome else {
        panic!("{outcome:?}")
    };
    let OperationError::Catalog(error) = unclear.error else {
        panic!("{unclear:?}")
    };
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    assert_eq!(tries, 4);
    converges(&place, "db").await;
}
