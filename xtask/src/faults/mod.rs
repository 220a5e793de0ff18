//! An HTTP proxy with scripted faults, for tests of lost responses and similar
//! failures.
//!
//! It runs between a client and one real server. It forwards every request byte by
//! byte, because signatures cover the headers, `Host` included, and records it. It
//! supports HTTP/1.1, plain or with a certificate of its own authority.
//!
//! ```no_run
//! use xtask::faults::{Fault, FaultProxy, Match, ProxyOptions};
//!
//! let proxy = FaultProxy::start(&ProxyOptions::to("http://127.0.0.1:5000"))?;
//! let puts = Match::header("x-amz-target", "PutSecretValue");
//! proxy.fail(Fault::status(503).on(puts.clone()).times(3));
//! proxy.fail(Fault::lose_answer().on(puts.clone()));
//! // … a client at proxy.address() …
//! assert_eq!(proxy.unused_faults(), [""; 0]);
//! assert_eq!(proxy.requests().iter().filter(|seen| seen.is(&puts)).count(), 5);
//! # anyhow::Ok(())
//! ```

mod blob;
mod conditions;
mod gate;
mod order;
mod script;
mod scripted;
mod serve;
#[cfg(test)]
mod tests;
mod tls;
mod vault;
pub(crate) mod wire;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::sync::watch;

pub use conditions::Weakness;
pub(crate) use conditions::weakened;
pub use gate::Gate;
pub use script::{Fault, Match};
use serve::{Shared, Upstream};
use wire::Message;

/// The maximum time for any wait.
const BOUND: Duration = Duration::from_secs(120);

/// How clients reach a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// TLS with a certificate for `127.0.0.1` and `localhost`, signed by the authority
    /// in [`FaultProxy::ca_file`].
    Https,
}

/// The configuration of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// How clients reach it.
    pub scheme: Scheme,
    /// The upstream address, without a path: `http://127.0.0.1:5000`.
    pub upstream: String,
    /// The file of authorities to trust upstream, in PEM. Required for `https` only.
    pub upstream_ca: Option<PathBuf>,
    /// Whether the OpenBAO upstream appears as a Vault Enterprise.
    pub rules: Rules,
    /// The address at which the authority of an Azure account tells what a token is for.
    pub blob_authority: Option<String>,
    /// Whether conditional writes hold.
    pub weakness: Weakness,
}

/// The changes that a proxy makes to requests and responses besides faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rules {
    /// No changes.
    #[default]
    None,
    /// The rules of HashiCorp Vault Enterprise in front of an OpenBAO: the proxy rejects
    /// the forwarding header, and the index has Vault's form.
    Vault,
}

impl ProxyOptions {
    /// Forwards to `upstream`, and listens on plain HTTP.
    #[must_use]
    pub fn to(upstream: &str) -> Self {
        Self {
            scheme: Scheme::Http,
            upstream: upstream.to_owned(),
            upstream_ca: None,
            rules: Rules::None,
            blob_authority: None,
            weakness: Weakness::None,
        }
    }

    /// Applies the rules of HashiCorp Vault Enterprise in front of an OpenBAO.
    #[must_use]
    pub fn as_vault(mut self) -> Self {
        self.rules = Rules::Vault;
        self
    }

    /// Lets conditional writes fail to hold.
    #[must_use]
    pub fn with(mut self, weakness: Weakness) -> Self {
        self.weakness = weakness;
        self
    }

    /// Appears as an account of Azure Blob Storage with tokens of this authority, in front
    /// of an Azurite.
    #[must_use]
    pub fn as_blob_account(mut self, authority: &str) -> Self {
        self.blob_authority = Some(authority.to_owned());
        self
    }

    /// Listens on TLS.
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.scheme = Scheme::Https;
        self
    }

    /// Trusts the authorities in this file for upstream.
    #[must_use]
    pub fn trusting(mut self, ca_file: &Path) -> Self {
        self.upstream_ca = Some(ca_file.to_owned());
        self
    }
}

