//! Runs a fake of Google Cloud's Secret Manager and Cloud KMS. No emulator follows the
//! documented limits, states, checksums and etags.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Running;
use crate::tools::Tools;

const FILES: [(&str, &str); 6] = [
    ("end_with_parent.py", include_str!("../end_with_parent.py")),
    ("fake.py", include_str!("../gcp_secret_manager_fake.py")),
    ("gcp_federation.py", include_str!("../gcp_federation.py")),
    ("gcp_identity.py", include_str!("../gcp_identity.py")),
    ("gcp_kms_fake.py", include_str!("../gcp_kms_fake.py")),
    ("gcp_status.py", include_str!("../gcp_status.py")),
];
const BOUND: Duration = Duration::from_secs(60);

/// A running fake. It ends on drop.
#[derive(Debug)]
pub struct GcpFake {
    address: String,
    _running: Running,
    _folder: TempDir,
}

/// The quotas of a project in a window of time.
#[derive(Clone, Copy, Debug)]
pub struct GcpQuotas {
    /// Reads of metadata.
    pub reads: Option<u32>,
    /// Changes.
    pub writes: Option<u32>,
    /// Accesses of payloads.
    pub accesses: Option<u32>,
    /// The length of a window. Google's is a minute.
    pub window: Duration,
}

/// A fault of the fake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpFault {
    /// Carries out the request, and closes the connection without a response.
    LoseAnswer,
    /// Reports an expired token.
    ExpireToken,
    /// Flips a bit of the returned payload, ciphertext or plaintext.
    DamagePayload,
    /// Confirms no checksum of an encryption.
    ConfirmNothing,
    /// Returns a code of google.rpc.Code, optionally with a reason.
    Refuse(&'static str, Option<&'static str>),
}

