//! Real OpenBAO servers: one node or a cluster, each in a temporary folder of
//! its own, reached through loopback, ended when it is dropped.

mod api;
mod cluster;
mod jwt;
mod node;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::tools::Tools;

pub use api::{Answer, Api, AppRole, KvVersion};
pub use cluster::Cluster;
pub use jwt::JwtIssuer;
use node::{Node, Plan};

/// How long a server may take for anything.
const BOUND: Duration = Duration::from_secs(90);

/// What a server is told besides its ports and folders.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Which server runs.
    pub release: Release,
    /// Writes plaintexts to the audit log instead of their HMACs: for tests
    /// that must see what was sent.
    pub raw_audit: bool,
    /// Serves TLS on a second listener; the first stays plain.
    pub tls: Option<TlsFiles>,
    /// How the server comes by its root key.
    pub seal: Seal,
    /// Further lines of each listener: `max_request_json_strings = 5000`.
    pub listener_lines: Vec<String>,
    /// Further lines of the configuration: `disable_standby_reads = true`.
    pub lines: Vec<String>,
}

/// A release of OpenBAO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// The pinned one, 2.7: every write returns an index.
    #[default]
    Pinned,
    /// 2.6.2: standbys serve reads, and no write returns an index.
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

/// How a server comes by its root key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seal {
    /// From a file: it unseals itself, after [`OpenBao::seal`] too.
    #[default]
    Static,
    /// From people with shares of it: the server is initialized, and stays
    /// sealed, since nobody brings them.
    Shamir,
}

/// The files of a TLS listener, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
    /// Where given, clients must show a certificate of this authority.
    pub client_authority: Option<PathBuf>,
}

/// A single server, initialized; unsealed and active unless its [`Seal`] is
/// Shamir's.
#[derive(Debug)]
pub struct OpenBao {
    node: Node,
    api: Api,
    folder: TempDir,
    seal: Seal,
}

impl OpenBao {
    /// Starts a server with nothing in it but its root token.
    ///
    /// # Errors
    ///
    /// When it does not become active, or sealed; with the end of its log.
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

    /// Returns the process id; absent while the server is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.node.pid()
    }

    /// Returns the audit log.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn audit_log(&self) -> Result<String> {
        self.node.audit_log()
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

    /// Seals the server: it answers every request with 503 from now on. One with
    /// a static seal unseals itself within seconds.
    ///
    /// # Errors
    ///
    /// When it refuses.
    pub fn seal(&self) -> Result<()> {
        self.api.ok("POST", "sys/seal", None).context("sealing")?;
        Ok(())
    }

    /// Stops the server as an operator does, and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end; it is killed then.
    pub fn stop(&mut self) -> Result<()> {
        self.node.stop()
    }

    /// Kills the server as a power cut does.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Starts the server again with the same storage at the same address, and
    /// waits until it is active; with Shamir's seal, until it is sealed.
    ///
    /// # Errors
    ///
    /// When it does not become so.
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
