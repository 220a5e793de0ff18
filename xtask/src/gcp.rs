//! A fake of Google Cloud's Secret Manager, written for these tests: no emulator
//! keeps to the documented limits, states, checksums and etags.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Running;
use crate::tools::Tools;

const FILES: [(&str, &str); 3] = [
    ("fake.py", include_str!("../gcp_secret_manager_fake.py")),
    ("gcp_federation.py", include_str!("../gcp_federation.py")),
    ("gcp_identity.py", include_str!("../gcp_identity.py")),
];
const BOUND: Duration = Duration::from_secs(60);

/// A fake that runs; it ends when it is dropped.
#[derive(Debug)]
pub struct GcpFake {
    address: String,
    _running: Running,
    _folder: TempDir,
}

/// What a project may do in a window of time.
#[derive(Clone, Copy, Debug)]
pub struct GcpQuotas {
    /// Reads of metadata.
    pub reads: Option<u32>,
    /// Changes.
    pub writes: Option<u32>,
    /// Accesses of payloads.
    pub accesses: Option<u32>,
    /// How long a window is: a minute at Google's.
    pub window: Duration,
}

/// What the fake does wrong, once or more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpFault {
    /// Carries the request out, and hangs up without an answer.
    LoseAnswer,
    /// Says that the token has run out.
    ExpireToken,
    /// Changes a bit of the payload that it answers with.
    DamagePayload,
    /// Refuses with a code of google.rpc.Code, and perhaps a reason.
    Refuse(&'static str, Option<&'static str>),
}

impl GcpFake {
    /// Starts a fake that knows nobody and holds nothing.
    ///
    /// # Errors
    ///
    /// Where Python or its `cryptography` is missing.
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

    /// Makes a service account, and returns its key file.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn key_file(&self, email: &str) -> Result<String> {
        let file = self.steer("key", &json!({"email": email}))?;
        Ok(file.to_string())
    }

    /// Makes a user, and returns the file that `gcloud auth application-default
    /// login` leaves behind for them.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn user_file(&self, client_id: &str) -> Result<Value> {
        self.steer("user", &json!({"client_id": client_id}))
    }

    /// Returns the credentials file of a workload whose own token is at `source`
    /// (a `credential_source`), and which acts as `account` if one is named.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn workload_file(&self, source: &Value, account: Option<&str>) -> Result<Value> {
        self.steer("workload", &json!({"source": source, "account": account}))
    }

    /// Signs a workload's own token, with these claims besides its usual ones.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn subject_token(&self, changes: &Value) -> Result<String> {
        let answer = self.steer("subject-token", changes)?;
        let token = answer["token"].as_str().context("no token")?;
        Ok(token.to_owned())
    }

    /// Gives out a token that has every permission.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn token(&self) -> Result<String> {
        let answer = self.steer("token", &json!({}))?;
        let token = answer["token"].as_str().context("no token")?;
        Ok(token.to_owned())
    }

    /// Allows so many reads, writes and accesses in each of fixed windows of this
    /// length, and no more; `None` for as many as come.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
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

    /// Lets all but an access by number learn so late of what is new.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn lag(&self, by: Duration) -> Result<()> {
        self.steer("lag", &json!({"seconds": by.as_secs_f64()}))?;
        Ok(())
    }

    /// Denies these permissions until that much time has passed.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn grant_after(&self, permissions: &[&str], delay: Duration) -> Result<()> {
        let body = json!({"permissions": permissions, "seconds": delay.as_secs_f64()});
        self.steer("grant-later", &body)?;
        Ok(())
    }

    /// Lets this project alone pay for requests: each must name it.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn expect_quota_project(&self, project: &str) -> Result<()> {
        self.steer("quota-project", &json!({"project": project}))?;
        Ok(())
    }

    /// Denies these permissions, and no others, to everybody.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn deny(&self, permissions: &[&str]) -> Result<()> {
        self.steer("deny", &json!({"permissions": permissions}))?;
        Ok(())
    }

    /// Refuses to let anybody act as another, with this code.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn deny_impersonation(&self, status: &str) -> Result<()> {
        self.steer("deny-impersonation", &json!({"status": status}))?;
        Ok(())
    }

    /// Puts the clock back: what is created from now on is that old already.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn set_clock_behind(&self, by: Duration) -> Result<()> {
        self.steer("clock", &json!({"seconds_behind": by.as_secs()}))?;
        Ok(())
    }

    /// Forgets all tokens that it gave out.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn forget_tokens(&self) -> Result<()> {
        self.steer("forget-tokens", &json!({}))?;
        Ok(())
    }

    /// Deletes the key of a key file: what it has signed and will sign counts for
    /// nothing.
    ///
    /// # Errors
    ///
    /// When it is no key file, or the fake does not answer.
    pub fn delete_key(&self, key_file: &str) -> Result<()> {
        let file: Value = serde_json::from_str(key_file).context("reading a key file")?;
        self.steer("delete-key", &json!({"key": file["private_key_id"]}))?;
        Ok(())
    }

    /// Goes wrong with the next requests of `operation` (`AddSecretVersion`, or
    /// `*` for any).
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn fault(&self, operation: &str, times: u32, fault: GcpFault) -> Result<()> {
        let what = match fault {
            GcpFault::LoseAnswer => json!("lose"),
            GcpFault::ExpireToken => json!("expire"),
            GcpFault::DamagePayload => json!("damage"),
            GcpFault::Refuse(status, reason) => json!({"status": status, "reason": reason}),
        };
        let body = json!({"operation": operation, "times": times, "do": what});
        self.steer("fault", &body)?;
        Ok(())
    }

    /// Does nothing wrong any more.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn clear_faults(&self) -> Result<()> {
        self.steer("clear-faults", &json!({}))?;
        Ok(())
    }

    /// Returns every token that was shown so far.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn tokens(&self) -> Result<Vec<String>> {
        let answer = self.steer("tokens", &json!({}))?;
        let all = answer["tokens"].as_array().context("no tokens")?;
        let text = all.iter().filter_map(Value::as_str);
        Ok(text.map(str::to_owned).collect())
    }

    /// Returns how often a token was asked for by the word of a user, an account
    /// or a workload.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn token_requests(&self) -> Result<u64> {
        let traffic = self.steer("traffic", &json!({}))?;
        traffic["asked"].as_u64().context("no number")
    }

    /// Returns over how many connections the operations so far came.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn connections(&self) -> Result<u64> {
        let traffic = self.steer("traffic", &json!({}))?;
        traffic["connections"].as_u64().context("no number")
    }

    /// Returns the operations so far, and who asked for each.
    ///
    /// # Errors
    ///
    /// When the fake does not answer.
    pub fn requests(&self) -> Result<Vec<(String, String)>> {
        let answer = self.steer("requests", &json!({}))?;
        let all = answer["requests"].as_array().context("no requests")?;
        let text = |value: &Value| value.as_str().unwrap_or("nobody").to_owned();
        let all = all.iter().map(|r| (text(&r["operation"]), text(&r["as"])));
        Ok(all.collect())
    }

    /// Calls the API as somebody else would, with every permission.
    ///
    /// # Errors
    ///
    /// When the fake does not answer. Not for a refusal: the status comes back.
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
