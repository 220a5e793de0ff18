//! Runs moto, an emulator of AWS, behind a strict front.
//!
//! moto 5.2.5 differs from AWS in many points. It accepts payloads and names that AWS
//! rejects. It writes to secrets that are scheduled for deletion, and returns 404 for
//! "not found". It loses staging labels, and keeps versions without labels. It finds
//! secrets by another secret's ARN. It permits every action, KMS key and signature, of
//! any region. It decrypts with KMS keys that are disabled. It lets
//! two concurrent conditional writes of an object win. `moto_front.py` enforces AWS's
//! rules.

mod kms;
mod s3;

pub use kms::{KmsKeyState, NewKmsKey};

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Running;
use crate::tools::Tools;

const FILES: [(&str, &str); 5] = [
    ("end_with_parent.py", include_str!("../end_with_parent.py")),
    ("moto_front.py", include_str!("../moto_front.py")),
    ("moto_kms.py", include_str!("../moto_kms.py")),
    ("moto_s3.py", include_str!("../moto_s3.py")),
    ("moto_access.py", include_str!("../moto_access.py")),
];
const BOUND: Duration = Duration::from_secs(90);

/// A running emulator of Secrets Manager, S3, KMS and STS. It starts empty and without access
/// keys.
#[derive(Debug)]
pub struct Moto {
    _process: Running,
    _folder: TempDir,
    address: String,
    agent: ureq::Agent,
}

/// A fault.
#[derive(Clone, Debug)]
pub struct Fault<'a> {
    /// The action: `PutSecretValue`, or `*` for any.
    pub action: &'a str,
    /// A part of the names of the affected secrets, roles or keys.
    pub name: &'a str,
    /// The HTTP status of the response; 0 closes the connection instead.
    pub status: u16,
    /// AWS's code of the error.
    pub code: &'a str,
    /// AWS's message.
    pub message: &'a str,
    /// The number of affected requests.
    pub times: u32,
    /// Whether each request is still carried out.
    pub carry_out: bool,
}

impl Default for Fault<'_> {
    fn default() -> Self {
        Self {
            action: "*",
            name: "",
            status: 400,
            code: "",
            message: "",
            times: 1,
            carry_out: false,
        }
    }
}

impl Moto {
    /// The only region that it serves, but for KMS.
    pub const REGION: &str = "eu-central-1";

