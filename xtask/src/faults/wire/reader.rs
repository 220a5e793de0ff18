//! Reads messages from a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Framing, Head, MAX_BODY_BYTES, MAX_HEAD_BYTES, Message, invalid};

/// A reader, and the bytes that it has read ahead.
pub(super) struct Reader<R, B> {
    pub(super) reading: R,
    pub(super) buffer: B,
}

impl<R: AsyncRead + Unpin, B: AsMut<Vec<u8>>> Reader<R, B> {
    pub(super) async fn answer(&mut self, method: &str) -> io::Result<Message> {
        loop {
            let head = self.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = head.status()?;
            if status == 101 {
                return Err(invalid("another protocol"));
            }
            if (100..200).contains(&status) {
                continue;
            }
            let framing = match status {
                204 | 304 => Framing::Length(0),
                _ if method == "HEAD" => Framing::Length(0),
                _ => head.framing(Framing::UntilClose)?,
            };
            let ends = matches!(framing, Framing::UntilClose);
            let (raw_body, body) = self.body(framing).await?;
            return Ok(Message {
                keeps_alive: !ends && head.keeps_alive(&head.first[0]),
                head,
                raw_body,
                body,
            });
        }
    }

    /// Reads a head, or returns `None` at the end of the connection.
    pub(super) async fn head(&mut self) -> io::Result<Option<Head>> {
        let mut from = 0;
        loop {
            let buffer = self.buffer.as_mut();
            let found = buffer[from..].windows(4).position(|at| at == b"\r\n\r\n");
            if let Some(at) = found {
                let raw = buffer.drain(..from + at + 4).collect();
                return Head::parse(raw).map(Some);
            }
            if buffer.len() > MAX_HEAD_BYTES {
                return Err(invalid("a head of this length"));
            }
            let is_idle = buffer.is_empty();
            from = buffer.len().saturating_sub(3);
            match self.more().await {
                Ok(()) => {}
                // Either side may close the connection between two requests.
                Err(_) if is_idle => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a body, and returns it raw and without chunk framing.
    pub(super) async fn body(&mut self, framing: Framing) -> io::Result<(Vec<u8>, Vec<u8>)> {
        match framing {
            Framing::Length(length) => {
                let body = self.exactly(length).await?;
                Ok((body.clone(), body))
            }
            Framing::UntilClose => {
                // A missing TLS close notification also ends the body.
                while self.more().await.is_ok() {}
                let body = std::mem::take(self.buffer.as_mut());
                Ok((body.clone(), body))
            }
            Framing::Chunked => {
                let (mut raw, mut body) = (Vec::new(), Vec::new());
                loop {
                    let line = self.line().await?;
                    raw.extend_from_slice(&line);
                    let size = chunk_size(&line)?;
                    if size == 0 {
                        break;
                    }
                    let chunk = self.exactly(size + 2).await?;
                    raw.extend_from_slice(&chunk);
                    body.extend_from_slice(&chunk[..size]);
                    limit(body.len())?;
                }
                loop {
                    let trailer = self.line().await?;
                    raw.extend_from_slice(&trailer);
                    if trailer == b"\r\n" {
                        return Ok((raw, body));
                    }
                }
            }
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let buffer = self.buffer.as_mut();
            if let Some(at) = buffer.iter().position(|byte| *byte == b'\n') {
                return Ok(buffer.drain(..=at).collect());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        limit(length)?;
        while self.buffer.as_mut().len() < length {
            self.more().await?;
        }
        Ok(self.buffer.as_mut().drain(..length).collect())
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        match self.reading.read(&mut chunk).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                let buffer = self.buffer.as_mut();
                buffer.extend_from_slice(&chunk[..read]);
                limit(buffer.len())
            }
        }
    }
}

fn chunk_size(line: &[u8]) -> io::Result<usize> {
    let text = std::str::from_utf8(line).unwrap_or_default();
    let size = text.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(size, 16).map_err(|_| invalid("a chunk's size"))?;
    limit(size)?;
    Ok(size)
}

fn limit(length: usize) -> io::Result<()> {
    if length > MAX_BODY_BYTES + MAX_HEAD_BYTES {
        return Err(invalid("a body of this length"));
    }
    Ok(())
}
