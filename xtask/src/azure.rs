//! Runs a fake of Azure Key Vault and of the authority that issues its tokens, since no
//! emulator exists. `azure_vault.py`, `azure_keys.py` and `azure_authority.py` enforce the
//! rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use crate::process::Running;
use crate::tools::Tools;

const SCRIPTS: [(&str, &str); 6] = [
    ("azure_fake.py", include_str!("../azure_fake.py")),
    ("azure_authority.py", include_str!("../azure_authority.py")),
    (
        "azure_certificate.py",
        include_str!("../azure_certificate.py"),
    ),
    ("azure_keys.py", include_str!("../azure_keys.py")),
    ("azure_vault.py", include_str!("../azure_vault.py")),
    ("end_with_parent.py", include_str!("../end_with_parent.py")),
];
const BOUND: Duration = Duration::from_secs(60);

/// The credentials that the fake accepts.
#[derive(Clone)]
pub struct AzureFakeOptions {
    /// The application's secret.
    pub client_secret: String,
    /// The token of a workload identity that the application trusts.
    pub assertion: String,
    /// The bearer token for GitHub's token endpoint.
    pub actions_token: String,
    /// The header value for an App Service's identity endpoint.
    pub identity_header: String,
    /// The managed identity's client id; empty for a machine without one.
    pub managed_client_id: String,
}

impl std::fmt::Debug for AzureFakeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AzureFakeOptions(redacted)")
    }
}

impl Default for AzureFakeOptions {
    fn default() -> Self {
        Self {
            client_secret: "fake~client~secret".to_owned(),
            assertion: "fake.federated.token".to_owned(),
            actions_token: "fake-actions-token".to_owned(),
            identity_header: "fake-identity-header".to_owned(),
            managed_client_id: "33333333-0000-4000-8000-000000000003".to_owned(),
        }
    }
}

/// A request to the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultRequest {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The status of the response, which may have been lost.
    pub status: u16,
    /// Whether the request had a token.
    pub authenticated: bool,
}

/// A running fake. Its process ends on drop.
#[derive(Debug)]
pub struct AzureFake {
    folder: TempDir,
    agent: Agent,
    https: u16,
    http: u16,
    options: AzureFakeOptions,
    _process: Running,
}

impl AzureFake {
    /// The tenant of the vault and of the application.
    pub const TENANT: &str = "11111111-0000-4000-8000-000000000001";
    /// Another tenant, which contains the application and not the vault.
    pub const OTHER_TENANT: &str = "99999999-0000-4000-8000-000000000009";
    /// The application.
    pub const CLIENT: &str = "22222222-0000-4000-8000-000000000002";