/// A running proxy. It stops on drop.
pub struct FaultProxy {
    shared: Arc<Shared>,
    port: u16,
    address: String,
    authority: Option<Authority>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Authority {
    pem: String,
    file: PathBuf,
    _folder: TempDir,
}

impl FaultProxy {
    /// Starts a proxy without faults on a free loopback port.
    ///
    /// # Errors
    ///
    /// If the upstream address is invalid, its authority cannot be read, or no port is
    /// free.
    pub fn start(options: &ProxyOptions) -> Result<Self> {
        let upstream = Upstream::new(options)?;
        let identity = match options.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(tls::Identity::new()?),
        };
        let authority = identity.as_ref().map(|identity| {
            let folder = tempfile::tempdir().context("making a folder")?;
            let file = folder.path().join("ca.pem");
            std::fs::write(&file, &identity.ca_pem).context("writing an authority")?;
            anyhow::Ok(Authority {
                pem: identity.ca_pem.clone(),
                file,
                _folder: folder,
            })
        });
        let authority = authority.transpose()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening")?;
        listener.set_nonblocking(true).context("listening")?;
        let port = listener.local_addr().context("listening")?.port();
        let scheme = match options.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("making a runtime")?;
        let shared = Arc::new(Shared::new(upstream, options));
        let (stop, stopped) = watch::channel(false);
        let serving = serve::run(
            Arc::clone(&shared),
            listener,
            identity.map(|identity| identity.server),
            stopped,
        );
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            // The runtime ends requests that are still running.
            .spawn(move || runtime.block_on(serving))
            .context("starting a thread")?;
        Ok(Self {
            shared,
            port,
            address: format!("{scheme}://127.0.0.1:{port}"),
            authority,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the address, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the port, for clients that need `localhost` in the address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the file with the proxy's authority in PEM, or `None` without TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        Some(&self.authority.as_ref()?.file)
    }

    /// Returns the proxy's authority in PEM, or `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        Some(&self.authority.as_ref()?.pem)
    }

    /// Adds a fault. If several faults match a request, the first one strikes.
    pub fn fail(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// Returns the received requests, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Returns the number of received requests of this kind.
    #[must_use]
    pub fn count(&self, of: &Match) -> usize {
        let state = self.shared.state();
        state.seen.iter().filter(|seen| seen.is(of)).count()
    }

    /// Describes the faults that have not struck as often as planned.
    #[must_use]
    pub fn unused_faults(&self) -> Vec<String> {
        script::unused(&self.shared.state().faults)
    }

    /// Describes unscripted failures, such as no response from upstream or an invalid
    /// request.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.shared.state().troubles.clone()
    }

    /// Answers the next requests with an index as a Vault standby that has not reached
    /// the index.
    pub fn lag(&self, requests: usize) {
        if let Some(vault) = &self.shared.vault {
            vault.lag(requests);
        }
    }

    /// Closes the connections of all currently stalled requests.
    pub fn let_go(&self) {
        self.shared.let_go();
    }

    /// Delays each request by this time before it is sent upstream, so that requests that are
    /// sent side by side overlap.
    pub fn pace(&self, delay: Duration) {
        self.shared.state().pace = Some(delay);
    }

    /// Removes all faults, requests and unscripted failures.
    pub fn forget(&self) {
        let mut state = self.shared.state();
        state.faults.clear();
        state.troubles.clear();
        // Running requests keep their index.
        state.forgotten += state.seen.len();
        state.seen.clear();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic has already been printed.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A request that a proxy received.
#[derive(Clone)]
pub struct Seen {
    request: Arc<Message>,
    /// The positions of its arrival and of its response in the order of all events.
    begun: u64,
    ended: Option<u64>,
    answered: Option<u16>,
    status: Option<u16>,
    gave_up: bool,
    fault: Option<String>,
}

impl Seen {
    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request.head.method()
    }

    /// Returns the path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.request.head.target();
        target.split('?').next().unwrap_or(target)
    }

    /// Returns the query, or `None` without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        Some(self.request.head.target().split_once('?')?.1)
    }

    /// Returns a header's first value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.request.head.header(&name).next()
    }

    /// Returns the body without chunk framing.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.request.body
    }

    /// Returns true if the request matches `of`.
    #[must_use]
    pub fn is(&self, of: &Match) -> bool {
        of.means(&self.request)
    }

    /// Returns the status that upstream returned, or `None` without a response.
    #[must_use]
    pub fn answered(&self) -> Option<u16> {
        self.answered
    }

    /// Returns the status of the complete response to the client, or `None` if it was
    /// missing or incomplete.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns true if the client gave up while the request was stalled.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Returns a description of the fault that struck.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// Omits headers, query and body, because the output of failed tests is kept.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.path())?;
        if let Some(target) = self.header("x-amz-target") {
            write!(f, " {target}")?;
        }
        let status = |status: Option<u16>| status.map_or("-".to_owned(), |code| code.to_string());
        let (answered, told) = (status(self.answered), status(self.status));
        write!(f, ": upstream {answered}, client {told}")?;
        match &self.fault {
            Some(fault) => write!(f, " ({fault})"),
            None => Ok(()),
        }
    }
}
