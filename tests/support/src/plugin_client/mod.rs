//! A plugin host for tests: it starts a process, performs the handshake, and calls. It is
//! written from the protocol, and shares only the definitions in `proto/` with the
//! server.

mod tls;
pub mod value;
pub mod wire;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub use tls::ClientIdentity;
use wire::health::health_client::HealthClient;
use wire::plugin::grpc_controller_client::GrpcControllerClient;
use wire::plugin::grpc_stdio_client::GrpcStdioClient;
use wire::provider_client::ProviderClient;

pub const COOKIE: (&str, &str) = (
    "TF_PLUGIN_MAGIC_COOKIE",
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
);

const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Time limit for every step of a process.
const PATIENCE: Duration = Duration::from_secs(20);

/// A plugin process and its output.
pub struct Plugin {
    pub process: Process,
    pub handshake: String,
    pub socket: PathBuf,
    pub certificate: CertificateDer<'static>,
    pub identity: ClientIdentity,
}

/// A process that prints one line on stdout when it is ready.
pub struct Process {
    child: Child,
    pub first_line: String,
    stderr: Arc<Stderr>,
}

impl Plugin {
    /// Starts `command` as a host would, and reads its handshake.
    pub fn start(mut command: Command) -> Self {
        let identity = ClientIdentity::generate();
        command
            .env(COOKIE.0, COOKIE.1)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_CLIENT_CERT", &identity.pem);
        let process = Process::start(command);
        let handshake = process.first_line.clone();
        let parts: Vec<&str> = handshake.split('|').collect();
        assert_eq!(parts.len(), 6, "{handshake} {}", process.stderr());
        let certificate = base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(parts[5])
            .expect("unpadded base64");
        Self {
            socket: PathBuf::from(parts[3]),
            certificate: certificate.into(),
            identity,
            process,
            handshake,
        }
    }

    /// Connects with `identity`; `None` for a client without a certificate.
    pub async fn connect(
        &self,
        identity: Option<&ClientIdentity>,
    ) -> Result<Channel, tonic::transport::Error> {
        let config = Arc::new(tls::client_config(&self.certificate, identity));
        let socket = self.socket.clone();
        Endpoint::from_static("https://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                let (config, socket) = (Arc::clone(&config), socket.clone());
                async move {
                    let stream = UnixStream::connect(&socket).await?;
                    let name = ServerName::try_from("localhost").expect("a name");
                    let stream = TlsConnector::from(config).connect(name, stream).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(stream))
                }
            }))
            .await
    }

    /// Connects as the host that started the process.
    pub async fn channel(&self) -> Channel {
        self.connect(Some(&self.identity))
            .await
            .expect("a connection")
    }

    pub async fn client(&self) -> ProviderClient<Channel> {
        ProviderClient::new(self.channel().await)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub async fn controller(&self) -> GrpcControllerClient<Channel> {
        GrpcControllerClient::new(self.channel().await)
    }

    pub async fn stdio(&self) -> GrpcStdioClient<Channel> {
        GrpcStdioClient::new(self.channel().await)
    }

    pub async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the stderr output so far.
    pub fn stderr(&self) -> String {
        self.process.stderr()
    }

    /// Waits until stderr contains `text`.
    pub fn await_stderr(&self, text: &str) {
        self.process.await_stderr(text);
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    pub fn folder(&self) -> &Path {
        self.socket.parent().expect("a folder")
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.process.kill();
        // A killed process cannot remove it.
        let _ = std::fs::remove_dir_all(self.folder());
    }
}

/// Connects to a plugin in debug mode, which uses no TLS.
pub async fn attach(socket: &Path) -> ProviderClient<Channel> {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(&socket).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector).await;
    ProviderClient::new(channel.expect("a connection"))
}

impl Process {
    /// Starts `command`, and reads its first line.
    pub fn start(command: Command) -> Self {
        let mut child = spawn(command);
        let stderr = collect(child.stderr.take().expect("piped"));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self {
            child,
            first_line: line.trim_end().to_owned(),
            stderr,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until stderr holds `text`.
    pub fn await_stderr(&self, text: &str) {
        self.await_stderr_times(1, text);
    }

    /// Waits until stderr contains `text` this many times.
    pub fn await_stderr_times(&self, times: usize, text: &str) {
        self.stderr
            .wait_until(text, |said| said.text.matches(text).count() >= times);
    }

    /// Waits until the process and its children have ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.stderr.wait_until("its last word", |said| said.ended);
        self.child.wait().expect("a status")
    }

    /// Kills the process, but not its children.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` until it ends by itself, and returns its output.
pub fn run_to_end(command: Command) -> (ExitStatus, String, String) {
    let mut child = spawn(command);
    let stderr = collect(child.stderr.take().expect("piped"));
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .expect("piped")
        .read_to_string(&mut stdout)
        .expect("text");
    stderr.wait_until("its last word", |said| said.ended);
    (child.wait().expect("a status"), stdout, stderr.text())
}

fn spawn(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the process starts")
}

/// The stderr output of a process.
#[derive(Default)]
struct Stderr {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

impl Stderr {
    fn text(&self) -> String {
        self.said.lock().expect("held").text.clone()
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Said) -> bool) {
        let said = self.said.lock().expect("held");
        let waited = self
            .changed
            .wait_timeout_while(said, PATIENCE, |said| !holds(said));
        let (said, timeout) = waited.expect("held");
        assert!(!timeout.timed_out(), "never said {what}: {}", said.text);
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().expect("held"));
        self.changed.notify_all();
    }
}

fn collect(stderr: ChildStderr) -> Arc<Stderr> {
    let all = Arc::new(Stderr::default());
    let sink = Arc::clone(&all);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            sink.change(|said| {
                said.text.push_str(&line);
                said.text.push('\n');
            });
        }
        sink.change(|said| said.ended = true);
    });
    all
}
