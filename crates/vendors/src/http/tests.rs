#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::*;
use planton_core::deadline::Stop;
use planton_secret::SecretBytes;

/// What the server does with a connection.
enum Step {
    /// Reads the request and answers with this head and body.
    Answer(String),
    /// Closes before it has read anything.
    CloseAtOnce,
    /// Reads the request and closes without an answer.
    CloseAfterRequest,
    /// Reads the request, and waits until the client hangs up.
    Stall,
}

/// A server that serves one connection per step, then no more.
struct Script {
    url: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/kv/data/x", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for step in steps {
                let (mut stream, _) = listener.accept().await.unwrap();
                if matches!(step, Step::CloseAtOnce) {
                    continue;
                }
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(request);
                match step {
                    Step::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    // However the client hangs up.
                    Step::Stall => drop(stream.read(&mut [0]).await),
                    Step::CloseAtOnce | Step::CloseAfterRequest => {}
                }
            }
        });
        Self {
            url: url.parse().unwrap(),
            requests,
        }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            body.len() >= length
        });
        if whole || read == 0 {
            return text.into_owned();
        }
    }
}

fn answer(status: u16, headers: &str, body: &str) -> Step {
    let length = body.len();
    Step::Answer(format!(
        "HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))
}

fn client(redirect_to: Vec<Url>) -> HttpClient {
    HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        retry: RetryPolicy {
            base_delay: Duration::from_millis(1),
            ..RetryPolicy::default()
        },
        redirect_to,
        request_log: None,
        ..HttpSettings::default()
    })
    .unwrap()
}

fn client_with(retry: RetryPolicy) -> HttpClient {
    HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        retry,
        request_log: None,
        ..HttpSettings::default()
    })
    .unwrap()
}

fn put(url: &Url) -> HttpRequest {
    let mut headers = HeaderMap::new();
    let mut token = HeaderValue::from_static("hunter2");
    token.set_sensitive(true);
    headers.insert("x-vault-token", token);
    HttpRequest {
        method: Method::POST,
        url: url.clone(),
        headers,
        body: Some(SecretBytes::from(b"payload".as_slice())),
    }
}

#[tokio::test]
async fn an_outage_of_three_answers_is_survived_and_counted() {
    let mut steps: Vec<_> = (0..3).map(|_| answer(503, "", "")).collect();
    steps.push(answer(200, "", "done"));
    let server = Script::start(steps).await;
    let client = client(Vec::new());
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.body.expose(), b"done");
    assert!(response.retried);
    assert_eq!(client.requests().total(), 4);
    for request in server.requests() {
        assert!(request.ends_with("\r\n\r\npayload"), "{request}");
    }
}

#[tokio::test]
async fn the_eighth_answer_is_the_last_and_is_returned() {
    let server = Script::start((0..8).map(|_| answer(503, "", "sealed")).collect()).await;
    let client = client(Vec::new());
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), client.requests().total()),
        (503, 8)
    );
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let steps = vec![answer(429, "retry-after: 1\r\n", ""), answer(204, "", "")];
    let server = Script::start(steps).await;
    let started = Instant::now();
    let response = client(Vec::new()).send(&put(&server.url)).await.unwrap();
    assert_eq!(response.status, 204);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_retry_after_beyond_the_time_left_is_not_waited_for() {
    let server = Script::start(vec![answer(429, "retry-after: 61\r\n", "")]).await;
    let client = client(Vec::new());
    let started = Instant::now();
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), client.requests().total()),
        (429, 1)
    );
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn connections_that_break_are_tried_again() {
    let truncated = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf".to_owned();
    let server = Script::start(vec![
        Step::CloseAtOnce,
        Step::CloseAfterRequest,
        Step::Answer(truncated),
        answer(200, "", "whole"),
    ])
    .await;
    let response = client(Vec::new()).send(&put(&server.url)).await.unwrap();
    assert_eq!(response.body.expose(), b"whole");
    assert!(response.retried);
}

