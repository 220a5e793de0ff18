//! Signed tokens, and a fake of the one API call that a Kubernetes login makes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The uid of the Kubernetes account.
const UID: &str = "0b4e4c9e-0000-4000-8000-000000000001";

/// Signs tokens with ES256.
pub(crate) struct Issuer(rcgen::KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    pub(crate) fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.subject_public_key_info())
    }

    /// Signs a token of the one account that the fake of Kubernetes knows. Each token
    /// differs.
    pub(crate) fn account_token(&self) -> String {
        let (namespace, name) = ACCOUNT;
        self.sign(&json!({
            "iss": "kubernetes/serviceaccount",
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "aud": ["planton"],
            "exp": 4_000_000_000_u64, "nbf": 1, "iat": 1,
            "jti": uuid::Uuid::new_v4(),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": UID},
            },
        }))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let message = format!("{}.{}", part(&header), part(claims));
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.0.serialize_der())
                .unwrap();
        let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// A fake of Kubernetes' TokenReview with one account and its valid tokens.
pub(crate) struct TokenReview {
    pub(crate) address: String,
    known: Arc<Mutex<HashSet<String>>>,
}

/// The namespace and the name of the account.
pub(crate) const ACCOUNT: (&str, &str) = ("apps", "app");

impl TokenReview {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let known = Arc::<Mutex<HashSet<String>>>::default();
        let reviewer = Arc::clone(&known);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                let token = request["spec"]["token"].as_str().unwrap();
                let review = review(reviewer.lock().unwrap().contains(token)).to_string();
                let answer = format!(
                    "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\
                     connection: close\r\ncontent-length: {}\r\n\r\n{review}",
                    review.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, known }
    }

    /// Accepts `token` only.
    pub(crate) fn believe_only(&self, token: &str) {
        *self.known.lock().unwrap() = HashSet::from([token.to_owned()]);
    }
}

async fn read_request(stream: &mut TcpStream) -> Value {
    let mut request = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    request.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("POST /apis/authentication.k8s.io/v1/tokenreviews "));
    while line != "\r\n" {
        line.clear();
        request.read_line(&mut line).await.unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn review(is_known: bool) -> Value {
    let (namespace, name) = ACCOUNT;
    let status = if is_known {
        json!({
            "authenticated": true,
            "audiences": ["planton"],
            "user": {
                "username": format!("system:serviceaccount:{namespace}:{name}"),
                "uid": UID,
                "groups": ["system:serviceaccounts"],
            },
        })
    } else {
        json!({"authenticated": false, "error": "invalid bearer token"})
    };
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})
}
