#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod limits;
mod redirects;
mod secrecy;

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

/// What the server does with one connection.
enum Step {
    /// Reads the request and sends this head and body.
    Answer(String),
    /// Closes the connection before it reads anything.
    CloseAtOnce,
    /// Reads the request and closes the connection without a response.
    CloseAfterRequest,
    /// Reads the request and waits until the client closes the connection.
    Stall,
}

/// A server that serves one connection per step, and no others.
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
                    // The way in which the client closes the connection does not
                    // matter.
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

#[test]
fn the_systems_own_roots_can_be_used() {
    HttpClient::new(&HttpSettings::default()).unwrap();
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
