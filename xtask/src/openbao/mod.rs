//! Runs real OpenBAO servers: one node or a cluster on loopback, each in its own
//! temporary folder. They end on drop.

mod api;
mod cluster;
mod jwt;
mod node;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::tools::Tools;

pub use api::{Answer, Api, AppRole, KvVersion};
pub use cluster::Cluster;
pub use jwt::JwtIssuer;
use node::{Node, Plan};

/// The maximum time of any server operation.
const BOUND: Duration = Duration::from_secs(90);

/// The configuration of a server besides its ports and folders.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The release of the server.
    pub release: Release,
    /// Writes plaintexts to the audit log in place of their HMACs, for tests that inspect
    /// requests.
    pub raw_audit: bool,
    /// Serves TLS on a second listener. The first one stays plain.
    pub tls: Option<TlsFiles>,
    /// The source of the server's root key.
    pub seal: Seal,
    /// Further lines of each listener, such as `max_request_json_strings = 5000`.
    pub listener_lines: Vec<String>,
    /// Further lines of the configuration, such as `disable_standby_reads = true`.
    pub lines: Vec<String>,
}

/// A release of OpenBAO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The pinned release, 2.7. Every write returns an index.
    #[default]
    Pinned,
    /// Release 2.6.2. Standbys serve reads, and no write returns an index.
    Earlier,
}

impl Release {
    fn binary(self, tools: &Tools) -> Result<PathBuf> {
        match self {
            Self::Pinned => Ok(tools.bao().to_owned()),
            Self::Earlier => tools.earlier_bao(),
        }
    }
}

/// The source of a server's root key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// A file. The server unseals itself, also after [`OpenBao::seal`].
    #[default]
    Static,
    /// Shamir shares of operators. The server is initialized and stays sealed.
    Shamir,
}

/// The files of a TLS listener, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
    /// If set, clients must present a certificate of this authority.
    pub client_authority: Option<PathBuf>,
}

/// A single initialized server. It is unsealed and active unless its [`Seal`] is
/// Shamir's.
#[derive(Debug)]
pub struct OpenBao {
    node: Node,
    api: Api,
    folder: TempDir,
    seal: Seal,
}

impl OpenBao {
    /// Starts a new server.
    ///
    /// # Errors
    ///
    /// If it does not become active, or sealed with Shamir's seal; with the end of its log.
    pub fn start(tools: &Tools, options: &ServerOptions) -> Result<Self> {
        let folder = node::folder()?;
        let bao = options.release.binary(tools)?;
        let plan = Plan {
            bao: &bao,
            folder: folder.path(),
            options,
        };
        let node = Node::start(&plan, "node", |_| Vec::new())?;
        let token = node.initialize(options.seal)?;
        let api = Api::new(node.address(), &token);
        let server = Self {
            node,
            api,
            folder,
            seal: options.seal,
        };
        server.await_started()?;
        Ok(server)
    }

    /// Returns the plain listener's address, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.node.address()
    }

    /// Returns the TLS listener's address, as `https://127.0.0.1:…`.
    #[must_use]
    pub fn tls_address(&self) -> Option<&str> {
        self.node.tls_address()
    }

    /// Returns the root token.
    #[must_use]
    pub fn root_token(&self) -> &str {
        self.api.token()
    }

    /// Returns the API with the root token.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the process id, or `None` while the server is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.node.pid()
    }

    /// Returns the audit log.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn audit_log(&self) -> Result<String> {
        self.node.audit_log()
    }

    /// Returns the audit log from this offset in bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn audit_log_since(&self, offset: u64) -> Result<String> {
        self.node.audit_log_since(offset)
    }

    /// Returns the size of the audit log in bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn audit_log_bytes(&self) -> Result<u64> {
        self.node.audit_log_bytes()
    }

    /// Returns the server's own log.
    #[must_use]
    pub fn server_log(&self) -> String {
        self.node.server_log()
    }

    /// Returns the folder with the server's storage, logs and seal key.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Seals the server, which then returns 503 for every request. A server with a static
    /// seal unseals itself within seconds.
    ///
    /// # Errors
    ///
    /// If the server rejects the request.
    pub fn seal(&self) -> Result<()> {
        self.api.ok("POST", "sys/seal", None).context("sealing")?;
        Ok(())
    }

    /// Stops the server as an operator would, and waits for its end.
    ///
    /// # Errors
    ///
    /// If it does not end. Then it is killed.
    pub fn stop(&mut self) -> Result<()> {
        self.node.stop()
    }

    /// Returns a snapshot of the server's storage.
    ///
    /// # Errors
    ///
    /// If the server rejects the request.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let (status, snapshot) = self
            .api
            .send("GET", "sys/storage/raft/snapshot", None)
            .context("taking a snapshot")?;
        ensure!(status == 200, "taking a snapshot gave {status}");
        Ok(snapshot)
    }

    /// Replaces the server's storage by a snapshot of it.
    ///
    /// # Errors
    ///
    /// If the server rejects the request, or is not active again afterwards.
    pub fn restore_snapshot(&self, snapshot: &[u8]) -> Result<()> {
        let path = "sys/storage/raft/snapshot";
        let sent = self.api.send("POST", path, Some(snapshot));
        let (status, body) = sent.context("restoring a snapshot")?;
        ensure!(
            status == 204,
            "restoring a snapshot gave {status}: {}",
            String::from_utf8_lossy(&body)
        );
        self.await_started()
    }

    /// Kills the server as in a power failure.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Restarts the server with the same storage and address, and waits until it is active,
    /// or sealed with Shamir's seal.
    ///
    /// # Errors
    ///
    /// If it does not reach that state.
    pub fn restart(&mut self) -> Result<()> {
        self.node.restart()?;
        self.await_started()
    }

    fn await_started(&self) -> Result<()> {
        match self.seal {
            Seal::Static => self.node.await_active(BOUND),
            Seal::Shamir => self.node.await_sealed(BOUND),
        }
    }
}