#[tokio::test]
async fn a_refusal_is_final_and_an_answer_at_once_is_no_retry() {
    let server = Script::start(vec![answer(400, "", "no")]).await;
    let client = client(Vec::new());
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!((response.status.as_u16(), response.retried), (400, false));
    assert_eq!(client.requests().total(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_foreign_host_gets_no_token() {
    let foreign = Script::start(vec![answer(200, "", "thanks")]).await;
    let location = format!("location: {}\r\n", foreign.url);
    let server = Script::start((0..8).map(|_| answer(307, &location, "")).collect()).await;
    let error = client(Vec::new())
        .send(&put(&server.url))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::Redirected);
    let leader = foreign.url.origin().ascii_serialization();
    assert_eq!(error.detail(), Some(leader.as_str()));
    assert_eq!(server.requests().len(), 8, "it is tried again first");
    assert!(foreign.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_to_a_configured_host_is_followed_with_method_and_body() {
    let leader = Script::start(vec![answer(200, "", "done")]).await;
    let location = format!("location: {}\r\n", leader.url);
    let server = Script::start(vec![answer(307, &location, "")]).await;
    let client = client(vec![leader.url.clone()]);
    let response = client.send(&put(&server.url)).await.unwrap();
    assert_eq!(response.status, 200);
    let request = leader.requests().remove(0);
    assert!(
        request.starts_with("POST /v1/kv/data/x HTTP/1.1"),
        "{request}"
    );
    assert!(request.ends_with("payload"), "{request}");
}

#[tokio::test]
async fn a_redirect_in_a_circle_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let served = tokio::spawn(async move {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            let Step::Answer(text) = answer(307, "location: /\r\n", "") else {
                unreachable!("an answer is an answer")
            };
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    let error = client(Vec::new()).send(&put(&url)).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::RedirectedInCircles);
    served.await.unwrap();
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_target_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url: Url = format!("http://{address}/v1/x?list=hunter2")
        .parse()
        .unwrap();
    let client = client(Vec::new());
    let error = client.send(&put(&url)).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::Connect);
    assert_eq!(client.requests().total(), 8);
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "POST 127.0.0.1/v1/x: cannot connect");
}

#[tokio::test]
async fn cancellation_ends_between_two_tries() {
    let server = Script::start(vec![answer(429, "retry-after: 30\r\n", "")]).await;
    let cancellation = CancellationToken::new();
    let limits = RequestLimits {
        cancellation: Some(cancellation.clone()),
        ..RequestLimits::default()
    };
    let client = client(Vec::new());
    let request = put(&server.url);
    let sending = limits.scope(client.send(&request));
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
async fn a_deadline_that_has_passed_sends_nothing() {
    let limits = RequestLimits {
        deadline: Some(Instant::now()),
        ..RequestLimits::default()
    };
    let client = client(Vec::new());
    let url = "http://127.0.0.1:9/".parse().unwrap();
    let error = limits.scope(client.send(&put(&url))).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::DeadlineExceeded);
    assert_eq!(Stop::beneath(&error), Some(Stop::DeadlinePassed));
    assert_eq!(client.requests().total(), 0);
}

#[tokio::test]
async fn a_request_that_outlasts_its_operation_is_not_the_servers_failure() {
    let soon = Duration::from_millis(200);
    let limits = RequestLimits {
        deadline: Some(Instant::now() + soon),
        ..RequestLimits::default()
    };
    let server = Script::start(vec![Step::Stall]).await;
    let client = client(Vec::new());
    let request = put(&server.url);
    let error = limits.scope(client.send(&request)).await.unwrap_err();
    assert_eq!(error.kind(), HttpErrorKind::DeadlineExceeded);
    for error in [&error, &error.without_source()] {
        assert_eq!(Stop::beneath(error), Some(Stop::DeadlinePassed));
    }
    assert_eq!(server.requests().len(), 1);

    // Where the server did fail, that is told: it is why the time ran out.
    let limits = RequestLimits {
        deadline: Some(Instant::now() + 5 * soon),
        ..RequestLimits::default()
    };
    let server = Script::start(vec![answer(503, "", ""), Step::Stall]).await;
    let request = put(&server.url);
    let response = limits.scope(client.send(&request)).await.unwrap();
    assert_eq!((response.status.as_u16(), response.retried), (503, true));
    assert_eq!(server.requests().len(), 2);

    // A commit does not end so: what became of it is not known.
    let late = RequestLimits {
        deadline: Some(Instant::now()),
        ..RequestLimits::default()
    };
    let server = Script::start(vec![Step::Stall, answer(200, "", "done")]).await;
    let client = HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        request_timeout: soon,
        ..HttpSettings::default()
    });
    let (client, request) = (client.unwrap(), put(&server.url));
    let commit = RequestLimits::committing(client.send(&request));
    assert_eq!(late.scope(commit).await.unwrap().body.expose(), b"done");
}

/// Limits of an operation that is to stop.
fn cancelled() -> RequestLimits {
    let cancellation = CancellationToken::new();
    cancellation.cancel();
    RequestLimits {
        cancellation: Some(cancellation),
        ..RequestLimits::default()
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
    let late = RequestLimits {
        deadline: Some(Instant::now()),
        ..RequestLimits::default()
    };
    for limits in [cancelled(), late] {
        let mut steps: Vec<_> = (0..3).map(|_| answer(503, "", "")).collect();
        steps.push(answer(200, "", "done"));
        let server = Script::start(steps).await;
        let client = client(Vec::new());
        let request = put(&server.url);
        let commit = RequestLimits::committing(client.send(&request));
        let response = limits.clone().scope(commit).await.unwrap();
        assert_eq!(response.body.expose(), b"done");
        assert_eq!(client.requests().total(), 4);

        // After those it ends with what it was told last, and not with the stop.
        let server = Script::start((0..8).map(|_| answer(503, "", "")).collect()).await;
        let request = put(&server.url);
        let commit = RequestLimits::committing(client.send(&request));
        let response = limits.scope(commit).await.unwrap();
        assert_eq!(response.status, 503);
        assert_eq!(client.requests().total(), 8);
    }
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
    let limits = RequestLimits {
        deadline: Some(Instant::now() + Duration::from_millis(200)),
        ..RequestLimits::default()
    };
    let response = limits.scope(client.send(&put(&server.url))).await.unwrap();
    // What the server said is told, and not that there was no time to ask again.
    assert_eq!(response.status, 503);
    let requests = client.requests().total();
    assert!((2..500).contains(&requests), "{requests}");
}

#[tokio::test]
async fn the_request_log_holds_a_line_per_try_and_no_query() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("requests");
    let server = Script::start(vec![Step::CloseAfterRequest, answer(404, "", "")]).await;
    let client = HttpClient::new(&HttpSettings {
        roots: Roots::Nobody,
        proxies: Proxies::Ignored,
        request_log: Some(path.clone()),
        ..HttpSettings::default()
    })
    .unwrap();
    let mut url = server.url.clone();
    url.set_query(Some("list=hunter2"));
    client.send(&put(&url)).await.unwrap();
    let log = std::fs::read_to_string(path).unwrap();
    assert_eq!(log, "POST /v1/kv/data/x -\nPOST /v1/kv/data/x 404\n");
}

