//! Runs a test in a process of its own, because a store reads its environment.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use futures_util::future::join_all;
use planton_core::store::{RemoteName, SecretStore, StoreCredential};
use serde_json::{Value, json};

use super::{PAYLOAD, open, settings_of, shown, version};

const PART: &str = "PLANTON_TEST_AWS_CHILD";
/// The test harness prints no newline before a test's own output.
const MARK: &str = "child says: ";

/// A test that runs again as a child process, with an environment of its own.
pub(crate) struct Stage {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

/// Returns true in the child, after it has put a version. For each line that it receives,
/// it reads the version as often as the line says, concurrently.
pub(crate) async fn played_childs_part() -> bool {
    let Ok(part) = env::var(PART) else {
        return false;
    };
    let part: Value = serde_json::from_str(&part).unwrap();
    let configuration = serde_json::from_value(part["settings"].clone()).unwrap();
    let credential: BTreeMap<String, String> =
        serde_json::from_value(part["credential"].clone()).unwrap();
    let credential: StoreCredential = credential
        .into_iter()
        .map(|(name, value)| (name, value.as_str().into()))
        .collect();
    let store = open(&settings_of(configuration), &credential).unwrap();
    let name = RemoteName::new(part["name"].as_str().unwrap().to_owned());
    let id = match store.put(&name, PAYLOAD, version(1, &[])).await {
        Ok(id) => id,
        Err(error) => {
            let kind = format!("{:?}", error.kind());
            say(&json!({
                "kind": kind,
                "path": error.path(),
                "setting": error.setting(),
                "shown": shown(&error),
                "requests": store.requests(),
            }));
            return true;
        }
    };
    say(&json!({"put": id.as_str(), "requests": store.requests()}));
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let times: usize = line.strip_prefix("get ").unwrap().parse().unwrap();
        let before = store.requests();
        let reads = join_all((0..times).map(|_| store.get(&name, &id))).await;
        let requests = store.requests() - before;
        let read: Result<Vec<_>, _> = reads.into_iter().collect();
        match read {
            Ok(payloads) => {
                assert!(payloads.iter().all(|payload| payload == PAYLOAD));
                say(&json!({"got": true, "requests": requests}));
            }
            Err(error) => {
                say(&json!({"kind": format!("{:?}", error.kind()), "shown": shown(&error)}))
            }
        }
    }
    true
}

fn say(what: &Value) {
    println!("\n{MARK}{what}");
}

impl Stage {
    /// Runs `test` as a child with this environment only.
    pub(crate) fn open(
        test: &str,
        name: &RemoteName,
        settings: &Value,
        credential: &Value,
        environment: &[(&str, &str)],
    ) -> Self {
        let part = json!({"name": name, "settings": settings, "credential": credential});
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .env(PART, part.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// Returns the child's next line.
    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "the child ended early"
            );
            if let Some(said) = line.trim().strip_prefix(MARK) {
                return serde_json::from_str(said).unwrap();
            }
        }
    }

    pub(crate) fn get(&mut self) -> Value {
        self.get_many(1)
    }

    /// Lets the child read this many times concurrently.
    pub(crate) fn get_many(&mut self, times: usize) -> Value {
        writeln!(self.input, "get {times}").unwrap();
        self.hear()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // These fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
