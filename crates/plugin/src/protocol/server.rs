//! Serves a provider, from the start to the end of the process.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::handshake::{HandshakeError, Host, PROTOCOL, announce};
use super::lifecycle::Lifecycle;
use super::listener::{Address, Listener, Place};
use super::service::{ProviderService, StopToken};
use super::tls::{ServerTls, TlsError};
use super::wire::go_plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::go_plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::health::health_server::HealthServer;
use super::wire::provider_server::ProviderServer;
use super::{hardening, log, panics, signals};
use crate::Provider;

/// Maximum size of a message, as in hosts.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// Flow-control window of HTTP/2, large enough for values of megabytes.
const WINDOW_BYTES: u32 = 4 << 20;
/// Time to finish after the host requests the end. go-plugin kills the process after two
/// seconds.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1500);
/// Time for running operations after a termination or the death of the host.
const TERMINATION_GRACE: Duration = Duration::from_secs(60);

/// Options of [`serve`].
pub struct ServeOptions {
    /// Full addresses of the provider, one for each registry that lists it, such as
    /// `registry.terraform.io/acme/thing`. Debug mode prints all of them, since each host
    /// completes a short source with its own registry.
    pub addresses: Vec<&'static str>,
    /// Tracing targets whose logs are written. No others are.
    pub log_targets: Vec<&'static str>,
    /// Destination of the handshake line, or of the reattach variable.
    pub output: Box<dyn Write + Send>,
    /// What starts the process.
    pub mode: ServeMode,
}

/// What starts the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServeMode {
    /// A host, which authenticates itself and ends the process.
    Plugin,
    /// A developer with a debugger. Hosts attach through TF_REATTACH_PROVIDERS, and an
    /// interrupt ends the process. No TLS, and core dumps stay enabled.
    Debug,
}

/// Failure to serve a provider.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The listener could not be set up.
    #[error("the plugin's socket could not be opened")]
    Listen(#[source] io::Error),
    /// TLS could not be set up.
    #[error("mutual TLS could not be set up")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The handshake line could not be written.
    #[error("the handshake could not be written")]
    Announce(#[source] io::Error),
    /// The runtime or its signals could not be set up.
    #[error("the async runtime could not be started")]
    Runtime(#[source] io::Error),
    /// The server failed.
    #[error("the plugin's server failed")]
    Server(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<TlsError> for ServeError {
    fn from(error: TlsError) -> Self {
        Self::Tls(Box::new(error))
    }
}

impl ServeOptions {
    /// Creates options to serve a host as the provider of these addresses. Only the logs of
    /// this crate are written: add the provider's own crates to `log_targets`.
    #[must_use]
    pub fn new(addresses: impl Into<Vec<&'static str>>) -> Self {
        Self {
            addresses: addresses.into(),
            log_targets: vec![env!("CARGO_CRATE_NAME")],
            output: Box::new(io::stdout()),
            mode: ServeMode::Plugin,
        }
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("addresses", &self.addresses)
            .field("log_targets", &self.log_targets)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Serves `provider` until the host ends the process, or in debug mode an interrupt does.
/// Changes the whole process: signals, panic hook, core dumps and logs.
///
/// # Errors
///
/// [`ServeError`]. All but `Server` occur before the first call is served.
pub fn serve(provider: Arc<dyn Provider>, options: ServeOptions) -> Result<(), ServeError> {
    let host = match options.mode {
        ServeMode::Plugin => Some(Host::from_environment(&|name| std::env::var(name).ok())?),
        ServeMode::Debug => None,
    };
    log::init(&options.log_targets);
    panics::install_panic_hook();
    if options.mode == ServeMode::Plugin {
        hardening::forbid_core_dumps();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("provider")
        .enable_all()
        .build()
        .map_err(ServeError::Runtime)?;
    let served = runtime.block_on(run(provider, host, options));
    // The time for running operations is over.
    runtime.shutdown_background();
    served
}

async fn run(
    provider: Arc<dyn Provider>,
    host: Option<Host>,
    mut options: ServeOptions,
) -> Result<(), ServeError> {
    let ending = CancellationToken::new();
    let terminated = CancellationToken::new();
    let cancellation = CancellationToken::new();
    signals::watch(options.mode, &ending, &terminated).map_err(ServeError::Runtime)?;

    let (listener, tls) = if let Some(host) = host {
        let listener = Listener::bind(&host.place)
            .await
            .map_err(ServeError::Listen)?;
        let tls = ServerTls::accepting(host.client_certificate)?;
        announce(&mut options.output, &listener.address, &tls.certificate)
            .map_err(ServeError::Announce)?;
        (listener, Some(tls.config))
    } else {
        let listener = Listener::bind(&debug_place())
            .await
            .map_err(ServeError::Listen)?;
        announce_reattach(&mut options.output, &options.addresses, &listener.address)
            .map_err(ServeError::Announce)?;
        (listener, None)
    };
    tracing::debug!("listening");

    let lifecycle = Lifecycle {
        ending: ending.clone(),
        obeys: options.mode == ServeMode::Plugin,
    };
    let stop = StopToken::new(options.mode, cancellation.clone());
    let service = ProviderService::new(Arc::clone(&provider), stop);
    // Dropped, and so removed, whenever this function returns.
    let (connections, _folder) = listener.accept(tls);
    let serving = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(
            ProviderServer::new(service)
                .max_decoding_message_size(MAX_MESSAGE_BYTES)
                .max_encoding_message_size(MAX_MESSAGE_BYTES),
        )
        .add_service(GrpcControllerServer::new(lifecycle.clone()))
        .add_service(GrpcStdioServer::new(lifecycle.clone()))
        .add_service(HealthServer::new(lifecycle))
        .serve_with_incoming_shutdown(connections, ending.clone().cancelled_owned());

    let grace_is_over = async {
        tokio::select! {
            () = ending.cancelled() => {}
            () = terminated.cancelled() => {}
        }
        if terminated.is_cancelled() {
            cancellation.cancel();
            ending.cancel();
            tokio::time::sleep(TERMINATION_GRACE).await;
        } else {
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        }
    };
    let finished = async {
        let served = serving.await;
        provider.finish().await;
        served
    };
    tokio::select! {
        served = finished => served.map_err(|error| ServeError::Server(Box::new(error))),
        () = grace_is_over => Ok(()),
    }
}

fn debug_place() -> Place {
    if cfg!(windows) {
        return Place::Tcp { ports: 0..=0 };
    }
    Place::Unix {
        folder: std::env::temp_dir(),
        group: None,
    }
}

fn announce_reattach(
    out: &mut dyn Write,
    providers: &[&'static str],
    address: &Address,
) -> io::Result<()> {
    let (network, at) = address.parts();
    let reattach = json!({
        "Protocol": "grpc",
        "ProtocolVersion": PROTOCOL,
        "Pid": std::process::id(),
        "Test": true,
        "Addr": { "Network": network, "String": at },
    });
    let providers: serde_json::Map<_, _> = providers
        .iter()
        .map(|&provider| (provider.to_owned(), reattach.clone()))
        .collect();
    let providers = serde_json::Value::Object(providers);
    writeln!(out, "TF_REATTACH_PROVIDERS='{providers}'")?;
    out.flush()
}