    /// Starts the emulator on a free loopback port.
    ///
    /// # Errors
    ///
    /// If it does not become ready; with its output.
    pub fn start(tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("moto").tempdir();
        let folder = folder.context("creating the emulator's folder")?;
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).context("writing the emulator's front")?;
        }
        let mut command = Command::new(tools.python());
        command
            .arg(folder.path().join("moto_front.py"))
            .arg(folder.path())
            .arg(Self::REGION)
            .env_clear()
            .env("HOME", folder.path())
            // Leaves no files beside the installed packages.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let process = Running::spawn(&mut command)?;
        process.await_output("listening", BOUND)?;
        let port = fs::read_to_string(folder.path().join("port")).context("reading the port")?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(BOUND))
            .http_status_as_error(false)
            .build();
        Ok(Self {
            _process: process,
            _folder: folder,
            address: format!("http://127.0.0.1:{port}"),
            agent: agent.into(),
        })
    }

    /// Returns the endpoint of each service, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Adds an access key.
    ///
    /// # Errors
    ///
    /// If the emulator does not answer.
    pub fn allow_key(&self, id: &str, secret: &str, token: Option<&str>) -> Result<()> {
        self.tell("keys", &json!({"id": id, "secret": secret, "token": token}))
    }

    /// Adds a role that any caller may assume with its external id, if it has one.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn allow_role(&self, arn: &str, external_id: Option<&str>) -> Result<()> {
        self.tell("roles", &json!({"arn": arn, "external_id": external_id}))
    }

    /// Restricts an access key, or a role by its ARN, to `policy`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn attach_policy(&self, principal: &str, policy: &Value) -> Result<()> {
        let attached = json!({"principal": principal, "policy": policy});
        self.tell("policies", &attached)
    }

    /// Denies every request of an access key, or a role by its ARN, for this time.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn grant_after(&self, principal: &str, delay: Duration) -> Result<()> {
        let told = json!({"principal": principal, "seconds": delay.as_secs_f64()});
        self.tell("grant-after", &told)
    }

    /// Keeps versions without labels of the secrets with this part in their names, as AWS does
    /// for a day.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn keep_unlabelled(&self, part: &str) -> Result<()> {
        self.tell("young", &json!({"name": part}))
    }

    /// Delays new secrets for all actions except `CreateSecret`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn lag(&self, by: Duration) -> Result<()> {
        self.tell("lag", &json!({"seconds": by.as_secs_f64()}))
    }

    /// Limits the requests of an action in fixed windows of this length.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn limit(&self, action: &str, requests: u32, window: Duration) -> Result<()> {
        let told = json!({"seconds": window.as_secs_f64(), action: requests});
        self.tell("quotas", &told)
    }

    /// Adds a KMS key with this id, for Secrets Manager only.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn add_kms_key(&self, id: &str) -> Result<()> {
        self.tell("kms-keys", &json!({ "id": id }))
    }

    /// Accepts a web identity token.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn allow_web_identity(&self, token: &str) -> Result<()> {
        self.tell("identities", &json!({ "token": token }))
    }

    /// Expires an access key.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn expire(&self, access_key_id: &str) -> Result<()> {
        self.tell("expired", &json!({ "id": access_key_id }))
    }

    /// Deletes an access key.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn delete_key(&self, access_key_id: &str) -> Result<()> {
        self.tell("no-key", &json!({ "id": access_key_id }))
    }

    /// Adds a fault.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn inject(&self, fault: &Fault<'_>) -> Result<()> {
        let rule = json!({
            "action": fault.action,
            "name": fault.name,
            "status": fault.status,
            "code": fault.code,
            "message": fault.message,
            "times": fault.times,
            "carry_out": fault.carry_out,
        });
        self.tell("rules", &rule)
    }

    /// Removes all faults.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn clear_faults(&self) -> Result<()> {
        self.tell("no-rules", &json!({}))
    }

    /// Returns all requests for secrets or roles with `name` in their name or ARN, each as
    /// `ACTION ACCESS_KEY_ID STATUS`.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn requests(&self, name: &str) -> Result<Vec<String>> {
        let requests = self.ask("requests", name)?;
        serde_json::from_value(requests).context("reading the emulator's requests")
    }

    /// Returns the number of connections of all requests for secrets or roles with `name`
    /// in their name or ARN.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn connections(&self, name: &str) -> Result<u64> {
        let connections = self.ask("connections", name)?;
        connections.as_u64().context("reading their number")
    }

    fn ask(&self, what: &str, name: &str) -> Result<Value> {
        let url = format!("{}/_front/{what}", self.address);
        let answer = self.agent.get(url).query("name", name).call();
        let text = answer?.body_mut().read_to_string()?;
        serde_json::from_str(&text).context("the emulator's answer is JSON")
    }

    /// Returns the secret access keys and session tokens that were issued for roles.
    ///
    /// # Errors
    ///
    /// As [`allow_key`](Self::allow_key).
    pub fn sessions(&self) -> Result<Vec<(String, String)>> {
        let url = format!("{}/_front/sessions", self.address);
        let text = self.agent.get(url).call()?.body_mut().read_to_string()?;
        serde_json::from_str(&text).context("reading the emulator's sessions")
    }

    fn tell(&self, what: &str, content: &Value) -> Result<()> {
        self.command(what, content).map(drop)
    }

    fn command(&self, what: &str, content: &Value) -> Result<Value> {
        let url = format!("{}/_front/{what}", self.address);
        let answer = self.agent.post(url).send(content.to_string());
        let mut answer = answer.with_context(|| format!("telling the emulator: {what}"))?;
        ensure!(answer.status() == 200, "the emulator took no {what}");
        let text = answer.body_mut().read_to_string()?;
        serde_json::from_str(&text).context("the emulator's answer is JSON")
    }
}

#[cfg(test)]
mod tests;
