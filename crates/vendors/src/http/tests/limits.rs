//! Deadlines, cancellation and rate limits.

use super::*;
use planton_core::boot_time::BootTime;

#[tokio::test]
async fn cancellation_ends_between_two_tries() {
    let server = Script::start(vec![answer(429, "retry-after: 30\r\n", "")]).await;
    let cancellation = CancellationToken::new();
    let context = OperationContext {
        cancellation: Some(cancellation.clone()),
        ..OperationContext::default()
    };
    let client = client(Vec::new());
    let request = put(&server.url);
    let sending = context.scope(client.send(&request));
    let cancelling = async {
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        cancellation.cancel();
    };
    let (outcome, ()) = tokio::join!(sending, cancelling);
    assert_eq!(outcome.unwrap_err().kind(), HttpErrorKind::Cancelled);
    assert_eq!(client.requests().total(), 1);
}

#[tokio::test]
async fn a_request_that_its_operation_can_do_without_is_tried_once() {
    let once = OperationContext {
        deadline: Some(Instant::now() + Duration::from_secs(60)),
        max_tries: Some(1),
        ..OperationContext::default()
    };
    let limit = || answer(429, "retry-after: 1\r\n", "");
    let broken = || Step::CloseAfterRequest;
    for (steps, status, requests) in [
        (vec![limit(), answer(200, "", "")], Some(429), 1),
        (vec![answer(503, "", ""), answer(200, "", "")], Some(503), 1),
        // An idle connection may break when it is used again.
        (vec![broken(), answer(200, "", "")], Some(200), 2),
        (vec![broken(), limit(), answer(200, "", "")], Some(429), 2),
        (vec![broken(), broken(), answer(200, "", "")], None, 2),
    ] {
        let server = Script::start(steps).await;
        let client = client(Vec::new());
        let request = put(&server.url);
        let outcome = once.clone().scope(client.send(&request)).await;
        let found = outcome.ok().map(|response| response.status.as_u16());
        assert_eq!((found, client.requests().total()), (status, requests));
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_sends_nothing() {
    let context = OperationContext {
        deadline: Some(Instant::now()),
        ..OperationContext::default()
    };
    let client = client(Vec::new());
    let url = "http://127.0.0.1:9/".parse().unwrap();
    let error = context.scope(client.send(&put(&url))).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::DeadlineExceeded);
    assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
    assert_eq!(client.requests().total(), 0);
}

#[tokio::test]
async fn a_request_that_outlasts_its_operation_is_not_the_servers_failure() {
    let soon = Duration::from_millis(200);
    let context = OperationContext {
        deadline: Some(Instant::now() + soon),
        ..OperationContext::default()
    };
    let server = Script::start(vec![Step::Stall]).await;
    let client = client(Vec::new());
    let request = put(&server.url);
    let error = context.scope(client.send(&request)).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::DeadlineExceeded);
    for error in [&error, &error.without_source()] {
        assert_eq!(Stop::beneath(error), Some(Stop::DeadlinePassed));
    }
    assert_eq!(server.requests().len(), 1);

    // After a server failure, the result is that failure, the reason for the delay.
    let context = OperationContext {
        deadline: Some(Instant::now() + 5 * soon),
        ..OperationContext::default()
    };
    let server = Script::start(vec![answer(503, "", ""), Step::Stall]).await;
    let request = put(&server.url);
    let response = context.scope(client.send(&request)).await.unwrap();
    assert_eq!((response.status.as_u16(), response.retried), (503, true));
    assert_eq!(server.requests().len(), 2);

    // The deadline does not stop a commit, whose outcome would then be unknown.
    let late = OperationContext {
        deadline: Some(Instant::now()),
        ..OperationContext::default()
    };
    let server = Script::start(vec![Step::Stall, answer(200, "", "done")]).await;
    let client = HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        request_timeout: soon,
        ..HttpSettings::default()
    });
    let (client, request) = (client.unwrap(), put(&server.url));
    let commit = OperationContext::committing(client.send(&request));
    assert_eq!(late.scope(commit).await.unwrap().body.expose(), b"done");
}

/// Limits of a cancelled operation.
fn cancelled() -> OperationContext {
    let cancellation = CancellationToken::new();
    cancellation.cancel();
    OperationContext {
        cancellation: Some(cancellation),
        ..OperationContext::default()
    }
}

#[tokio::test]
async fn what_is_cancelled_is_not_sent_at_all() {
    let client = client(Vec::new());
    let url = "http://127.0.0.1:9/".parse().unwrap();
    let error = cancelled().scope(client.send(&put(&url))).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::Cancelled);
    assert_eq!(Stop::beneath(&error), Some(Stop::Cancelled));
    assert_eq!(client.requests().total(), 0);
}

