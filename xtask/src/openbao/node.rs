//! One server process: its configuration, ports and lifecycle.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::Api;
use super::{BOUND, Seal, ServerOptions};
use crate::process;

/// The number of tries: another process may take a port between its choice and its use.
const MAX_STARTS: usize = 5;
/// Below the range of outgoing connections, so that the ports are still free when a
/// server restarts.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
const POLL: Duration = Duration::from_millis(25);

/// The configuration that the nodes of a test share.
pub(super) struct Plan<'a> {
    pub(super) bao: &'a Path,
    /// The folder with the shared seal key.
    pub(super) folder: &'a Path,
    pub(super) options: &'a ServerOptions,
}

/// The ports of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) api: u16,
    cluster: u16,
    tls: u16,
    tls_cluster: u16,
}

/// A server process, and the data for its restart.
#[derive(Debug)]
pub(super) struct Node {
    bao: PathBuf,
    folder: PathBuf,
    address: String,
    tls_address: Option<String>,
    child: Option<Child>,
}

/// Creates the shared folder of a test's nodes, with the seal key.
pub(super) fn folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("bao").tempdir();
    let folder = folder.context("creating a server's folder")?;
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).context("making a seal key")?;
    fs::write(folder.path().join("seal.key"), key).context("writing the seal key")?;
    Ok(folder)
}

impl Node {
    /// Starts a server, and waits until it answers; it may be sealed. `join` lists the
    /// addresses of the cluster's possible leaders.
    pub(super) fn start(
        plan: &Plan<'_>,
        name: &str,
        join: impl Fn(&str) -> Vec<String>,
    ) -> Result<Self> {
        let mut starts = 1;
        loop {
            let ports = Ports::choose()?;
            match Self::start_at(plan, name, ports, &join) {
                Err(error) if starts < MAX_STARTS && port_was_taken(&error) => starts += 1,
                result => return result,
            }
        }
    }

