//! A proxy that changes or rejects requests.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request on its way through a [`proxy`].
pub(crate) struct Passing {
    /// `POST /v1/kv/data/x`, with the query.
    pub(crate) target: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// What the proxy does with a request.
pub(crate) enum Verdict {
    /// Forwards it to the server.
    Pass,
    /// Returns this status without forwarding it.
    Answer(u16),
}

impl Passing {
    /// Removes a header, as if the server did not know it.
    pub(crate) fn forget(&mut self, header: &str) {
        let prefix = format!("{header}:");
        self.headers
            .retain(|line| !line.to_ascii_lowercase().starts_with(&prefix));
    }

    async fn receive(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|at| at == b"\r\n\r\n") {
                break end;
            }
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.ok()?;
            if read == 0 {
                return None;
            }
            bytes.extend_from_slice(&chunk[..read]);
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let mut lines = text.split("\r\n").map(str::to_owned);
        let line = lines.next().unwrap();
        let headers: Vec<String> = lines.collect();
        let length = headers.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.trim().parse().unwrap())
        });
        let mut body = bytes.split_off(head + 4);
        while body.len() < length.unwrap_or(0) {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.ok()?;
            body.extend_from_slice(&chunk[..read]);
        }
        Some(Self {
            target: line.trim_end_matches(" HTTP/1.1").to_owned(),
            headers,
            body,
        })
    }

    async fn hand_on(mut self, upstream: &str, client: &mut TcpStream) {
        self.forget("connection");
        let headers = self.headers.join("\r\n");
        let head = format!(
            "{} HTTP/1.1\r\n{headers}\r\nconnection: close\r\n\r\n",
            self.target
        );
        let mut server = TcpStream::connect(upstream).await.unwrap();
        server.write_all(head.as_bytes()).await.unwrap();
        server.write_all(&self.body).await.unwrap();
        // A disconnected client gets no response.
        let _ = tokio::io::copy(&mut server, client).await;
    }
}

/// Starts a proxy in front of `upstream` that asks `judge` about each request. Each
/// connection carries one request. Returns the address.
pub(crate) async fn proxy(
    upstream: &str,
    judge: impl FnMut(&mut Passing) -> Verdict + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let judge = Arc::new(Mutex::new(judge));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (judge, upstream) = (Arc::clone(&judge), upstream.clone());
            tokio::spawn(async move {
                let Some(mut request) = Passing::receive(&mut client).await else {
                    return;
                };
                let verdict = (judge.lock().unwrap())(&mut request);
                match verdict {
                    Verdict::Pass => request.hand_on(&upstream, &mut client).await,
                    Verdict::Answer(status) => {
                        let answer = format!(
                            "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: \
                             0\r\n\r\n"
                        );
                        let _ = client.write_all(answer.as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}
