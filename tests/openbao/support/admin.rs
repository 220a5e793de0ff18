//! The server's API, for operators.

use http::HeaderMap;
use planton_secret::SecretBytes;
use planton_vendors::http::{HttpClient, HttpRequest, HttpSettings, Proxies, Roots};
use serde_json::{Value, json};

use super::jwt::{ACCOUNT, Issuer, TokenReview};
use crate::tls::Authority;

#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) address: String,
    http: HttpClient,
    headers: HeaderMap,
}

impl Admin {
    pub(crate) fn new(address: &str, token: &str) -> Self {
        let settings = HttpSettings {
            roots: Roots::Nobody,
            ..HttpSettings::default()
        };
        Self::with_settings(address, token, settings)
    }

    pub(crate) fn with_settings(address: &str, token: &str, settings: HttpSettings) -> Self {
        let settings = HttpSettings {
            proxies: Proxies::Ignored,
            request_log: None,
            ..settings
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-token", token.parse().unwrap());
        Self {
            address: address.to_owned(),
            http: HttpClient::new(&settings).unwrap(),
            headers,
        }
    }

    pub(crate) fn in_namespace(&self, name: &str) -> Self {
        let mut other = self.clone();
        other
            .headers
            .insert("x-vault-namespace", name.parse().unwrap());
        other
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = HttpRequest {
            method: method.parse().unwrap(),
            url: format!("{}/v1/{path}", self.address).parse().unwrap(),
            headers: self.headers.clone(),
            body: (!body.is_empty()).then(|| SecretBytes::from(body.as_bytes())),
        };
        let response = self.http.send(&request).await.unwrap();
        let body = serde_json::from_slice(response.body.expose()).unwrap_or(Value::Null);
        (response.status.as_u16(), body)
    }

    /// Calls an endpoint, which must succeed.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Mounts KV version 2, and waits until it is ready.
    pub(crate) async fn enable_kv2(&self, mount: &str) {
        let body = r#"{"type":"kv","options":{"version":"2"}}"#;
        self.ok("POST", &format!("sys/mounts/{mount}"), body).await;
        self.await_mount(mount).await;
    }

    pub(crate) async fn await_mount(&self, mount: &str) {
        while self.call("GET", &format!("{mount}/config"), "").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    }

    /// Creates an AppRole in a mount of its own. Returns mount, role and secret.
    pub(crate) async fn approle(&self, role: &str) -> (String, String, String) {
        let mount = format!("approle-{}", uuid::Uuid::new_v4().simple());
        self.ok(
            "POST",
            &format!("sys/auth/{mount}"),
            r#"{"type":"approle"}"#,
        )
        .await;
        let path = format!("auth/{mount}/role/r");
        self.ok("POST", &path, role).await;
        let role_id = self.ok("GET", &format!("{path}/role-id"), "").await;
        let secret_id = self.ok("POST", &format!("{path}/secret-id"), "").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            mount,
            text(&role_id["data"]["role_id"]),
            text(&secret_id["data"]["secret_id"]),
        )
    }

    /// Creates a JWT login in a mount of its own, with a role named `ci`. Returns the
    /// mount.
    pub(crate) async fn jwt(&self, issuer: &Issuer, role: &str) -> String {
        let mount = format!("jwt-{}", uuid::Uuid::new_v4().simple());
        self.ok("POST", &format!("sys/auth/{mount}"), r#"{"type":"jwt"}"#)
            .await;
        let keys = json!({"jwt_validation_pubkeys": [issuer.public_key_pem()]});
        let config = format!("auth/{mount}/config");
        self.ok("POST", &config, &keys.to_string()).await;
        self.ok("POST", &format!("auth/{mount}/role/ci"), role)
            .await;
        mount
    }

    /// Creates a Kubernetes login in a mount of its own, with a role named `app` for the
    /// account of `review`. Returns the mount.
    pub(crate) async fn kubernetes(&self, review: &TokenReview, role: &Value) -> String {
        let mount = format!("kubernetes-{}", uuid::Uuid::new_v4().simple());
        let kind = r#"{"type":"kubernetes"}"#;
        self.ok("POST", &format!("sys/auth/{mount}"), kind).await;
        let config = json!({
            "kubernetes_host": review.address,
            "token_reviewer_jwt": "reviewer",
            "disable_local_ca_jwt": true,
            "kubernetes_ca_cert": Authority::new().pem(),
        });
        let path = format!("auth/{mount}/config");
        self.ok("POST", &path, &config.to_string()).await;
        let (namespace, name) = ACCOUNT;
        let mut role = role.clone();
        role["bound_service_account_names"] = json!([name]);
        role["bound_service_account_namespaces"] = json!([namespace]);
        role["audience"] = json!("planton");
        let path = format!("auth/{mount}/role/app");
        self.ok("POST", &path, &role.to_string()).await;
        mount
    }

    pub(crate) async fn policy(&self, name: &str, text: &str) {
        let body = json!({ "policy": text }).to_string();
        self.ok("POST", &format!("sys/policies/acl/{name}"), &body)
            .await;
    }

    /// Creates a token with these policies only, without the default one.
    pub(crate) async fn token(&self, policies: &[&str]) -> String {
        let body = json!({"policies": policies, "no_default_policy": true});
        let answer = self
            .ok("POST", "auth/token/create", &body.to_string())
            .await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}
