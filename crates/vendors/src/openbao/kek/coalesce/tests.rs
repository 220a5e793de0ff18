#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::Semaphore;

use super::*;

/// Records the sizes of batches, and holds each of them until it may end.
#[derive(Default)]
struct Server {
    sizes: Mutex<Vec<usize>>,
    begun: AtomicUsize,
    deadlines: Mutex<Vec<Option<Instant>>>,
}

impl Server {
    fn sizes(&self) -> Vec<usize> {
        self.sizes.lock().unwrap().clone()
    }
}

/// Doubles each number, and rejects 13. A batch ends once `gate` has a permit.
fn doubling(server: &Arc<Server>, gate: &Arc<Semaphore>) -> Arc<Coalescer<u32, u32>> {
    let (server, gate) = (Arc::clone(server), Arc::clone(gate));
    Arc::new(Coalescer::new(
        "double",
        "here".to_owned(),
        move |items: Vec<u32>| {
            let (server, gate) = (Arc::clone(&server), Arc::clone(&gate));
            async move {
                server.sizes.lock().unwrap().push(items.len());
                let deadline = OperationContext::current().deadline;
                server.deadlines.lock().unwrap().push(deadline);
                server.begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                if items.contains(&666) {
                    let whole =
                        OpenBaoError::new(OpenBaoErrorKind::PermissionDenied, "double", "here");
                    return Err(whole.with_remedy("grant"));
                }
                let double = |item: u32| match item {
                    13 => Err(OpenBaoError::new(
                        OpenBaoErrorKind::Refused,
                        "double",
                        "here",
                    )),
                    item => Ok(2 * item),
                };
                Ok(items.into_iter().map(double).collect())
            }
        },
    ))
}

fn open_gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(Semaphore::MAX_PERMITS))
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn concurrent_callers_share_batches_of_a_hundred_at_most() {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    let outcomes = join_all((0..250).map(|item| coalescer.submit(item + 1000))).await;
    let doubled: Vec<u32> = outcomes.into_iter().map(Result::unwrap).collect();
    let expected: Vec<u32> = (0..250).map(|item| 2 * (item + 1000)).collect();
    assert_eq!(doubled, expected);
    assert_eq!(server.sizes(), [100, 100, 50]);
}

#[tokio::test]
async fn callers_one_after_the_other_share_nothing() {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    for item in 0..3 {
        assert_eq!(coalescer.submit(item).await.unwrap(), 2 * item);
    }
    assert_eq!(server.sizes(), [1, 1, 1]);
}

