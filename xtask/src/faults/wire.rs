//! The part of HTTP/1.1 that a proxy needs: the boundaries of messages. The proxy
//! forwards received bytes unchanged, because signatures cover them.

mod reader;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use reader::Reader;

const MAX_HEAD_BYTES: usize = 256 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Returns the underlying connection.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The first line and the headers, with the terminating empty line.
pub(crate) struct Head {
    raw: Vec<u8>,
    first: [String; 3],
    headers: Vec<(String, String)>,
}

/// A complete request or response.
pub(crate) struct Message {
    pub(crate) head: Head,
    /// The raw body, with chunk framing and trailers.
    raw_body: Vec<u8>,
    /// The body without chunk framing.
    pub(crate) body: Vec<u8>,
    /// Whether the connection continues after it.
    pub(crate) keeps_alive: bool,
}

/// One end of a connection.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// The end of a body.
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    fn parse(raw: Vec<u8>) -> io::Result<Self> {
        let text = std::str::from_utf8(&raw).map_err(|_| invalid("a head that is not text"))?;
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
        let mut next = || first.next().unwrap_or_default().to_owned();
        let first = [next(), next(), next()];
        let headers = lines.filter(|line| !line.is_empty()).map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid("a header line"))?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        let headers = headers.collect::<io::Result<_>>()?;
        Ok(Self {
            raw,
            first,
            headers,
        })
    }

    /// Returns a request's method.
    pub(crate) fn method(&self) -> &str {
        &self.first[0]
    }

    /// Returns a request's path with its query.
    pub(crate) fn target(&self) -> &str {
        &self.first[1]
    }

    fn status(&self) -> io::Result<u16> {
        self.first[1].parse().map_err(|_| invalid("a status"))
    }

    /// Returns the values of a header, by its lower-case name.
    pub(crate) fn header<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let named = self.headers.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Returns all headers, with lower-case names.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn says(&self, name: &str, word: &str) -> bool {
        let words = self.header(name).flat_map(|value| value.split(','));
        words
            .into_iter()
            .any(|known| known.trim().eq_ignore_ascii_case(word))
    }

    fn framing(&self, otherwise: Framing) -> io::Result<Framing> {
        if self.says("transfer-encoding", "chunked") {
            return Ok(Framing::Chunked);
        }
        let length = self.header("content-length").next();
        length.map_or(Ok(otherwise), |length| {
            let length = length.parse().map_err(|_| invalid("a content length"))?;
            Ok(Framing::Length(length))
        })
    }

    fn keeps_alive(&self, version: &str) -> bool {
        version == "HTTP/1.1" && !self.says("connection", "close")
    }
}

impl Message {
    /// Returns the status of a response.
    pub(crate) fn status(&self) -> u16 {
        // `Peer::answer` has checked that it exists.
        self.head.status().unwrap_or_default()
    }

    /// Returns the message without a header, by its lower-case name.
    pub(crate) fn without_header(&self, name: &str) -> Self {
        let headers = self.head.headers.iter();
        let headers = headers.filter(|(known, _)| known != name).cloned();
        self.with_headers(headers.collect())
    }

    /// Returns the message with an additional header.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Self {
        let mut headers = self.head.headers.clone();
        headers.push((name.to_owned(), value.to_owned()));
        self.with_headers(headers)
    }

    /// Returns a request with another path and query.
    pub(crate) fn with_target(&self, target: String) -> Self {
        let mut other = self.with_headers(self.head.headers.clone());
        other.head.first[1] = target;
        other.with_headers(other.head.headers.clone())
    }

    /// Returns the message with another body.
    pub(crate) fn with_body(&self, body: Vec<u8>) -> Self {
        let framing = ["transfer-encoding", "content-length"];
        let headers = self.head.headers.iter();
        let headers = headers.filter(|(known, _)| !framing.contains(&known.as_str()));
        let mut headers: Vec<_> = headers.cloned().collect();
        headers.push(("content-length".to_owned(), body.len().to_string()));
        Self {
            raw_body: body.clone(),
            body,
            ..self.with_headers(headers)
        }
    }

    fn with_headers(&self, headers: Vec<(String, String)>) -> Self {
        let mut raw = format!("{}\r\n", self.head.first.join(" "));
        for (name, value) in &headers {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        raw.push_str("\r\n");
        Self {
            head: Head {
                raw: raw.into_bytes(),
                first: self.head.first.clone(),
                headers,
            },
            raw_body: self.raw_body.clone(),
            body: self.body.clone(),
            keeps_alive: self.keeps_alive,
        }
    }

    /// Returns a truncated response: the whole length in its head and half of the body, or
    /// half of the head if there is no body.
    pub(crate) fn half(&self) -> Vec<u8> {
        if self.body.is_empty() {
            return self.head.raw[..self.head.raw.len() / 2].to_vec();
        }
        let mut text = format!("HTTP/1.1 {} Half\r\n", self.status());
        let framing = ["transfer-encoding", "content-length"];
        for (name, value) in &self.head.headers {
            if !framing.contains(&name.as_str()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body[..self.body.len() / 2]);
        bytes
    }
}

impl Peer {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Reads a request, or returns `None` if the client closes the connection.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Message>> {
        let Some(head) = self.head().await? else {
            return Ok(None);
        };
        let framing = head.framing(Framing::Length(0))?;
        if head.says("expect", "100-continue") {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let (raw_body, body) = self.body(framing).await?;
        Ok(Some(Message {
            keeps_alive: head.keeps_alive(&head.first[2]),
            head,
            raw_body,
            body,
        }))
    }

    /// Forwards a request byte by byte, and reads the response.
    pub(crate) async fn ask(self, request: &Message) -> io::Result<Message> {
        let Self { stream, buffer } = self;
        let (reading, mut writing) = tokio::io::split(stream);
        let sending = async {
            let sent = async {
                writing.write_all(&request.head.raw).await?;
                writing.write_all(&request.raw_body).await?;
                writing.flush().await
            };
            // A server may respond and close the connection before it has read everything.
            let _: io::Result<()> = sent.await;
            std::future::pending::<()>().await;
        };
        let mut reader = Reader { reading, buffer };
        tokio::select! {
            answer = reader.answer(request.head.method()) => answer,
            () = sending => unreachable!("it waits for ever"),
        }
    }

    /// Forwards a response byte by byte.
    pub(crate) async fn relay(&mut self, answer: &Message) -> io::Result<()> {
        self.stream.write_all(&answer.head.raw).await?;
        self.write(&answer.raw_body).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Waits until the client gives up.
    pub(crate) async fn gone(&mut self) {
        let mut ignored = [0; 1024];
        while matches!(self.stream.read(&mut ignored).await, Ok(read) if read > 0) {}
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        // Without support for it, the connection closes normally.
        let _ = self.stream.tcp().set_zero_linger();
    }

    async fn head(&mut self) -> io::Result<Option<Head>> {
        reader(self).head().await
    }

    async fn body(&mut self, framing: Framing) -> io::Result<(Vec<u8>, Vec<u8>)> {
        reader(self).body(framing).await
    }
}

fn reader(peer: &mut Peer) -> Reader<&mut Box<dyn Stream>, &mut Vec<u8>> {
    Reader {
        reading: &mut peer.stream,
        buffer: &mut peer.buffer,
    }
}

/// Returns a text without percent-encoding.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        (rest, _) = match (first, byte) {
            (b'%', Some(byte)) => (&after[2..], bytes.push(byte)),
            _ => (after, bytes.push(*first)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