/// Collects what an event says, field by field.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Fields(Vec<String>);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push(format!("{field}={value:?}"));
            }
        }
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0.join(" "));
    }
}

#[tokio::test]
async fn each_try_is_logged_at_any_level_without_query_header_or_body() {
    use tracing_subscriber::layer::SubscriberExt;
    let events = Events::default();
    let subscriber = tracing_subscriber::registry().with(events.clone());
    // While there is only one dispatcher, the thread of another test can switch an
    // event off for all.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Script::start(vec![answer(503, "", "hunter2"), answer(200, "", "hunter2")]).await;
    let mut url = server.url.clone();
    url.set_query(Some("list=hunter2"));
    client(Vec::new()).send(&put(&url)).await.unwrap();
    let events = events.0.lock().unwrap().clone();
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event.contains("attempt="))
        .collect();
    assert_eq!(ours.len(), 2, "{events:?}");
    for (event, (status, attempt)) in ours.iter().zip([(503, 1), (200, 2)]) {
        let parts = [
            "method=POST".to_owned(),
            "host=\"127.0.0.1\"".to_owned(),
            "path=\"/v1/kv/data/x\"".to_owned(),
            format!("status={status}"),
            "duration_ms=".to_owned(),
            format!("attempt={attempt}"),
        ];
        for part in parts {
            assert!(event.contains(&part), "{part}: {event}");
        }
    }
    let all = events.join("\n");
    assert!(
        !all.contains("hunter2") && !all.contains("payload"),
        "{all}"
    );
}

#[test]
fn requests_answers_and_settings_show_no_secret_in_debug() {
    let request = put(&"http://localhost/".parse().unwrap());
    let response = HttpResponse {
        host: "localhost".to_owned(),
        status: http::StatusCode::OK,
        headers: HeaderMap::new(),
        body: SecretBytes::from(b"hunter2".as_slice()),
        retried: false,
    };
    let settings = HttpSettings {
        identity: Some(ClientIdentity {
            cert_pem: String::new(),
            key_pem: "hunter2".into(),
        }),
        ..HttpSettings::default()
    };
    let shown = format!("{request:?} {response:?} {settings:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn certificates_and_keys_that_are_none_are_refused_without_being_quoted() {
    let roots = |pem: &str| HttpSettings {
        roots: Roots::Pem(pem.to_owned()),
        ..HttpSettings::default()
    };
    let broken = "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n";
    for pem in ["", "hunter2", broken] {
        let error = HttpClient::new(&roots(pem)).unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Invalid);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn the_systems_own_roots_can_be_used() {
    HttpClient::new(&HttpSettings::default()).unwrap();
}

/// Limits of an operation that has plenty of time.
fn unhurried() -> RequestLimits {
    RequestLimits {
        deadline: Some(Instant::now() + Duration::from_secs(600)),
        ..RequestLimits::default()
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
    let limits = RequestLimits {
        deadline: Some(Instant::now() + Duration::from_millis(300)),
        ..RequestLimits::default()
    };
    let response = limits.scope(client.send(&request)).await.unwrap();
    assert_eq!(response.status, 429);
    assert!(client.requests().total() > 8);

    // Nobody waits for a time that is not theirs.
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

#[tokio::test]
async fn a_request_that_should_have_a_body_tells_that_it_has_none() {
    for (method, told) in [
        (Method::POST, 1),
        (Method::PUT, 1),
        (Method::GET, 0),
        (Method::DELETE, 0),
    ] {
        let server = Script::start(vec![answer(204, "", "")]).await;
        let request = HttpRequest {
            method: method.clone(),
            body: None,
            ..put(&server.url)
        };
        client(Vec::new()).send(&request).await.unwrap();
        let sent = server.requests().remove(0).to_lowercase();
        assert_eq!(
            sent.matches("content-length: 0\r\n").count(),
            told,
            "{method}: {sent}"
        );
        assert_eq!(
            sent.matches("content-length").count(),
            told,
            "{method}: {sent}"
        );
    }
}
