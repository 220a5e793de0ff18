//! Signed tokens, and a fake of the one call that a Kubernetes login makes.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::PublicKeyData;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Signs tokens with ES256.
pub(crate) struct Issuer(rcgen::KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    pub(crate) fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.0.subject_public_key_info())
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let header = serde_json::json!({"alg": "ES256", "typ": "JWT"});
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

/// Starts a fake of Kubernetes' TokenReview: it knows one account, and says of
/// every token that it is that account's. Returns its address.
pub(crate) async fn fake_token_review() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let review = serde_json::json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "status": {
            "authenticated": true,
            "audiences": ["planton"],
            "user": {
                "username": "system:serviceaccount:apps:app",
                "uid": "0b4e4c9e-0000-4000-8000-000000000001",
                "groups": ["system:serviceaccounts"],
            },
        },
    })
    .to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 64 * 1024];
            let read = stream.read(&mut request).await.unwrap();
            let head = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(head.starts_with("POST /apis/authentication.k8s.io/v1/tokenreviews"));
            let answer = format!(
                "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{review}",
                review.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}