#[tokio::test]
async fn a_commit_gets_its_tries_though_it_is_cancelled_or_late() {
    let late = OperationContext {
        deadline: Some(Instant::now()),
        ..OperationContext::default()
    };
    for context in [cancelled(), late] {
        let mut steps: Vec<_> = (0..3).map(|_| answer(503, "", "")).collect();
        steps.push(answer(200, "", "done"));
        let server = Script::start(steps).await;
        let client = client(Vec::new());
        let request = put(&server.url);
        let commit = OperationContext::committing(client.send(&request));
        let response = context.clone().scope(commit).await.unwrap();
        assert_eq!(response.body.expose(), b"done");
        assert_eq!(client.requests().total(), 4);

        // After the commit's tries, the result is the last response, not the
        // cancellation.
        let server = Script::start((0..8).map(|_| answer(503, "", "")).collect()).await;
        let request = put(&server.url);
        let commit = OperationContext::committing(client.send(&request));
        let response = context.scope(commit).await.unwrap();
        assert_eq!(response.status, 503);
        assert_eq!(client.requests().total(), 8);
    }
}

#[tokio::test]
async fn a_commit_that_may_be_sent_until_a_time_is_not_sent_again_after_it() {
    let hour = Duration::from_secs(3600);
    let send_until = Some(BootTime::now().after(hour));
    let context = OperationContext {
        send_until,
        ..OperationContext::default()
    };
    // A wait that would end after the time is not begun.
    let retry_after = format!("retry-after: {}\r\n", 2 * hour.as_secs());
    let server = Script::start(vec![answer(429, &retry_after, "")]).await;
    let client = client(Vec::new());
    let request = put(&server.url);
    let commit = OperationContext::committing(client.send(&request));
    let response = context.scope(commit).await.unwrap();
    assert_eq!(response.status, 429);
    assert_eq!(client.requests().total(), 1);

    // After the time, nothing is sent at all.
    let context = OperationContext {
        send_until: Some(BootTime::now()),
        ..OperationContext::default()
    };
    let commit = OperationContext::committing(client.send(&request));
    let error = context.scope(commit).await.unwrap_err();
    assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
    assert_eq!(client.requests().total(), 1);
}

#[tokio::test]
async fn an_operations_time_bounds_its_retries() {
    let server = Script::start((0..500).map(|_| answer(503, "", "")).collect()).await;
    let client = client_with(RetryPolicy {
        max_tries: u32::MAX,
        max_delay: Duration::from_millis(2),
        base_delay: Duration::from_millis(2),
        ..RetryPolicy::default()
    });
    let context = OperationContext {
        deadline: Some(Instant::now() + Duration::from_millis(200)),
        ..OperationContext::default()
    };
    let response = context.scope(client.send(&put(&server.url))).await.unwrap();
    // The result is the server's response, not the expired time.
    assert_eq!(response.status, 503);
    let requests = client.requests().total();
    assert!((2..500).contains(&requests), "{requests}");
}

/// Limits of an operation whose deadline is far away.
fn unhurried() -> OperationContext {
    OperationContext {
        deadline: Some(Instant::now() + Duration::from_secs(600)),
        ..OperationContext::default()
    }
}

fn hasty() -> HttpClient {
    client_with(RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(1),
        rate_limits: &[(400, "Throttling")],
        ..RetryPolicy::default()
    })
}

#[tokio::test]
async fn a_rate_limit_is_tried_again_until_the_operations_deadline_and_not_a_number_of_times() {
    for limit in [
        (429, "", ""),
        (503, "retry-after: 0\r\n", ""),
        (400, "", "{\"__type\":\"ThrottlingException\"}"),
    ] {
        let (status, headers, body) = limit;
        let mut steps: Vec<_> = (0..20).map(|_| answer(status, headers, body)).collect();
        steps.push(answer(200, "", "done"));
        let server = Script::start(steps).await;
        let client = hasty();
        let request = put(&server.url);
        let response = unhurried().scope(client.send(&request)).await.unwrap();
        assert_eq!(response.body.expose(), b"done", "{status}");
        assert_eq!(client.requests().total(), 21, "{status}");
    }
}

#[tokio::test]
async fn a_rate_limit_that_outlives_its_operation_is_what_is_told() {
    let server = Script::start((0..10_000).map(|_| answer(429, "", "")).collect()).await;
    let client = hasty();
    let request = put(&server.url);
    let context = OperationContext {
        deadline: Some(Instant::now() + Duration::from_millis(300)),
        ..OperationContext::default()
    };
    let response = context.scope(client.send(&request)).await.unwrap();
    assert_eq!(response.status, 429);
    assert!(client.requests().total() > 8);

    // A wait beyond the deadline does not begin.
    let server = Script::start(vec![answer(429, "retry-after: 601\r\n", "")]).await;
    let client = hasty();
    let request = put(&server.url);
    let response = unhurried().scope(client.send(&request)).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), client.requests().total()),
        (429, 1)
    );
}

#[tokio::test]
async fn failures_are_counted_apart_from_rate_limits_and_operations_without_a_deadline_end() {
    let mut steps: Vec<_> = (0..20).map(|_| answer(429, "", "")).collect();
    steps.extend((0..8).map(|_| answer(503, "", "")));
    let server = Script::start(steps).await;
    let client = hasty();
    let request = put(&server.url);
    let response = unhurried().scope(client.send(&request)).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), client.requests().total()),
        (503, 28)
    );

    let server = Script::start((0..8).map(|_| answer(429, "", "")).collect()).await;
    let client = hasty();
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), client.requests().total()),
        (429, 8)
    );
}