/// Submits each item at its time, in milliseconds after the start. Returns how many of them each
/// batch had, and when the last was answered.
async fn sizes_at(times: &[u64]) -> (Vec<usize>, Duration) {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    let begun = tokio::time::Instant::now();
    let callers = times.iter().map(|&at| {
        let coalescer = &coalescer;
        async move {
            tokio::time::sleep(Duration::from_millis(at)).await;
            coalescer.submit(1).await.unwrap();
        }
    });
    join_all(callers).await;
    (server.sizes(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_the_callers_of_the_last_one_and_not_beyond_the_last_of_them() {
    let (sizes, took) = sizes_at(&[0, 0, 0, 10, 22, 30]).await;
    assert_eq!(sizes, [3, 3]);
    assert_eq!(took, Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_companions_stay_away_waits_for_a_while_and_later_for_nobody() {
    let (sizes, took) = sizes_at(&[0, 0, 10]).await;
    assert_eq!(sizes, [2, 1]);
    assert_eq!(took, Duration::from_millis(10) + PATIENCE);
    // Just before the companion is no longer due back.
    let (sizes, took) = sizes_at(&[0, 0, 98]).await;
    assert_eq!(sizes, [2, 1]);
    assert_eq!(took, WINDOW + DUE_BACK);
    let (sizes, took) = sizes_at(&[0, 0, 150]).await;
    assert_eq!(sizes, [2, 1]);
    assert_eq!(took, Duration::from_millis(150) + WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_lone_caller_waits_for_a_millisecond() {
    let (sizes, took) = sizes_at(&[0, 10, 20]).await;
    assert_eq!(sizes, [1, 1, 1]);
    assert_eq!(took, Duration::from_millis(20) + WINDOW);
}

#[tokio::test]
async fn a_failing_item_fails_its_own_caller_only() {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    let (one, bad, two) = tokio::join!(
        coalescer.submit(1),
        coalescer.submit(13),
        coalescer.submit(2)
    );
    assert_eq!((one.unwrap(), two.unwrap()), (2, 4));
    assert_eq!(bad.unwrap_err().kind(), OpenBaoErrorKind::Refused);
    assert_eq!(server.sizes(), [3]);
}

#[tokio::test]
async fn a_request_that_fails_as_a_whole_fails_all_callers_alike() {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    let (one, two) = tokio::join!(coalescer.submit(666), coalescer.submit(2));
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert_eq!(error.kind(), OpenBaoErrorKind::PermissionDenied);
        assert_eq!(error.remedy(), Some("grant"));
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_others_alone() {
    let server = Arc::new(Server::default());
    let gate = Arc::new(Semaphore::new(0));
    let coalescer = doubling(&server, &gate);
    let submit = |item| {
        let coalescer = Arc::clone(&coalescer);
        tokio::spawn(async move { coalescer.submit(item).await })
    };
    let (first, second) = (submit(1), submit(2));
    until(|| server.begun.load(Ordering::SeqCst) == 1).await;
    // The first caller started the batch.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.add_permits(1);
    assert_eq!(second.await.unwrap().unwrap(), 4);
    assert_eq!(server.sizes(), [2]);
}

#[tokio::test]
async fn a_cancelled_operation_waits_no_longer_and_the_batch_goes_on() {
    let server = Arc::new(Server::default());
    let gate = Arc::new(Semaphore::new(0));
    let coalescer = doubling(&server, &gate);
    let cancellation = CancellationToken::new();
    let limits = OperationContext {
        cancellation: Some(cancellation.clone()),
        ..OperationContext::default()
    };
    let cancelled = {
        let coalescer = Arc::clone(&coalescer);
        tokio::spawn(limits.scope(async move { coalescer.submit(1).await }))
    };
    let waiting = {
        let coalescer = Arc::clone(&coalescer);
        tokio::spawn(async move { coalescer.submit(2).await })
    };
    until(|| server.begun.load(Ordering::SeqCst) == 1).await;
    cancellation.cancel();
    let error = cancelled.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), OpenBaoErrorKind::Unavailable);
    assert_eq!(Stop::beneath(&error), Some(Stop::Cancelled));
    gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap(), 4);
}

#[tokio::test]
async fn a_batch_has_as_much_time_as_its_most_patient_caller() {
    let server = Arc::new(Server::default());
    let coalescer = doubling(&server, &open_gate());
    let (early, late) = (
        Instant::now() + Duration::from_secs(60),
        Instant::now() + Duration::from_secs(600),
    );
    let until = |deadline| OperationContext {
        deadline,
        ..OperationContext::default()
    };
    let (one, two) = tokio::join!(
        until(Some(early)).scope(coalescer.submit(1)),
        until(Some(late)).scope(coalescer.submit(2)),
    );
    one.unwrap();
    two.unwrap();
    let (one, two) = tokio::join!(
        until(Some(early)).scope(coalescer.submit(1)),
        until(None).scope(coalescer.submit(2)),
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(*server.deadlines.lock().unwrap(), [Some(late), None]);
}

#[tokio::test]
async fn a_passed_deadline_ends_the_wait_of_its_caller() {
    let server = Arc::new(Server::default());
    let gate = Arc::new(Semaphore::new(0));
    let coalescer = doubling(&server, &gate);
    let limits = OperationContext {
        deadline: Some(Instant::now() + Duration::from_millis(20)),
        ..OperationContext::default()
    };
    let error = limits.scope(coalescer.submit(1)).await.unwrap_err();
    assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
}
