#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod strikes;
mod vault;

use std::io::ErrorKind;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Case: Kept\r\n\r\ndone";

/// A server that returns one response to all requests, and records them.
struct Upstream {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    async fn answering(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let request = whole_request(&mut stream).await;
                    kept.lock().unwrap().push(request);
                    // A test may end before its response arrives.
                    let _ = stream.write_all(answer).await;
                });
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn proxy(&self) -> FaultProxy {
        FaultProxy::start(&ProxyOptions::to(&self.address)).unwrap()
    }
}

/// Reads the length that the request's head announces.
async fn whole_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap();
        text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
            match length {
                Some(length) => body.len() >= length.parse().unwrap(),
                None if head.contains("chunked") => body.ends_with("\r\n\r\n"),
                None => true,
            }
        });
        if whole || read == 0 {
            return text;
        }
    }
}

async fn connect(proxy: &FaultProxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap()
}

async fn send(proxy: &FaultProxy, request: &str) -> TcpStream {
    let mut stream = connect(proxy).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads exactly this response.
async fn expect(stream: &mut TcpStream, answer: &[u8]) {
    let mut got = vec![0; answer.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(String::from_utf8(got), String::from_utf8(answer.to_vec()));
}

async fn expect_ok(stream: &mut TcpStream) {
    expect(stream, OK).await;
}

/// Reads until the connection ends in any way.
async fn rest(stream: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let outcome = stream.read_to_end(&mut bytes).await;
    let error = outcome.err().map(|error| error.kind());
    (String::from_utf8(bytes).unwrap(), error)
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhOST: vendor.example\r\nX-Amz-Target: sm.Put\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn requests_and_answers_pass_byte_by_byte_on_one_connection() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let mut client = connect(&proxy).await;
    let sent = [post("/a?secret=hunter2", "hunter2"), post("/b", "")];
    for request in &sent {
        client.write_all(request.as_bytes()).await.unwrap();
        expect_ok(&mut client).await;
    }
    assert_eq!(upstream.requests(), sent);
    let seen = proxy.requests();
    let first = &seen[0];
    assert_eq!((first.method(), first.path()), ("POST", "/a"));
    assert_eq!(first.query(), Some("secret=hunter2"));
    assert_eq!(first.header("X-AMZ-target"), Some("sm.Put"));
    assert_eq!(first.body(), b"hunter2");
    assert_eq!((first.answered(), first.status()), (Some(200), Some(200)));
    assert_eq!(
        format!("{seen:?}"),
        "[POST /a sm.Put: upstream 200, client 200, POST /b sm.Put: upstream 200, client 200]"
    );
    assert_eq!(proxy.troubles(), [""; 0]);
}

#[tokio::test]
async fn chunks_extensions_and_trailers_pass_and_are_joined_for_matching() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        2;x=y\r\ndo\r\n2\r\nne\r\n0\r\nX-Sum: 1\r\n\r\n";
    let upstream = Upstream::answering(CHUNKED).await;
    let proxy = upstream.proxy();
    let request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nPut\r\n6;a=b\r\nSecret\r\n0\r\nX-Sum: 2\r\n\r\n";
    let mut client = send(&proxy, request).await;
    expect(&mut client, CHUNKED).await;
    client.write_all(request.as_bytes()).await.unwrap();
    expect(&mut client, CHUNKED).await;
    assert_eq!(upstream.requests(), [request, request]);
    assert_eq!(proxy.requests()[0].body(), b"PutSecret");
    assert_eq!(proxy.count(&Match::body("tSec")), 2);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to() {
    const ANSWER: &[u8] =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(ANSWER).await;
    let proxy = upstream.proxy();
    let head = "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let mut client = send(&proxy, head).await;
    expect(&mut client, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    client.write_all(b"body").await.unwrap();
    // The proxy does not forward upstream's 100 Continue.
    expect(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(upstream.requests(), [format!("{head}body")]);
}

#[tokio::test]
async fn answers_end_where_their_kind_does() {
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nto the end";
    let to_head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    let nothing = b"HTTP/1.1 204 No Content\r\nContent-Length: 99\r\n\r\n";
    let cases: [(&'static [u8], &str, bool); 3] = [
        (until_close, "GET / HTTP/1.1\r\n\r\n", false),
        (to_head, "HEAD / HTTP/1.1\r\n\r\n", true),
        (nothing, "DELETE / HTTP/1.1\r\n\r\n", true),
    ];
    for (answer, request, goes_on) in cases {
        let upstream = Upstream::answering(answer).await;
        let proxy = upstream.proxy();
        let mut client = send(&proxy, request).await;
        expect(&mut client, answer).await;
        if goes_on {
            client.write_all(request.as_bytes()).await.unwrap();
            expect(&mut client, answer).await;
        } else {
            assert_eq!(rest(&mut client).await, (String::new(), None));
        }
    }
}

#[tokio::test]
async fn a_connection_ends_where_either_side_says_so() {
    const CLOSING: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(CLOSING).await;
    let proxy = upstream.proxy();
    let mut client = send(&proxy, &post("/", "")).await;
    assert_eq!(rest(&mut client).await.0.as_bytes(), CLOSING);

    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    for request in [
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let mut client = send(&proxy, request).await;
        assert_eq!(rest(&mut client).await.0.as_bytes(), OK);
    }
}

#[tokio::test]
async fn tls_serves_both_names_of_this_machine_and_trusts_upstreams_authority_only() {
    let upstream = Upstream::answering(OK).await;
    let inner = FaultProxy::start(&ProxyOptions::to(&upstream.address).with_tls()).unwrap();
    assert!(inner.address().starts_with("https://127.0.0.1:"));
    let trusted = inner.ca_file().unwrap();
    let outer = ProxyOptions::to(inner.address()).trusting(trusted);
    let outer = FaultProxy::start(&outer.with_tls()).unwrap();
    let ca_file = outer.ca_file().unwrap();
    assert_eq!(
        std::fs::read_to_string(ca_file).unwrap(),
        outer.ca_pem().unwrap()
    );
    for name in ["127.0.0.1", "localhost"] {
        let mut client = encrypted(&outer, ca_file, name).await.unwrap();
        client.write_all(post("/", "x").as_bytes()).await.unwrap();
        let mut got = vec![0; OK.len()];
        client.read_exact(&mut got).await.unwrap();
        assert_eq!(got, OK);
    }
    assert_eq!(upstream.requests().len(), 2);
    outer.fail(Fault::reset());
    let mut client = encrypted(&outer, ca_file, "localhost").await.unwrap();
    client.write_all(post("/", "x").as_bytes()).await.unwrap();
    let error = client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(outer.troubles().is_empty() && inner.troubles().is_empty());

    // Neither the client nor the proxy trusts another proxy's authority.
    encrypted(&outer, trusted, "localhost").await.unwrap_err();
    let stranger = ProxyOptions::to(inner.address()).trusting(ca_file);
    let stranger = FaultProxy::start(&stranger).unwrap();
    let mut client = send(&stranger, &post("/", "x")).await;
    assert_eq!(rest(&mut client).await.1, Some(ErrorKind::ConnectionReset));
    assert!(stranger.troubles()[0].starts_with("upstream: "));
    assert_eq!(upstream.requests().len(), 2);
}

async fn encrypted(
    proxy: &FaultProxy,
    ca_file: &Path,
    name: &str,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let connector = TlsConnector::from(tls::trusting(ca_file).unwrap());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    connector.connect(name, connect(proxy).await).await
}

#[tokio::test]
async fn upstream_that_is_gone_or_hangs_up_is_reset_and_noted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let half = Upstream::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    for address in [&gone, &half.address] {
        let proxy = FaultProxy::start(&ProxyOptions::to(address)).unwrap();
        let mut client = send(&proxy, &post("/", "x")).await;
        let reset = (String::new(), Some(ErrorKind::ConnectionReset));
        assert_eq!(rest(&mut client).await, reset);
        assert_eq!(proxy.troubles().len(), 1, "{:?}", proxy.troubles());
        assert_eq!(proxy.requests()[0].status(), None);
    }
}

#[tokio::test]
async fn what_is_no_request_is_noted() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let mut client = send(&proxy, "GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n").await;
    assert_eq!(rest(&mut client).await, (String::new(), None));
    assert_eq!(proxy.troubles(), ["a request: a content length"]);
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn a_dropped_proxy_is_gone_with_all_that_it_holds() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let port = proxy.port();
    let (hold, gate) = Fault::hold();
    proxy.fail(hold);
    let mut client = send(&proxy, &post("/", "x")).await;
    gate.reached().await.unwrap();
    drop(proxy);
    assert_eq!(rest(&mut client).await.0, "");
    let refused = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(upstream.requests(), [""; 0]);
}

#[tokio::test]
async fn what_stood_at_a_gate_is_carried_out_though_its_client_is_gone() {
    let upstream = Upstream::answering(OK).await;
    let proxy = upstream.proxy();
    let (hold, gate) = Fault::hold();
    proxy.fail(hold);
    let client = send(&proxy, &post("/", "x")).await;
    gate.reached().await.unwrap();
    assert!(upstream.requests().is_empty());
    drop(client);
    gate.open();
    gate.answered().await.unwrap();
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(proxy.requests()[0].answered(), Some(200));
}

#[test]
fn upstreams_that_cannot_be_asked_are_refused() {
    for bad in ["127.0.0.1:80", "http://127.0.0.1", "ftp://127.0.0.1:21"] {
        assert!(FaultProxy::start(&ProxyOptions::to(bad)).is_err(), "{bad}");
    }
    let nobody = FaultProxy::start(&ProxyOptions::to("https://127.0.0.1:1"));
    assert!(nobody.is_err(), "nobody vouches for it");
}