    /// Starts a server at the given ports.
    pub(super) fn start_at(
        plan: &Plan<'_>,
        name: &str,
        ports: Ports,
        join: impl Fn(&str) -> Vec<String>,
    ) -> Result<Self> {
        let folder = plan.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).context("removing what a failed start left")?;
        }
        fs::create_dir_all(folder.join("data")).context("creating a node's folder")?;
        let address = ports.address();
        let leaders = join(&address);
        let config = configuration(plan, name, &folder, ports, &leaders)?;
        fs::write(folder.join("config.hcl"), config).context("writing a node's configuration")?;
        let tls = plan.options.tls.is_some();
        let mut node = Self {
            bao: plan.bao.to_owned(),
            folder,
            address,
            tls_address: tls.then(|| format!("https://127.0.0.1:{}", ports.tls)),
            child: None,
        };
        node.restart()?;
        Ok(node)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn tls_address(&self) -> Option<&str> {
        self.tls_address.as_deref()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn audit_log(&self) -> Result<String> {
        fs::read_to_string(self.folder.join("audit.log")).context("reading the audit log")
    }

    pub(super) fn audit_log_since(&self, offset: u64) -> Result<String> {
        let file = self.folder.join("audit.log");
        let mut file = File::open(file).context("opening the audit log")?;
        let mut text = String::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_to_string(&mut text))
            .context("reading the audit log")?;
        Ok(text)
    }

    pub(super) fn audit_log_bytes(&self) -> Result<u64> {
        let file = fs::metadata(self.folder.join("audit.log"));
        Ok(file.context("the size of the audit log")?.len())
    }

    pub(super) fn server_log(&self) -> String {
        fs::read_to_string(self.folder.join("server.log")).unwrap_or_default()
    }

    /// Starts the process, and waits until it answers.
    pub(super) fn restart(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.address);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("server.log"))
            .context("creating the server's log")?;
        // Stays in the tests' process group, so an interrupt at the terminal ends it too.
        let child = Command::new(&self.bao)
            .args(["server", "-config"])
            .arg(self.folder.join("config.hcl"))
            .current_dir(&self.folder)
            .env_clear()
            .env("HOME", &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing the server's log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.bao.display()))?;
        self.child = Some(child);
        self.await_health(BOUND, "an answer", |_| true)
    }

    /// Initializes the server, and returns its root token.
    pub(super) fn initialize(&self, seal: Seal) -> Result<String> {
        let body = match seal {
            Seal::Static => json!({"recovery_shares": 1, "recovery_threshold": 1}),
            Seal::Shamir => json!({"secret_shares": 1, "secret_threshold": 1}),
        };
        let answer = Api::new(&self.address, "").ok("PUT", "sys/init", Some(&body))?;
        let token = answer["root_token"].as_str();
        Ok(token.context("no root token in the answer")?.to_owned())
    }

    /// Waits until this node is the leader.
    pub(super) fn await_active(&self, bound: Duration) -> Result<()> {
        self.await_health(bound, "to lead", |health| {
            health["sealed"] == false && health["standby"] == false
        })
    }

    /// Waits until this node is unsealed, as leader or standby.
    pub(super) fn await_unsealed(&self, bound: Duration) -> Result<()> {
        self.await_health(bound, "to be unsealed", |health| health["sealed"] == false)
    }

    /// Waits until this node is initialized and sealed.
    pub(super) fn await_sealed(&self, bound: Duration) -> Result<()> {
        self.await_health(bound, "to be sealed", |health| {
            health["initialized"] == true && health["sealed"] == true
        })
    }

    /// Returns the response of the health endpoint, or `None` without one.
    pub(super) fn health(&self) -> Option<Value> {
        let api = Api::new(&self.address, "");
        api.call("GET", "sys/health", None)
            .ok()
            .map(|answer| answer.body)
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        if let Some(child) = &self.child {
            process::signal(child, Signal::TERM);
            let in_time = process::await_exit(child, BOUND);
            self.kill();
            ensure!(in_time, "{} did not end by itself", self.address);
        }
        Ok(())
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn await_health(
        &self,
        bound: Duration,
        what: &str,
        is_there: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + bound;
        loop {
            if self.has_ended() || self.log_says_port_taken() {
                bail!("{} ended: {}", self.address, self.end_of_log());
            }
            if self.health().is_some_and(|health| is_there(&health)) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} took too long for {what}: {}",
                    self.address,
                    self.end_of_log()
                );
            }
            // The server sends no notification when it is ready, so it is polled.
            thread::sleep(POLL);
        }
    }

    fn has_ended(&self) -> bool {
        self.child.as_ref().is_none_or(process::has_exited)
    }

    fn log_says_port_taken(&self) -> bool {
        self.server_log().contains(PORT_TAKEN)
    }

    pub(super) fn end_of_log(&self) -> String {
        let log = self.server_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Ports {
    /// Chooses currently free ports.
    pub(super) fn choose() -> Result<Self> {
        let mut held = Vec::new();
        while held.len() < 4 {
            let mut random = [0; 2];
            getrandom::fill(&mut random).context("choosing a port")?;
            let size = PORTS.end - PORTS.start;
            let port = PORTS.start + u16::from_be_bytes(random) % size;
            // Holds the sockets until all ports are chosen, so that they differ.
            held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        }
        let mut ports = held
            .iter()
            .map(|listener| listener.local_addr().map(|a| a.port()));
        let mut next = || {
            ports
                .next()
                .context("four ports")?
                .context("a port's number")
        };
        Ok(Self {
            api: next()?,
            cluster: next()?,
            tls: next()?,
            tls_cluster: next()?,
        })
    }

    pub(super) fn address(self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }
}

const PORT_TAKEN: &str = "address already in use";

pub(super) fn port_was_taken(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains(PORT_TAKEN)
}

fn configuration(
    plan: &Plan<'_>,
    name: &str,
    folder: &Path,
    ports: Ports,
    leaders: &[String],
) -> Result<String> {
    let mut config = String::new();
    let data = folder.join("data");
    // Without the multiplier, a single node takes ten seconds to elect itself. Without
    // the intervals, a new node waits twenty seconds for its vote.
    writeln!(
        config,
        "storage \"raft\" {{\n  path = {data:?}\n  node_id = \"{name}\""
    )?;
    writeln!(config, "  performance_multiplier = 1")?;
    writeln!(config, "  autopilot_reconcile_interval = \"250ms\"")?;
    writeln!(config, "  autopilot_update_interval = \"250ms\"")?;
    for leader in leaders {
        writeln!(config, "  retry_join {{ leader_api_addr = \"{leader}\" }}")?;
    }
    writeln!(config, "}}")?;

    let options = plan.options;
    let plain = vec!["tls_disable = true".to_owned()];
    write_listener(&mut config, ports.api, ports.cluster, &plain, options)?;
    if let Some(tls) = &options.tls {
        let mut lines = vec![
            format!("tls_cert_file = {:?}", tls.certificate),
            format!("tls_key_file = {:?}", tls.key),
        ];
        if let Some(authority) = &tls.client_authority {
            lines.push(format!("tls_client_ca_file = {authority:?}"));
            lines.push("tls_require_and_verify_client_cert = true".to_owned());
        }
        write_listener(&mut config, ports.tls, ports.tls_cluster, &lines, options)?;
    }

    if options.seal == Seal::Static {
        let key = plan.folder.join("seal.key");
        writeln!(config, "seal \"static\" {{\n  current_key_id = \"test\"")?;
        writeln!(config, "  current_key = \"file://{}\"\n}}", key.display())?;
    }
    // Relative to the node's folder. A node never becomes the leader if the path of an
    // audit device differs from the present leader's.
    writeln!(
        config,
        "audit \"file\" \"file\" {{\n  options {{\n    file_path = \"audit.log\""
    )?;
    writeln!(config, "    log_raw = \"{}\"\n  }}\n}}", options.raw_audit)?;
    writeln!(config, "api_addr = \"{}\"", ports.address())?;
    writeln!(
        config,
        "cluster_addr = \"http://127.0.0.1:{}\"",
        ports.cluster
    )?;
    writeln!(config, "disable_mlock = true")?;
    for line in &options.lines {
        writeln!(config, "{line}")?;
    }
    Ok(config)
}

fn write_listener(
    config: &mut String,
    port: u16,
    cluster: u16,
    lines: &[String],
    options: &ServerOptions,
) -> Result<()> {
    writeln!(
        config,
        "listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\""
    )?;
    writeln!(config, "  cluster_address = \"127.0.0.1:{cluster}\"")?;
    for line in lines.iter().chain(&options.listener_lines) {
        writeln!(config, "  {line}")?;
    }
    writeln!(config, "}}")?;
    Ok(())
}