impl GcpFake {
    /// Starts an empty fake without accounts.
    ///
    /// # Errors
    ///
    /// If Python or its `cryptography` is missing.
    pub fn start(tools: &Tools) -> Result<Self> {
        let folder = tempfile::tempdir().context("creating a fake's folder")?;
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).context("writing a fake's script")?;
        }
        let mut command = Command::new(tools.python());
        command.current_dir(folder.path()).arg("fake.py");
        let running = Running::spawn(&mut command)?;
        running.await_output("listening", BOUND)?;
        let address = fs::read_to_string(folder.path().join("address"));
        let address = address.context("reading a fake's address")?;
        Ok(Self {
            address,
            _running: running,
            _folder: folder,
        })
    }

    /// Returns the address, as `http://127.0.0.1:…`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates a service account, and returns its key file.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn key_file(&self, email: &str) -> Result<String> {
        let file = self.steer("key", &json!({"email": email}))?;
        Ok(file.to_string())
    }

    /// Creates a user, and returns the file that `gcloud auth application-default login`
    /// writes.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn user_file(&self, client_id: &str) -> Result<Value> {
        self.steer("user", &json!({"client_id": client_id}))
    }

    /// Returns the credentials file of a workload with its token at `source` (a
    /// `credential_source`). The workload impersonates `account` if one is given.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn workload_file(&self, source: &Value, account: Option<&str>) -> Result<Value> {
        self.steer("workload", &json!({"source": source, "account": account}))
    }

    /// Signs a workload's token with the default claims and these.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn subject_token(&self, changes: &Value) -> Result<String> {
        let answer = self.steer("subject-token", changes)?;
        let token = answer["token"].as_str().context("no token")?;
        Ok(token.to_owned())
    }

    /// Issues a token with every permission.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn token(&self) -> Result<String> {
        let answer = self.steer("token", &json!({}))?;
        let token = answer["token"].as_str().context("no token")?;
        Ok(token.to_owned())
    }

    /// Limits reads, writes and accesses in fixed windows of this length; `None` for no
    /// limit.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn limit(&self, quotas: &GcpQuotas) -> Result<()> {
        let body = json!({
            "reads": quotas.reads,
            "writes": quotas.writes,
            "accesses": quotas.accesses,
            "seconds": quotas.window.as_secs_f64(),
        });
        self.steer("quotas", &body)?;
        Ok(())
    }

    /// Delays new resources for everything except an access by number.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn lag(&self, by: Duration) -> Result<()> {
        self.steer("lag", &json!({"seconds": by.as_secs_f64()}))?;
        Ok(())
    }

    /// Denies these permissions for this time.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn grant_after(&self, permissions: &[&str], delay: Duration) -> Result<()> {
        let body = json!({"permissions": permissions, "seconds": delay.as_secs_f64()});
        self.steer("grant-later", &body)?;
        Ok(())
    }

    /// Requires each request to name this project as its quota project.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn expect_quota_project(&self, project: &str) -> Result<()> {
        self.steer("quota-project", &json!({"project": project}))?;
        Ok(())
    }

    /// Denies exactly these permissions to all callers.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn deny(&self, permissions: &[&str]) -> Result<()> {
        self.steer("deny", &json!({"permissions": permissions}))?;
        Ok(())
    }

    /// Denies all impersonation with this code.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn deny_impersonation(&self, status: &str) -> Result<()> {
        self.steer("deny-impersonation", &json!({"status": status}))?;
        Ok(())
    }

    /// Sets the clock back, so that new resources have this age.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn set_clock_behind(&self, by: Duration) -> Result<()> {
        self.steer("clock", &json!({"seconds_behind": by.as_secs()}))?;
        Ok(())
    }

    /// Invalidates all issued tokens.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn forget_tokens(&self) -> Result<()> {
        self.steer("forget-tokens", &json!({}))?;
        Ok(())
    }

    /// Deletes the key of a key file, which invalidates all its signatures.
    ///
    /// # Errors
    ///
    /// If it is not a key file, or the fake does not answer.
    pub fn delete_key(&self, key_file: &str) -> Result<()> {
        let file: Value = serde_json::from_str(key_file).context("reading a key file")?;
        self.steer("delete-key", &json!({"key": file["private_key_id"]}))?;
        Ok(())
    }

    /// Injects a fault into the next requests of `operation` (`AddSecretVersion`, or `*`
    /// for any).
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn fault(&self, operation: &str, times: u32, fault: GcpFault) -> Result<()> {
        let what = match fault {
            GcpFault::LoseAnswer => json!("lose"),
            GcpFault::ExpireToken => json!("expire"),
            GcpFault::DamagePayload => json!("damage"),
            GcpFault::ConfirmNothing => json!("unverified"),
            GcpFault::Refuse(status, reason) => json!({"status": status, "reason": reason}),
        };
        let body = json!({"operation": operation, "times": times, "do": what});
        self.steer("fault", &body)?;
        Ok(())
    }

    /// Removes all faults.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn clear_faults(&self) -> Result<()> {
        self.steer("clear-faults", &json!({}))?;
        Ok(())
    }

    /// Destroys all versions of keys that are scheduled for destruction, as Google does
    /// after 30 days.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn end_destruction(&self) -> Result<()> {
        self.steer("end-destruction", &json!({}))?;
        Ok(())
    }

    /// Makes a key one that has imported material only.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn make_import_only(&self, key: &str) -> Result<()> {
        self.steer("import-only", &json!({"key": key}))?;
        Ok(())
    }

    /// Returns every token that requests presented.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn tokens(&self) -> Result<Vec<String>> {
        let answer = self.steer("tokens", &json!({}))?;
        let all = answer["tokens"].as_array().context("no tokens")?;
        let text = all.iter().filter_map(Value::as_str);
        Ok(text.map(str::to_owned).collect())
    }

    /// Returns the number of token requests by users, accounts and workloads.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn token_requests(&self) -> Result<u64> {
        let traffic = self.steer("traffic", &json!({}))?;
        traffic["asked"].as_u64().context("no number")
    }

    /// Returns the number of connections of all operations.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn connections(&self) -> Result<u64> {
        let traffic = self.steer("traffic", &json!({}))?;
        traffic["connections"].as_u64().context("no number")
    }

    /// Returns all operations with their callers.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn requests(&self) -> Result<Vec<(String, String)>> {
        let answer = self.steer("requests", &json!({}))?;
        let all = answer["requests"].as_array().context("no requests")?;
        let text = |value: &Value| value.as_str().unwrap_or("nobody").to_owned();
        let all = all.iter().map(|r| (text(&r["operation"]), text(&r["as"])));
        Ok(all.collect())
    }

    /// Calls the API as another user with every permission.
    ///
    /// # Errors
    ///
    /// If the fake does not answer. An error status is returned as a value.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let token = format!("Bearer {}", self.token()?);
        self.send(method, &format!("/v1/{path}"), body, Some(&token))
    }

    fn steer(&self, what: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.send("POST", &format!("/fake/{what}"), body, None)?;
        ensure!(status == 200, "{what}: {status} {answer}");
        Ok(answer)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        authorization: Option<&str>,
    ) -> Result<(u16, Value)> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(BOUND))
            .build()
            .new_agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("content-type", "application/json");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = if method == "GET" {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = request.body(body).context("making a request")?;
        let mut response = agent.run(request).context("asking the fake")?;
        let status = response.status().as_u16();
        let text = response.body_mut().read_to_string();
        let text = text.context("reading the fake's answer")?;
        let answer = serde_json::from_str(&text).context("the fake's answer is no JSON")?;
        Ok((status, answer))
    }
}

#[cfg(test)]
mod tests;
