//! Starts `bao` on free loopback ports, and stops it on drop.

use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use planton_vendors::http::{HttpSettings, Roots};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::admin::Admin;

/// An unsealed server of one node, with a root token.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) root_token: String,
    _node: Node,
    _folder: TempDir,
}

/// Three nodes. The first one is the leader.
pub(crate) struct Cluster {
    pub(crate) addresses: Vec<String>,
    pub(crate) root_token: String,
    _nodes: Vec<Node>,
    _folder: TempDir,
}

/// Further settings of a server's listener.
pub(crate) struct Listener {
    pub(crate) scheme: &'static str,
    pub(crate) text: String,
    pub(crate) trust: HttpSettings,
}

impl Server {
    /// Returns the server that tests share. It ends with the last test that uses it.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&server);
        server
    }

    pub(crate) async fn start() -> Self {
        Self::with_listener(&Listener {
            scheme: "http",
            text: "tls_disable = true".to_owned(),
            trust: HttpSettings {
                roots: Roots::Nobody,
                ..HttpSettings::default()
            },
        })
        .await
    }

    pub(crate) async fn with_listener(listener: &Listener) -> Self {
        let folder = folder();
        let ports = free_ports(2);
        let address = format!("{}://127.0.0.1:{}", listener.scheme, ports[0]);
        let node = Node::start(folder.path(), 1, &ports, &[], &address, &listener.text);
        let root_token = initialize(&address, listener.trust.clone()).await;
        Self {
            address,
            root_token,
            _node: node,
            _folder: folder,
        }
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(&self.address, &self.root_token)
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let folder = folder();
        let ports = free_ports(6);
        let addresses: Vec<_> = (0..3)
            .map(|i| format!("http://127.0.0.1:{}", ports[2 * i]))
            .collect();
        let nodes = addresses
            .iter()
            .enumerate()
            .map(|(i, address)| {
                let ports = &ports[2 * i..];
                Node::start(
                    folder.path(),
                    i + 1,
                    ports,
                    &addresses,
                    address,
                    "tls_disable = true",
                )
            })
            .collect();
        let trust = HttpSettings {
            roots: Roots::Nobody,
            ..HttpSettings::default()
        };
        let root_token = initialize(&addresses[0], trust.clone()).await;
        for standby in &addresses[1..] {
            await_health(
                &Admin::with_settings(standby, "none", trust.clone()),
                "standby",
            )
            .await;
        }
        Self {
            addresses,
            root_token,
            _nodes: nodes,
            _folder: folder,
        }
    }
}

/// A running process.
struct Node(Child);

impl Node {
    fn start(
        folder: &Path,
        number: usize,
        ports: &[u16],
        peers: &[String],
        address: &str,
        listener: &str,
    ) -> Self {
        let data = folder.join(format!("data{number}"));
        std::fs::create_dir(&data).unwrap();
        let joins = peers.iter().fold(String::new(), |mut text, peer| {
            writeln!(text, "retry_join {{ leader_api_addr = {peer:?} }}").unwrap();
            text
        });
        let config = format!(
            "storage \"raft\" {{\n path = {data:?}\n node_id = \"n{number}\"\n \
             performance_multiplier = 1\n {joins}\n}}\n\
             listener \"tcp\" {{\n address = \"127.0.0.1:{}\"\n \
             cluster_address = \"127.0.0.1:{}\"\n {listener}\n}}\n\
             api_addr = {address:?}\ncluster_addr = \"https://127.0.0.1:{}\"\n\
             seal \"static\" {{\n current_key_id = \"k\"\n \
             current_key = \"file://{}\"\n}}\ndisable_mlock = true\n",
            ports[0],
            ports[1],
            ports[1],
            folder.join("key").display(),
        );
        let path = folder.join(format!("{number}.hcl"));
        std::fs::write(&path, config).unwrap();
        let log = File::create(folder.join(format!("{number}.log"))).unwrap();
        let child = Command::new(binary())
            .arg("server")
            .arg(format!("-config={}", path.display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A failure of the cleanup must not fail a test.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn binary() -> PathBuf {
    std::env::var_os("PLANTON_TEST_BAO")
        .map(PathBuf::from)
        .expect("PLANTON_TEST_BAO names no server: run the tests with `cargo xtask test`")
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut key = [0; 32];
    getrandom::fill(&mut key).unwrap();
    std::fs::write(folder.path().join("key"), key).unwrap();
    folder
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

async fn initialize(address: &str, trust: HttpSettings) -> String {
    let admin = Admin::with_settings(address, "none", trust);
    await_health(&admin, "uninitialized").await;
    let body = r#"{"recovery_shares":1,"recovery_threshold":1}"#;
    let answer = admin.ok("POST", "sys/init", body).await;
    let token = answer["root_token"].as_str().unwrap().to_owned();
    await_health(&admin, "active").await;
    token
}

/// Waits until a node reports this state.
async fn await_health(admin: &Admin, state: &str) {
    let started = Instant::now();
    loop {
        // Maps each state to a status without retries.
        let path = "sys/health?sealedcode=299&uninitcode=298&standbycode=297";
        let (status, answer) = admin.call("GET", path, "").await;
        let now = match status {
            200 => "active",
            297 if answer["standby"] == Value::Bool(true) => "standby",
            298 => "uninitialized",
            _ => "sealed",
        };
        if now == state {
            return;
        }
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(60),
            "{}: {now}, not {state}",
            admin.address
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
