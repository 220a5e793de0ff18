//! Adds a round-trip time between a client and a server on loopback, for benchmarks.
//!
//! Each direction of a connection takes half of the round trip. Data that follows is not held
//! up by data before it, as on a long line. The first bytes of a client take a whole round
//! trip more, as the TCP handshake would.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const CHUNK_BYTES: usize = 64 * 1024;

/// A relay to one server. It stops on drop, and closes all connections.
#[derive(Debug)]
pub struct LatencyRelay {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    round_trip: Duration,
    stopped: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// Bytes, and when they arrive.
type Delayed = (Instant, Vec<u8>);

impl LatencyRelay {
    /// Relays to the server at `upstream`, a host and a port.
    ///
    /// # Errors
    ///
    /// If the address is invalid, or no port is free.
    pub fn start(upstream: &str, round_trip: Duration) -> Result<Self> {
        let upstream = upstream
            .parse()
            .with_context(|| format!("{upstream} is not an address and a port"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        let address = listener.local_addr().context("listening")?;
        let shared = Arc::new(Shared {
            upstream,
            round_trip,
            stopped: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let listening = thread::Builder::new()
            .name("latency-relay".to_owned())
            .spawn(move || accepting.accept(&listener))
            .context("starting a thread")?;
        Ok(Self {
            address,
            shared,
            listening: Some(listening),
        })
    }

    /// Returns the address of the relay.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `url` with the relay in the place of the server's host and port.
    #[must_use]
    pub fn in_place_of_the_server(&self, url: &str) -> String {
        url.replace(&self.shared.upstream.to_string(), &self.address.to_string())
    }
}

impl Drop for LatencyRelay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open().drain(..) {
            // Fails only if the connection is closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the listening thread.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            // A panic has already been printed.
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            // The client sees a closed connection.
            if let Err(error) = client.and_then(|client| self.relay(&client)) {
                eprintln!("The latency relay cannot serve a connection: {error}.");
            }
        }
    }

    fn relay(&self, client: &TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(self.upstream)?;
        for stream in [client, &server] {
            stream.set_nodelay(true)?;
            self.open().push(stream.try_clone()?);
        }
        let half = self.round_trip / 2;
        let connected = Instant::now() + self.round_trip;
        direction(client.try_clone()?, server.try_clone()?, half, connected);
        direction(server, client.try_clone()?, half, Instant::now());
        Ok(())
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes from one side to the other. Nothing is sent before `connected`.
fn direction(from: TcpStream, to: TcpStream, delay: Duration, connected: Instant) {
    let (sender, receiver) = channel();
    thread::spawn(move || read(from, delay, connected, &sender));
    thread::spawn(move || write(to, &receiver));
}

fn read(mut from: TcpStream, delay: Duration, connected: Instant, sender: &Sender<Delayed>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        // A connection that breaks ends like one that is closed.
        let length = from.read(&mut buffer).unwrap_or_default();
        let due = Instant::now().max(connected) + delay;
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if sender.send((due, bytes)).is_err() || length == 0 {
            return;
        }
    }
}

/// Writes until the empty chunk, which stands for the end of the stream.
fn write(mut to: TcpStream, receiver: &Receiver<Delayed>) {
    while let Ok((due, bytes)) = receiver.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    /// Returns each line it receives, and ends with the client.
    fn echo() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
        let address = listener.local_addr().expect("has an address");
        let serving = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("accepts");
            let mut reader = stream.try_clone().expect("clones");
            let mut writer = stream;
            io::copy(&mut reader, &mut writer).expect("echoes");
            writer.shutdown(Shutdown::Write).expect("ends");
        });
        (address, serving)
    }

    #[test]
    fn a_relay_changes_nothing_and_takes_a_round_trip_more() {
        let (upstream, serving) = echo();
        let relay = LatencyRelay::start(&upstream.to_string(), ROUND_TRIP).expect("starts");
        let url = relay.in_place_of_the_server(&format!("http://{upstream}/v1"));
        assert_eq!(url, format!("http://{}/v1", relay.address()));
        let mut client = TcpStream::connect(relay.address()).expect("connects");
        let mut answers = Vec::new();
        let begun = Instant::now();
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut reader = client.try_clone().expect("clones");
        let reading = thread::spawn(move || {
            reader.read_to_end(&mut answers).expect("reads");
            answers
        });
        client.write_all(&sent).expect("writes");
        client.shutdown(Shutdown::Write).expect("ends");
        assert_eq!(reading.join().expect("reads"), sent);
        // The connection, and the bytes.
        assert!(begun.elapsed() >= 2 * ROUND_TRIP);
        serving.join().expect("ends");
    }

    #[test]
    fn a_relay_that_stops_closes_its_connections() {
        let (upstream, serving) = echo();
        let relay = LatencyRelay::start(&upstream.to_string(), ROUND_TRIP).expect("starts");
        let mut client = TcpStream::connect(relay.address()).expect("connects");
        client.write_all(b"x").expect("writes");
        let mut answer = [0];
        client.read_exact(&mut answer).expect("answers");
        drop(relay);
        assert_eq!(client.read(&mut answer).expect("is closed"), 0);
        serving.join().expect("ends");
    }
}