    /// Starts a fake with an empty vault.
    ///
    /// # Errors
    ///
    /// If it does not become ready.
    pub fn start(tools: &Tools, options: AzureFakeOptions) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("azure").tempdir();
        let folder = folder.context("creating a fake's folder")?;
        let write = |name: &str, content: &str| {
            fs::write(folder.path().join(name), content).with_context(|| format!("writing {name}"))
        };
        for (name, script) in SCRIPTS {
            write(name, script)?;
        }
        let known = json!({
            "tenant_id": Self::TENANT,
            "other_tenant_id": Self::OTHER_TENANT,
            "client_id": Self::CLIENT,
            "client_secret": options.client_secret,
            "assertion": options.assertion,
            "actions_token": options.actions_token,
            "identity_header": options.identity_header,
            "managed_client_id": options.managed_client_id,
        });
        write("options.json", &known.to_string())?;
        let mut command = Command::new(tools.python());
        command
            .arg(folder.path().join("azure_fake.py"))
            .arg(folder.path());
        let process = Running::spawn(&mut command)?;
        process.await_output("ready\n", BOUND)?;
        let ports = fs::read(folder.path().join("ports.json")).context("reading the ports")?;
        let ports: Value = serde_json::from_slice(&ports).context("parsing the ports")?;
        let port = |name: &str| {
            let number = ports[name].as_u64().and_then(|n| u16::try_from(n).ok());
            number.with_context(|| format!("the port of {name}"))
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(BOUND))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self {
            agent: agent.into(),
            https: port("https")?,
            http: port("http")?,
            folder,
            options,
            _process: process,
        })
    }

    /// Returns the address of the vault and of the authority.
    #[must_use]
    pub fn vault_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.https)
    }

    /// Returns the port of the vault.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.https
    }

    /// Returns the address of the identity endpoints: an App Service's `/msi/token`, a
    /// virtual machine's metadata, GitHub's `/actions/id-token`.
    #[must_use]
    pub fn machine_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// Returns the file of the certificate authority of the fake.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the certificate authority in PEM.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn ca_pem(&self) -> Result<String> {
        fs::read_to_string(self.ca_file()).context("reading the fake's authority")
    }

    /// Returns the folder with the fake's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the credentials that the fake accepts.
    #[must_use]
    pub fn options(&self) -> &AzureFakeOptions {
        &self.options
    }

    /// Changes the fake's behavior; see `control` in its script.
    ///
    /// # Errors
    ///
    /// If the fake rejects a key.
    pub fn control(&self, settings: &Value) -> Result<()> {
        self.call("control", settings).map(drop)
    }

    /// Grants exactly these of `purge` and `recover` to all callers. At the start neither
    /// is granted.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn grant(&self, permissions: &[&str]) -> Result<()> {
        self.control(&json!({"grant": permissions}))
    }

    /// Adds a client secret to the application.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn add_client_secret(&self, secret: &str) -> Result<()> {
        let body = json!({"add": [secret], "remove": []});
        self.call("control/client-secrets", &body).map(drop)
    }

    /// Removes a client secret from the application.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn remove_client_secret(&self, secret: &str) -> Result<()> {
        let body = json!({"add": [], "remove": [secret]});
        self.call("control/client-secrets", &body).map(drop)
    }

    /// Invalidates all issued tokens.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn expire_tokens(&self) -> Result<()> {
        self.call("control/expire-tokens", &json!({})).map(drop)
    }

    /// Returns a token of a logged-in user.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn issue_token(&self) -> Result<String> {
        let answer = self.call("control/issue-token", &json!({}))?;
        Ok(answer["token"].as_str().context("a token")?.to_owned())
    }

    /// Sets a secret as another authorized user, and returns its version.
    ///
    /// # Errors
    ///
    /// If the vault refuses it.
    pub fn set_secret(&self, name: &str, value: &str, tags: &Value) -> Result<String> {
        let body = json!({"name": name, "value": value, "tags": tags});
        let answer = self.call("control/secret", &body)?;
        let id = answer["id"].as_str().context("a secret has an id")?;
        let version = id.rsplit('/').next().context("an id has a version")?;
        Ok(version.to_owned())
    }

    /// Removes a secret permanently as another authorized user.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn remove_secret(&self, name: &str) -> Result<()> {
        let body = json!({"name": name});
        self.call("control/remove", &body).map(drop)
    }

    /// Disables or enables a version as another authorized user.
    ///
    /// # Errors
    ///
    /// If there is no such secret.
    pub fn set_enabled(&self, name: &str, version: &str, enabled: bool) -> Result<()> {
        let body = json!({"name": name, "version": version, "enabled": enabled});
        self.call("control/disable", &body).map(drop)
    }

    /// Sends a request about keys as their administrator, such as `POST keys/name/create`.
    ///
    /// # Errors
    ///
    /// If the vault refuses it.
    pub fn key(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = json!({"method": method, "path": path, "body": body, "base": self.vault_url()});
        self.call("control/key", &body)
    }

    /// Returns the fake's whole state: `secrets`, `deleted`, `requests`, `tokens_issued`,
    /// `tokens`, `machine_requests`.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn state(&self) -> Result<Value> {
        self.call("control/state", &json!({}))
    }

    /// Returns all requests to the vault.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn requests(&self) -> Result<Vec<VaultRequest>> {
        let state = self.state()?;
        let requests = state["requests"].as_array().context("a list of requests")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(requests
            .iter()
            .map(|request| VaultRequest {
                method: text(&request["method"]),
                path: text(&request["path"]),
                status: request["status"]
                    .as_u64()
                    .and_then(|status| u16::try_from(status).ok())
                    .unwrap_or_default(),
                authenticated: request["authenticated"] == true,
            })
            .collect())
    }

    /// Returns the number of issued tokens.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn tokens_issued(&self) -> Result<u64> {
        let state = self.state()?;
        state["tokens_issued"].as_u64().context("a number")
    }

    /// Returns the valid tokens.
    ///
    /// # Errors
    ///
    /// If the fake does not answer.
    pub fn tokens(&self) -> Result<Vec<String>> {
        let state = self.state()?;
        let tokens = state["tokens"].as_array().context("a list of tokens")?;
        let text = tokens.iter().filter_map(Value::as_str);
        Ok(text.map(str::to_owned).collect())
    }

    fn call(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/{path}", self.machine_url());
        let mut answer = self
            .agent
            .post(&url)
            .send(body.to_string())
            .with_context(|| format!("calling the fake's {path}"))?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().context("its answer")?;
        if status == 204 {
            return Ok(Value::Null);
        }
        ensure!(status == 200, "the fake's {path}: {status} {text}");
        serde_json::from_str(&text).context("its answer is JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fake_starts_says_where_it_is_and_ends() {
        let tools = Tools::locate().expect("tools");
        let fake = AzureFake::start(&tools, AzureFakeOptions::default()).expect("starts");
        assert!(fake.vault_url().starts_with("https://127.0.0.1:"));
        assert!(fake.ca_pem().expect("a file").contains("BEGIN CERTIFICATE"));
        let version = fake.set_secret("name", "value", &json!({})).expect("set");
        assert_eq!(version.len(), 32);
        let state = fake.state().expect("state");
        assert_eq!(state["secrets"]["name"][0]["value"], "value");
        let oversized = "x".repeat(25_601);
        fake.set_secret("large", &oversized, &json!({}))
            .expect_err("the vendor's limit");
        fake.set_secret("a_b", "value", &json!({}))
            .expect_err("the vendor's rules for names");
        fake.control(&json!({"nonsense": 1}))
            .expect_err("an unknown setting");
        let url = fake.machine_url();
        drop(fake);
        ureq::get(&format!("{url}/control/state"))
            .call()
            .expect_err("nobody is there any more");
    }
}
