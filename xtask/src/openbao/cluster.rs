//! A cluster of servers that replicate by Raft.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use super::api::Api;
use super::node::{self, Node, Plan, Ports};
use super::{BOUND, Seal, ServerOptions};
use crate::tools::Tools;

const MAX_STARTS: usize = 5;
const POLL: Duration = Duration::from_millis(50);

/// Servers of one Raft cluster, all of them voters.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    root_token: String,
    folder: TempDir,
}

impl Cluster {
    /// Starts `size` servers, and waits until each has a vote. Before that, the loss of
    /// one server may lose the quorum.
    ///
    /// # Errors
    ///
    /// If they do not form a cluster.
    pub fn start(tools: &Tools, size: usize, options: &ServerOptions) -> Result<Self> {
        let mut starts = 1;
        loop {
            match Self::try_start(tools, size, options) {
                Err(error) if starts < MAX_STARTS && node::port_was_taken(&error) => starts += 1,
                result => return result,
            }
        }
    }

    fn try_start(tools: &Tools, size: usize, options: &ServerOptions) -> Result<Self> {
        ensure!(options.seal == Seal::Static, "nobody unseals a cluster");
        let folder = node::folder()?;
        let bao = options.release.binary(tools)?;
        let plan = Plan {
            bao: &bao,
            folder: folder.path(),
            options,
        };
        let ports = (0..size)
            .map(|_| Ports::choose())
            .collect::<Result<Vec<_>>>()?;
        let addresses: Vec<String> = ports.iter().map(|ports| ports.address()).collect();
        let start = |(index, ports): (usize, &Ports)| {
            let name = format!("node{index}");
            Node::start_at(&plan, &name, *ports, |_| addresses.clone())
        };
        let first = start((0, ports.first().context("a cluster has a node")?))?;
        let root_token = first.initialize(options.seal)?;
        first.await_active(BOUND)?;
        let mut cluster = Self {
            nodes: vec![first],
            root_token,
            folder,
        };
        let plan = Plan {
            bao: &bao,
            folder: cluster.folder.path(),
            options,
        };
        for (index, ports) in ports.iter().enumerate().skip(1) {
            let name = format!("node{index}");
            let node = Node::start_at(&plan, &name, *ports, |_| addresses.clone())?;
            cluster.nodes.push(node);
        }
        for node in &cluster.nodes {
            node.await_unsealed(BOUND)?;
        }
        cluster.await_voters(size)?;
        Ok(cluster)
    }

    /// Returns the addresses of all servers, including stopped ones.
    #[must_use]
    pub fn addresses(&self) -> Vec<&str> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// Returns the root token.
    #[must_use]
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// Returns the API of one server with the root token.
    #[must_use]
    pub fn api(&self, index: usize) -> Api {
        Api::new(self.nodes[index].address(), &self.root_token)
    }

    /// Returns the folder with all servers' storage, logs and seal key.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the audit logs of all servers.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    pub fn audit_log(&self) -> Result<String> {
        self.nodes.iter().map(Node::audit_log).collect()
    }

    /// Waits until a server leads, and returns its index.
    ///
    /// # Errors
    ///
    /// If no server becomes the leader.
    pub fn await_leader(&self) -> Result<usize> {
        self.await_that("a leader", || {
            self.nodes.iter().position(|node| {
                let health = node.health();
                health.is_some_and(|h| h["sealed"] == false && h["standby"] == false)
            })
        })
    }

    /// Returns the index of a running standby.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn await_standby(&self) -> Result<usize> {
        self.await_that("a standby", || {
            self.nodes.iter().position(|node| {
                let health = node.health();
                health.is_some_and(|h| h["sealed"] == false && h["standby"] == true)
            })
        })
    }

    /// Waits until `count` servers have a vote.
    ///
    /// # Errors
    ///
    /// If they do not get it.
    pub fn await_voters(&self, count: usize) -> Result<()> {
        self.await_that("all voters", || {
            let leader = self.nodes.iter().find(|node| node.pid().is_some())?;
            let api = Api::new(leader.address(), &self.root_token);
            let answer = api.ok("GET", "sys/storage/raft/configuration", None).ok()?;
            let servers = answer.pointer("/data/config/servers")?.as_array()?;
            let voters = servers.iter().filter(|server| server["voter"] == true);
            (voters.count() == count).then_some(())
        })
    }

    /// Kills the leader as in a power failure, and returns its index.
    ///
    /// # Errors
    ///
    /// If there is no leader.
    pub fn kill_leader(&mut self) -> Result<usize> {
        let leader = self.await_leader()?;
        self.nodes[leader].kill();
        Ok(leader)
    }

    /// Stops a server as an operator would.
    ///
    /// # Errors
    ///
    /// If it does not end. Then it is killed.
    pub fn stop(&mut self, index: usize) -> Result<()> {
        self.nodes[index].stop()
    }

    /// Starts a stopped server again, and waits until it is unsealed.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn restart(&mut self, index: usize) -> Result<()> {
        self.nodes[index].restart()?;
        self.nodes[index].await_unsealed(BOUND)
    }

    fn await_that<T>(&self, what: &str, mut is_there: impl FnMut() -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + BOUND;
        loop {
            if let Some(found) = is_there() {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let logs = self.nodes.iter().map(Node::end_of_log);
                let logs = logs.collect::<Vec<_>>().join("\n---\n");
                bail!("no {what} among {:?}:\n{logs}", self.addresses());
            }
            // The servers send no notification, so they are polled.
            thread::sleep(POLL);
        }
    }
}
