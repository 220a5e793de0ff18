//! The part of the server's HTTP API that tests need.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::http::Request;

use super::BOUND;

/// A server's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, or null if it is empty.
    pub body: Value,
}

/// The two key-value engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvVersion {
    /// Version 1, without versions.
    V1,
    /// Version 2, with versions and metadata.
    V2,
}

/// The credentials of an AppRole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRole {
    /// The role's identifier.
    pub role_id: String,
    /// The secret identifier.
    pub secret_id: String,
}

/// A client of one server with one token.
#[derive(Clone, Debug)]
pub struct Api {
    agent: Agent,
    address: String,
    token: String,
    namespace: Option<String>,
}

impl Api {
    /// Returns a client of the plain listener at `address`.
    #[must_use]
    pub fn new(address: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(BOUND))
            .timeout_connect(Some(Duration::from_secs(5)))
            // The servers are on loopback, so the environment's proxy does not apply.
            .proxy(None)
            .build();
        Self {
            agent: config.into(),
            address: address.to_owned(),
            token: token.to_owned(),
            namespace: None,
        }
    }

    /// Returns a client of the same server with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// Returns a client of the same server in a namespace.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self.clone()
        }
    }

    /// Returns the server's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Calls `method` on `/v1/{path}`; `path` may have a query.
    ///
    /// # Errors
    ///
    /// If there is no response, or it is not JSON. An error status is not an error.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let text = body.map(Value::to_string);
        let (status, body) = self.send(method, path, text.as_deref().map(str::as_bytes))?;
        let body = if body.trim_ascii().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)
                .with_context(|| format!("{method} {}/v1/{path}", self.address))?
        };
        Ok(Answer { status, body })
    }

    /// Calls `method` on `/v1/{path}`, and returns the status and the body as they are.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<(u16, Vec<u8>)> {
        let what = || format!("{method} {}/v1/{path}", self.address);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address));
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if method == "PATCH" {
            request = request.header("Content-Type", "application/merge-patch+json");
        }
        let response = match body {
            Some(body) => {
                let request = request.body(body).with_context(what)?;
                self.agent.run(request)
            }
            None => {
                let request = request.body(()).with_context(what)?;
                self.agent.run(request)
            }
        };
        let mut response = response.with_context(what)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30);
        Ok((status, body.read_to_vec().with_context(what)?))
    }

    /// Sends a request, and returns the body of a 2xx response.
    ///
    /// # Errors
    ///
    /// For any other status, with the server's messages.
    pub fn ok(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.call(method, path, body)?;
        ensure!(
            (200..300).contains(&answer.status),
            "{method} {path} gave {}: {}",
            answer.status,
            answer.body["errors"]
        );
        Ok(answer.body)
    }

    /// Creates a namespace.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn create_namespace(&self, name: &str) -> Result<()> {
        self.ok("PUT", &format!("sys/namespaces/{name}"), Some(&json!({})))
            .map(drop)
    }

    /// Mounts a key-value engine, and waits until it serves. A new version 2 mount rejects
    /// requests while it upgrades itself.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn enable_kv(&self, mount: &str, version: KvVersion) -> Result<()> {
        let version = if version == KvVersion::V1 { "1" } else { "2" };
        let body = json!({"type": "kv", "options": {"version": version}});
        self.ok("POST", &format!("sys/mounts/{mount}"), Some(&body))?;
        if version == "2" {
            let deadline = std::time::Instant::now() + BOUND;
            while self.call("GET", &format!("{mount}/config"), None)?.status != 200 {
                ensure!(
                    std::time::Instant::now() < deadline,
                    "{mount} upgrades for ever"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Mounts a key-value engine of version 1.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn enable_kv1(&self, mount: &str) -> Result<()> {
        self.enable_kv(mount, KvVersion::V1)
    }

    /// Mounts a key-value engine of version 2.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn enable_kv2(&self, mount: &str) -> Result<()> {
        self.enable_kv(mount, KvVersion::V2)
    }

    /// Mounts a Transit engine.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn enable_transit(&self, mount: &str) -> Result<()> {
        let body = json!({"type": "transit"});
        self.ok("POST", &format!("sys/mounts/{mount}"), Some(&body))
            .map(drop)
    }

    /// Writes a policy in HCL.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn write_policy(&self, name: &str, policy: &str) -> Result<()> {
        let body = json!({"policy": policy});
        self.ok("PUT", &format!("sys/policies/acl/{name}"), Some(&body))
            .map(drop)
    }

    /// Creates a token with these policies only. An example of `ttl` is `90s`.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn create_token(&self, policies: &[&str], ttl: &str) -> Result<String> {
        let body = json!({"policies": policies, "ttl": ttl, "no_default_policy": false});
        let answer = self.ok("POST", "auth/token/create", Some(&body))?;
        text(&answer, "/auth/client_token")
    }

    /// Enables the auth method `kind` at `mount` if it is not enabled yet.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn enable_auth(&self, mount: &str, kind: &str) -> Result<()> {
        let mounted = self.ok("GET", "sys/auth", None)?;
        if mounted["data"][format!("{mount}/")].is_null() {
            self.ok(
                "POST",
                &format!("sys/auth/{mount}"),
                Some(&json!({"type": kind})),
            )?;
        }
        Ok(())
    }

    /// Creates an AppRole. `settings` has further arguments, such as `token_ttl` or
    /// `secret_id_num_uses`.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn approle(
        &self,
        mount: &str,
        role: &str,
        policies: &[&str],
        settings: Value,
    ) -> Result<AppRole> {
        self.enable_auth(mount, "approle")?;
        let path = format!("auth/{mount}/role/{role}");
        let body = merged(json!({"token_policies": policies}), settings);
        self.ok("POST", &path, Some(&body))?;
        let role_id = self.ok("GET", &format!("{path}/role-id"), None)?;
        let secret_id = self.ok("POST", &format!("{path}/secret-id"), Some(&json!({})))?;
        Ok(AppRole {
            role_id: text(&role_id, "/data/role_id")?,
            secret_id: text(&secret_id, "/data/secret_id")?,
        })
    }

    /// Creates a role for JWTs that verify under this public key in PEM, with the audience
    /// `planton` and the subject as the user. `settings` has further arguments.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn jwt_role(
        &self,
        mount: &str,
        role: &str,
        policies: &[&str],
        public_key: &str,
        settings: Value,
    ) -> Result<()> {
        self.enable_auth(mount, "jwt")?;
        let config = json!({"jwt_validation_pubkeys": [public_key]});
        self.ok("POST", &format!("auth/{mount}/config"), Some(&config))?;
        let body = json!({
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["planton"],
            "token_policies": policies,
        });
        let body = merged(body, settings);
        self.ok("POST", &format!("auth/{mount}/role/{role}"), Some(&body))
            .map(drop)
    }

    /// Returns every path of a key-value mount, in order.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn list_recursive(&self, mount: &str, version: KvVersion) -> Result<Vec<String>> {
        let root = match version {
            KvVersion::V1 => mount.to_owned(),
            KvVersion::V2 => format!("{mount}/metadata"),
        };
        let mut folders = vec![String::new()];
        let mut paths = Vec::new();
        while let Some(folder) = folders.pop() {
            let answer = self.call("GET", &format!("{root}/{folder}?list=true"), None)?;
            if answer.status == 404 {
                continue; // Nothing below.
            }
            ensure!(answer.status == 200, "listing {root}/{folder}: {answer:?}");
            let keys = answer.body.pointer("/data/keys").and_then(Value::as_array);
            for key in keys.into_iter().flatten().filter_map(Value::as_str) {
                let path = format!("{folder}{key}");
                if key.ends_with('/') {
                    folders.push(path);
                } else {
                    paths.push(path);
                }
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    /// Returns the content of a key-value mount by path: the metadata, and each version
    /// that is not destroyed. Used to search for planted values.
    ///
    /// # Errors
    ///
    /// As [`ok`](Self::ok).
    pub fn dump_kv(&self, mount: &str, version: KvVersion) -> Result<Value> {
        let mut dump = Map::new();
        for path in self.list_recursive(mount, version)? {
            let content = match version {
                KvVersion::V1 => self.ok("GET", &format!("{mount}/{path}"), None)?["data"].take(),
                KvVersion::V2 => self.dump_versions(mount, &path)?,
            };
            dump.insert(path, content);
        }
        Ok(Value::Object(dump))
    }

    fn dump_versions(&self, mount: &str, path: &str) -> Result<Value> {
        let metadata = self.ok("GET", &format!("{mount}/metadata/{path}"), None)?["data"].take();
        let mut versions = Map::new();
        for number in metadata["versions"]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
        {
            let answer = self.call(
                "GET",
                &format!("{mount}/data/{path}?version={number}"),
                None,
            )?;
            // A deleted or destroyed version returns 404.
            ensure!([200, 404].contains(&answer.status), "{path}: {answer:?}");
            versions.insert(number.clone(), answer.body["data"].clone());
        }
        Ok(json!({"metadata": metadata, "versions": versions}))
    }
}

fn merged(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

fn text(answer: &Value, pointer: &str) -> Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("no {pointer} in the answer"))?
        .to_owned())
}
